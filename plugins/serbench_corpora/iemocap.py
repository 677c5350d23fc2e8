"""The Interactive Emotional Dyadic Motion Capture database."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import ClassVar, Literal

from pydantic import BaseModel

from serbench.api import Corpus, CorpusCard, CorpusError, Params, UtteranceRecord

SESSIONS = tuple(f"Session{number}" for number in range(1, 6))

LABELS = {
    "ang": "anger",
    "exc": "happiness",
    "hap": "happiness",
    "neu": "neutral",
    "sad": "sadness",
}
"""The four classes that most publications use: excitement counts as happiness."""

OTHERS = frozenset({"fru", "xxx", "sur", "fea", "dis", "oth"})
"""Annotated emotions outside the four classes; ``xxx`` means that annotators disagree."""

LINE = re.compile(
    r"\[(?P<start>[\d.]+) - (?P<end>[\d.]+)\]\t(?P<utterance>\S+)\t(?P<emotion>\w+)\t\[.*\]\s*"
)
"""Pattern of a line of an evaluation file that summarises an utterance; other lines are
from single raters.
"""

UTTERANCE = re.compile(
    r"(?P<dialogue>Ses(?P<session>0[1-5])[FM]_(?P<kind>impro|script)(?P<number>\w*?))"
    r"_(?P<turn>[FM]\w\w\w)"
)
"""Pattern of names such as ``Ses03F_impro05a_M001``: the first letter says whose motion was
captured in the dialogue, and the letter of the **last** token says who speaks.
"""

SPEAKERS = tuple(f"Ses{session:02}{sex}" for session in range(1, 6) for sex in "FM")

PER_SPEAKER = dict(zip(SPEAKERS, (528, 557, 481, 542, 522, 629, 528, 503, 590, 651), strict=True))

LAYOUT = (
    "Session1 to Session5, each with dialog/EmoEvaluation/*.txt and "
    "sentences/wav/DIALOGUE/UTTERANCE.wav. The corpus is available by a request form only"
)


class IemocapParams(Params):
    """Settings of IEMOCAP."""

    dialogues: Literal["all", "improvised"] = "all"
    """``improvised`` leaves the scripted dialogues out."""


class Iemocap(Corpus):
    """Anger, happiness with excitement, neutral, sadness: 5531 utterances of ten actors.

    They are from five sessions (Busso et al., 2008). Each fold tests a session, so that both of its
    speakers are held out.

    Scripted dialogues are acted in all sessions: the text is a part of a script and one of its two
    roles (``script01_1_F``). The text of improvised dialogues is not known.
    """

    name: ClassVar[str] = "iemocap"
    Params: ClassVar[type[BaseModel]] = IemocapParams
    params: IemocapParams

    @property
    def card(self) -> CorpusCard:
        """The card; its counts are known only for all dialogues together."""
        whole = self.params.dialogues == "all"
        return CorpusCard(
            title="Interactive Emotional Dyadic Motion Capture database (IEMOCAP)"
            + ("" if whole else ", improvised dialogues"),
            language="English",
            licence="research licence of the University of Southern California",
            home="https://sail.usc.edu/iemocap/",
            citation=(
                "C. Busso, M. Bulut, C.-C. Lee, A. Kazemzadeh, E. Mower, S. Kim, J. N. Chang, "
                "S. Lee, S. S. Narayanan: IEMOCAP: interactive emotional dyadic motion capture "
                "database. Language Resources and Evaluation 42, 2008, pp. 335-359"
            ),
            elicitation="acted",
            labels=tuple(sorted(set(LABELS.values()))),
            unit="session",
            fold_sets={"paper": tuple((session,) for session in SESSIONS)},
            utterances=5531 if whole else None,
            per_label={"anger": 1103, "happiness": 1636, "neutral": 1708, "sadness": 1084}
            if whole
            else {},
            per_speaker=PER_SPEAKER if whole else {},
            layout=LAYOUT,
            names=("IEMOCAP", "Interactive Emotional Dyadic Motion Capture"),
        )

    def utterances(self, folder: Path) -> Iterable[UtteranceRecord]:
        """One record per utterance of the four classes, as the evaluation files have them.

        Raises:
            CorpusError: a session's evaluation files are missing, or do not follow their grammar.
        """
        return [record for session in SESSIONS for record in self._session(folder, session)]

    def _session(self, folder: Path, session: str) -> Iterator[UtteranceRecord]:
        place = folder / session / "dialog" / "EmoEvaluation"
        files = sorted(path for path in place.glob("*.txt") if not path.name.startswith("."))
        if not files:
            raise CorpusError(
                f"{folder} is not IEMOCAP: no evaluation files found in {place}. Expected {LAYOUT}"
            )
        for path in files:
            yield from self._dialogue(path, session)

    def _dialogue(self, path: Path, session: str) -> Iterator[UtteranceRecord]:
        # Comments of raters contain bytes that are not UTF-8 in some files.
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            match = LINE.fullmatch(line)
            if match is None or match["emotion"] in OTHERS:
                continue
            parts = UTTERANCE.fullmatch(match["utterance"])
            label = LABELS.get(match["emotion"])
            if parts is None or label is None or not session.endswith(parts["session"][1:]):
                raise CorpusError(f"{path} has a line that is not in IEMOCAP's format: {line!r}")
            if self._has(parts):
                yield _record(parts, label)

    def read_name(self, name: str) -> UtteranceRecord | None:
        """Speaker, session and script of ``Ses03F_impro05a_M001``; names do not
        contain the emotion.
        """
        parts = UTTERANCE.fullmatch(PurePosixPath(name).stem)
        return _record(parts, "") if parts is not None and self._has(parts) else None

    def _has(self, parts: re.Match[str]) -> bool:
        return self.params.dialogues == "all" or parts["kind"] == "impro"


def _record(parts: re.Match[str], label: str) -> UtteranceRecord:
    """The facts in an utterance's name, with its label."""
    name, session, sex = parts.group(), f"Session{int(parts['session'])}", parts["turn"][0]
    # Scripts are acted in every session; the letter after a part's number means another take.
    script = parts["number"].rstrip("abcdefgh") if parts["kind"] == "script" else ""
    return UtteranceRecord(
        id=name,
        path=Path(session, "sentences", "wav", parts["dialogue"], f"{name}.wav"),
        speaker=f"Ses{parts['session']}{sex}",
        label=label,
        session=session,
        text=f"script{script}_{sex}" if script else None,
        gender="female" if sex == "F" else "male",
    )
