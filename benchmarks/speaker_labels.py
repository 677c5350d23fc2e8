"""How often ``corpus check`` hears that the speakers of a corpus are wrong, and that they are not.

    python benchmarks/speaker_labels.py --corpus emodb=FOLDER --corpus ravdess=FOLDER

prints the tables of docs/speaker-labels.md. Every line names speakers anew in one way, many times
over: each time for some speakers of the corpus and some utterances of each, drawn at random.
``--half even`` or ``odd`` looks at every second speaker only, ``--scores`` prints quantiles of the
scores that are compared with the thresholds.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from serbench.checks.finding import Finding
from serbench.checks.survey.sound import Sound, listen
from serbench.checks.survey.speakers import check_voices
from serbench.data.corpus.check import scan
from serbench.data.corpus.table import Utterance, make_utterance
from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry

Rename = Callable[[Sequence[Utterance], np.random.Generator], list[Utterance]]


@dataclass(frozen=True)
class Size:
    """How much of a corpus is drawn: speakers, and utterances of each (None: all)."""

    speakers: int | None
    utterances: int | None

    def __str__(self) -> str:
        return f"{self.speakers or 'all'} × {self.utterances or 'all'}"


def as_it_is(own: Sequence[Utterance], _: np.random.Generator) -> list[Utterance]:
    return list(own)


def without_sentences(own: Sequence[Utterance], _: np.random.Generator) -> list[Utterance]:
    return [replace(u, text=None) for u in own]


def shuffled(own: Sequence[Utterance], draw: np.random.Generator) -> list[Utterance]:
    names = draw.permutation([u.speaker for u in own]).tolist()
    return [replace(u, speaker=name) for u, name in zip(own, names, strict=True)]


def partly_shuffled(own: Sequence[Utterance], draw: np.random.Generator) -> list[Utterance]:
    """A third of the utterances."""
    which = draw.permutation(len(own))[: len(own) // 3]
    names = draw.permutation([own[n].speaker for n in which]).tolist()
    wrong = dict(zip(which.tolist(), names, strict=True))
    return [replace(u, speaker=wrong.get(n, u.speaker)) for n, u in enumerate(own)]


def sentence(own: Sequence[Utterance], _: np.random.Generator) -> list[Utterance]:
    """The sentence is taken for the speaker, and nothing for the sentence."""
    return [replace(u, speaker=f"s{u.text}", text=None) for u in own]


def swapped(own: Sequence[Utterance], _: np.random.Generator) -> list[Utterance]:
    """The sentence is taken for the speaker, and the speaker for the sentence."""
    return [replace(u, speaker=f"s{u.text}", text=u.speaker) for u in own]


def nested(own: Sequence[Utterance], _: np.random.Generator) -> list[Utterance]:
    """The sentence is taken for both."""
    return [replace(u, speaker=f"s{u.text}") for u in own]


def number_in_speaker(own: Sequence[Utterance], draw: np.random.Generator) -> list[Utterance]:
    """A counter of eight values that means nothing."""
    return [replace(u, speaker=f"n{draw.integers(8)}") for u in own]


def emotion(own: Sequence[Utterance], _: np.random.Generator) -> list[Utterance]:
    return [replace(u, speaker=f"e{u.label}") for u in own]


def two_by_two(own: Sequence[Utterance], draw: np.random.Generator) -> list[Utterance]:
    names = draw.permutation(sorted({u.speaker for u in own})).tolist()
    pair = {name: f"p{n // 2}" for n, name in enumerate(names)}
    return [replace(u, speaker=pair[u.speaker]) for u in own]


def two_in_one(own: Sequence[Utterance], draw: np.random.Generator) -> list[Utterance]:
    """Two speakers are one id; all others are right."""
    one, other = draw.permutation(sorted({u.speaker for u in own}))[:2]
    return [replace(u, speaker="both" if u.speaker in {one, other} else u.speaker) for u in own]


def one_in_two(own: Sequence[Utterance], draw: np.random.Generator) -> list[Utterance]:
    """One speaker is two ids, at random; all others are right."""
    one = draw.permutation(sorted({u.speaker for u in own}))[0]
    return [replace(u, speaker=f"half{draw.integers(2)}") if u.speaker == one else u for u in own]


RIGHT: dict[str, Rename] = {"as it is": as_it_is, "sentences unknown": without_sentences}
WRONG: dict[str, Rename] = {
    "shuffled": shuffled,
    "a third shuffled": partly_shuffled,
    "the sentence": sentence,
    "speaker and sentence swapped": swapped,
    "the sentence, for both": nested,
    "a counter": number_in_speaker,
    "the emotion": emotion,
    "all speakers two by two": two_by_two,
    "two speakers under one id": two_in_one,
    "one speaker under two ids": one_in_two,
}
NAMED = {"two speakers under one id": {"both"}, "one speaker under two ids": {"half0 ~ half1"}}
"""Units that a finding must name."""

WHOLE = Size(None, None)
SIZES = (
    WHOLE, Size(7, None), Size(7, 30), Size(7, 20), Size(4, None), Size(2, None), Size(4, 12),
)  # fmt: skip


def main() -> None:
    """Print a table for each corpus."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--corpus", action="append", default=[], help="NAME=FOLDER, repeatable")
    parser.add_argument("--half", choices=("odd", "even"), help="every second speaker only")
    parser.add_argument("--draws", type=int, default=50)
    parser.add_argument("--scores", action="store_true")
    options = parser.parse_args()
    for named in options.corpus:
        name, _, folder = named.partition("=")
        own, sounds = heard(name, Path(folder))
        if options.half:
            every = sorted({u.speaker for u in own})
            half = set(every[options.half == "even" :: 2])
            own = [u for u in own if u.speaker in half]
        print(f"\n# {name}: {len(own)} utterances of {len({u.speaker for u in own})} speakers\n")
        print("| speakers | size | draws | passed | warning | failed | not run | named | others |")
        print("| :-- | --: | --: | --: | --: | --: | --: | --: | --: |")
        for what, rename in {**RIGHT, **WRONG}.items():
            sizes = SIZES if what in RIGHT else SIZES[:3]
            for size in sizes:
                print_line(what, rename, size, own, sounds, options.draws, options.scores)


def heard(name: str, folder: Path) -> tuple[list[Utterance], dict[str, Sound]]:
    """All utterances of a corpus, and their sounds."""
    corpus = load_registry(load_plugins()).make("corpora", name)
    records = scan(corpus, name, folder)  # pyright: ignore[reportArgumentType]
    sounds, _ = listen(records, lambda *_: None)
    return [make_utterance(record, sounds[record.id]) for record in records], sounds


def print_line(
    what: str,
    rename: Rename,
    size: Size,
    own: Sequence[Utterance],
    sounds: dict[str, Sound],
    draws: int,
    scores: bool,
) -> None:
    """What was found in ``draws`` draws."""
    fixed = rename in {as_it_is, without_sentences, sentence, swapped, nested, emotion}
    count = 1 if fixed and size == WHOLE else draws
    found: list[Finding] = []
    for number in range(count):
        draw = np.random.default_rng(number)
        found.append(check_voices(rename(drawn(own, size, draw), draw), sounds))
    outcomes = Counter(each.outcome for each in found)
    wanted = NAMED.get(what, set())
    named = sum(wanted <= {unit.name for unit in each.units} for each in found) if wanted else "–"
    others = sum(bool({unit.name for unit in each.units} - wanted) for each in found)
    cells = [outcomes[outcome] for outcome in ("passed", "warning", "failed", "not run")]
    print(
        f"| {what} | {size} | {count} | {' | '.join(map(str, cells))} | {named} | {others} |",
        flush=True,
    )
    if scores:
        print_scores(found)


def drawn(own: Sequence[Utterance], size: Size, draw: np.random.Generator) -> list[Utterance]:
    """Some speakers, and some utterances of each."""
    names = draw.permutation(sorted({u.speaker for u in own}))[: size.speakers].tolist()
    rows: list[int] = []
    for name in names:
        its = [n for n, u in enumerate(own) if u.speaker == name]
        rows += draw.permutation(its)[: size.utterances].tolist()
    return [own[n] for n in sorted(rows)]


def print_scores(found: Sequence[Finding]) -> None:
    """Quantiles over draws: of the two areas, the least told apart, the greatest width."""
    values: dict[str, list[float]] = {"recording": [], "speaker": [], "apart": [], "width": []}
    for each in found:
        values["recording"].append(each.numbers.get("same_recording", np.nan))
        values["speaker"].append(each.numbers.get("same_speaker", np.nan))
        tables = {table.name: table.rows for table in each.tables}
        if "closest" in tables:
            values["apart"].append(float(tables["closest"][0][2].text))
        if "widest" in tables:
            values["width"].append(float(tables["widest"][0][1].text))
    for name, its in values.items():
        if len(its) and not np.isnan(its).all():
            quantiles = np.nanquantile(its, [0, 0.05, 0.5, 0.95, 1])
            print(f"    {name}: {quantiles.round(3).tolist()}")


if __name__ == "__main__":
    main()
