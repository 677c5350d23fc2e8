"""Speaker and sentence of each row: from a corpus's grammar or files, IEMOCAP's names, or the split
file.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from serbench.api import Corpus, SplitError, UtteranceRecord
from serbench.checks.audit.rows import AuditRow
from serbench.protocol.spelling import folded
from serbench.running.registry.aliases import alias_key

IEMOCAP_STEM = re.compile(
    r"(?P<session>Ses\d\d)[FM]_(?:(?P<script>script\d\d_\d)\w*|.+)_(?P<sex>[FM])(XX)?\d+", re.ASCII
)
"""The letter of the last token names the speaker; the first token names the person on camera."""

NOT_KNOWN = "unknown"

Field = Literal["speaker", "session", "text", "label"]
LookUp = Callable[[AuditRow], UtteranceRecord | None]


@dataclass(frozen=True, slots=True)
class Identified:
    """Rows with all known facts.

    Attributes:
        rows: utterances, named by their id in the corpus if it is known.
        speakers_from, texts_from: where speakers and texts come from, in words.
        unknown: names that are not in the corpus.
        absent: utterances of the corpus's grammar that are not in its folder.
        unnamed: utterances in the folder that the split file does not name.
        files: audio of the corpus's folder by utterance.
        notes: notes for the report.
    """

    rows: tuple[AuditRow, ...]
    speakers_from: str
    texts_from: str
    unknown: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    unnamed: tuple[str, ...] = ()
    files: Mapping[str, Path] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Clash:
    """A row whose column contradicts its name."""

    row: AuditRow
    field: str
    said: str
    known: str

    def __str__(self) -> str:
        return (
            f"{self.row.where}: {self.row.utterance} has the {self.field} {self.said}, its name "
            f"says {self.known}"
        )


def identify_by_corpus(
    rows: Sequence[AuditRow],
    corpus: Corpus,
    name: str,
    records: Sequence[UtteranceRecord] | None,
) -> Identified:
    """Add ids and facts of a corpus to rows.

    Args:
        rows: the rows as read.
        corpus: the corpus; its grammar is tried first.
        name: name of the dataset, for messages.
        records: every utterance of a local copy; None without a copy.

    Raises:
        SplitError: the corpus knows none of the names, or columns of the split file contradict it
            (names may differ if they differ consistently).
    """
    look = _corpus_look(corpus, name, records or ())
    known, filled = _fill(rows, look)
    if not known:
        hint = (
            ""
            if records
            else "; if its names do not contain the facts, give --data-dir with its files"
        )
        raise SplitError(
            f"{name} knows none of the {len({row.utterance for row in rows})} utterances, such "
            f"as {rows[0].utterance} ({rows[0].where}). Is it the right corpus?{hint}"
        )
    clashes = [
        clash
        for field in ("speaker", "session", "text", "label")
        for clash in _clashes(rows, known, field)
    ]
    wrong = [clash for clash in clashes if clash.field != "speaker" or not _iemocap(clash.row)]
    if wrong:
        raise SplitError(
            f"{len(wrong)} rows contradict {name}; correct them, or leave the column out:\n"
            + "\n".join(f"  {clash}" for clash in wrong)
        )
    unknown = tuple(dict.fromkeys(r.utterance for r in rows if r not in known))
    held = {record.id: record.path for record in records} if records is not None else None
    source = f"{name}'s file names" if records is None else f"{name}'s files"
    named = {row.utterance for row in filled}
    absent = () if held is None else {record.id for record in known.values()} - held.keys()
    return Identified(
        rows=filled,
        speakers_from=_origin(filled, known, rows, "speaker", source),
        texts_from=_origin(filled, known, rows, "text", source),
        unknown=unknown,
        absent=tuple(sorted(absent)),
        unnamed=tuple(sorted(held.keys() - named)) if held is not None else (),
        files=held,
        notes=_wrong_speakers(clashes, known),
    )


def identify_by_name(rows: Sequence[AuditRow]) -> Identified:
    """Use the facts of the split file; the speaker also comes from IEMOCAP's names.

    If a speaker column contradicts such a name, a note says how often.
    """
    known, filled = _fill(rows, _iemocap)
    source = "the last token of IEMOCAP's names"
    return Identified(
        rows=filled,
        speakers_from=_origin(filled, known, rows, "speaker", source),
        texts_from=_origin(filled, known, rows, "text", source),
        notes=_wrong_speakers(_clashes(rows, known, "speaker"), known),
    )


def _wrong_speakers(clashes: Iterable[Clash], known: Collection[AuditRow]) -> tuple[str, ...]:
    """A note on a speaker column that takes IEMOCAP's first letter for the speaker."""
    wrong = {clash.row.utterance: clash for clash in clashes if clash.field == "speaker"}
    if not wrong:
        return ()
    example = next(iter(wrong.values()))
    named = len({row.utterance for row in known})
    return (
        f"the speaker column is wrong for {len(wrong)} of {named} utterances of IEMOCAP, where "
        "the last token of the name gives the speaker; the names were used. For instance, "
        f"{PurePosixPath(example.row.utterance).name} is by {example.known}, not {example.said}",
    )


def _fill(
    rows: Sequence[AuditRow], look: LookUp
) -> tuple[dict[AuditRow, UtteranceRecord], tuple[AuditRow, ...]]:
    """Rows that ``look`` finds, with their records; and all rows, with these facts added."""
    asked: dict[tuple[str, str | None], UtteranceRecord | None] = {}
    known: dict[AuditRow, UtteranceRecord] = {}
    filled: list[AuditRow] = []
    for row in rows:
        key = row.utterance, row.path
        if key not in asked:
            asked[key] = look(row)
        record = asked[key]
        if record is None:
            filled.append(row)
            continue
        known[row] = record
        filled.append(
            replace(
                row,
                utterance=record.id,
                speaker=record.speaker,
                session=record.session or row.session,
                text=record.text or row.text,
            )
        )
    return known, tuple(filled)


def _corpus_look(corpus: Corpus, dataset: str, records: Sequence[UtteranceRecord]) -> LookUp:
    """Look up by id, by the corpus's grammar, and by the names of its files if they are unique.

    A key may begin with its dataset, as in EmoBox's ``emodb-03a01Fa``.
    """
    by_id = {record.id: record for record in records}
    counts = Counter(record.path.name for record in records)
    by_file = {r.path.name: r for r in records if counts[r.path.name] == 1}

    def look(row: AuditRow) -> UtteranceRecord | None:
        if row.utterance in by_id:
            return by_id[row.utterance]
        names = [name.replace("\\", "/") for name in (row.utterance, row.path) if name]
        for name in (*names, *(_without_dataset(name, dataset) for name in names)):
            # A re-encoded copy has another ending, which grammars need not know.
            found = corpus.read_name(name) or corpus.read_name(PurePosixPath(name).stem)
            if found is not None:
                return by_id.get(found.id, found)
        return next((by_file[p] for p in map(_file_name, names) if p in by_file), None)

    return look


def _without_dataset(name: str, dataset: str) -> str:
    front, _, rest = name.partition("-")
    return rest if alias_key(front) == alias_key(dataset) else name


def _file_name(name: str) -> str:
    return PurePosixPath(name).name


def _iemocap(row: AuditRow) -> UtteranceRecord | None:
    for name in (row.path, row.utterance):
        stem = _stem(name)
        match = IEMOCAP_STEM.fullmatch(stem)
        if match is not None:
            speaker = match["session"] + match["sex"]
            text = f"{match['script']}_{match['sex']}" if match["script"] else None
            path = Path(name or stem)
            return UtteranceRecord(stem, path, speaker, row.label or "", match["session"], text)
    return None


def _stem(name: str | None) -> str:
    """The last part of a path, without an extension of audio or features."""
    last = PurePosixPath((name or "").replace("\\", "/")).name
    return re.sub(r"\.[A-Za-z][A-Za-z0-9]{1,4}$", "", last)


def _clashes(
    rows: Iterable[AuditRow], known: Mapping[AuditRow, UtteranceRecord], field: Field
) -> list[Clash]:
    """Rows whose column contradicts known facts, one per utterance and value.

    Names may differ (``happy`` for ``happiness``, ``spk3`` for ``03``) if each stands for one known
    name only, and may be spelled differently (``3`` for ``03``). Several labels may be merged into
    one.
    """
    said: dict[tuple[str, str, str], AuditRow] = {}
    for row in rows:
        theirs = getattr(row, field)
        ours = getattr(known[row], field) if row in known else None
        if theirs is not None and ours:
            said.setdefault((row.utterance, theirs, ours), row)
    pairs = Counter((theirs, ours) for _, theirs, ours in said)
    same_names = {theirs for theirs, _ in pairs} <= {ours for _, ours in pairs}
    if field != "label" and same_names:
        wrong = {pair for pair in pairs if pair[0] != pair[1]}
    else:
        usual = {(_majority(pairs, 1, ours), ours) for _, ours in pairs}
        wrong = set(pairs) - usual
        if field != "label":
            back = {(theirs, _majority(pairs, 0, theirs)) for theirs, _ in pairs}
            wrong |= set(pairs) - back
    return [
        Clash(row, field, theirs, ours)
        for (_, theirs, ours), row in said.items()
        if (theirs, ours) in wrong and folded(theirs) != folded(ours)
    ]


def _majority(pairs: Counter[tuple[str, str]], side: int, name: str) -> str:
    """The most frequent value on the other side of ``name``; the first by name in a tie."""
    matching = {pair[1 - side]: n for pair, n in pairs.items() if pair[side] == name}
    return min(matching, key=lambda other: (-matching[other], other))


def _origin(
    filled: Sequence[AuditRow],
    known: Mapping[AuditRow, UtteranceRecord],
    rows: Sequence[AuditRow],
    field: Field,
    source: str,
) -> str:
    """Source of speakers or texts, in words."""
    origin: dict[str, str] = {}
    for row, full in zip(rows, filled, strict=True):
        if row in known and getattr(known[row], field):
            origin[full.utterance] = source
        elif getattr(full, field) is not None:
            origin[full.utterance] = "the split file"
        else:
            origin.setdefault(full.utterance, NOT_KNOWN)
    counts = Counter(origin.values())
    if len(counts) == 1:
        return next(iter(counts))
    total = len(origin)
    return ", ".join(f"{where} ({count} of {total})" for where, count in counts.most_common())
