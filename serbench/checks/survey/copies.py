"""Copies of one recording under two names, exact ones and near-duplicates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from serbench.checks.finding import Finding, Outcome, Unit
from serbench.checks.survey.records import cut, plain_table
from serbench.data.corpus.table import Utterance
from serbench.errors import joined, numbered
from serbench.protocol.guard.near.search import NearPair

KINDS = ("two classes", "two speakers", "one speaker")
"""Kinds of pairs, by the classes and speakers of the two utterances, the worst first."""


def check_copies(utterances: Sequence[Utterance], near: Sequence[NearPair]) -> Finding:
    """Pairs of utterances that are the same recording.

    Args:
        utterances: utterances of the corpus.
        near: its near-duplicates, exact copies among them.
    """
    if not near:
        return Finding(
            "copies", "passed", f"None of {len(utterances)} recordings is a copy of another."
        )
    by_id = {utterance.id: utterance for utterance in utterances}
    kinds = {kind: [pair for pair in near if kind_of(pair, by_id) == kind] for kind in KINDS}
    exact = sum(_exact(pair, by_id) for pair in near)
    filed = joined(f"{len(pairs)} under {kind}" for kind, pairs in kinds.items() if pairs)
    pairs = [pair for kind in KINDS for pair in kinds[kind]]
    outcome: Outcome = "failed" if kinds[KINDS[0]] or kinds[KINDS[1]] else "warning"
    rows = cut((_row(pair, by_id) for pair in pairs), "pairs")
    columns = ("One", "Other", "Similarity", "Copy", "Filed under")
    texts = ("Other", "Copy", "Filed under")
    return Finding(
        "copies",
        outcome,
        f"{numbered(len(near), 'pair')} of copies, {exact} of them identical in every sample; "
        f"{filed}.",
        _advice(kinds),
        tuple(
            Unit(f"{pair.one} = {pair.other}", numbers={"similarity": pair.similarity})
            for pair in pairs
        ),
        tables=(plain_table("pairs", "Pairs of copies", columns, rows, texts),),
    )


def kind_of(pair: NearPair, by_id: Mapping[str, Utterance]) -> str:
    """Kind of a pair: two classes, else two speakers, else one speaker."""
    one, other = by_id[pair.one], by_id[pair.other]
    if one.label != other.label:
        return KINDS[0]
    return KINDS[1] if one.speaker != other.speaker else KINDS[2]


def _advice(kinds: Mapping[str, Sequence[NearPair]]) -> str:
    parts = []
    if kinds[KINDS[0]]:
        parts.append(
            "One of the two labels of the same audio is wrong: find out which, and remove that "
            "file."
        )
    parts.append(
        "--set protocol.duplicates=drop leaves out all but the first copy"
        + (
            "; =group keeps speakers that share a recording in the same fold."
            if kinds[KINDS[1]]
            else "."
        )
    )
    return " ".join(parts)


def _exact(pair: NearPair, by_id: Mapping[str, Utterance]) -> bool:
    return by_id[pair.one].pcm_sha256 == by_id[pair.other].pcm_sha256


def _row(pair: NearPair, by_id: Mapping[str, Utterance]) -> tuple[str, ...]:
    one, other = by_id[pair.one], by_id[pair.other]
    said = [
        first if first == second else f"{first} and {second}"
        for first, second in ((one.label, other.label), (one.speaker, other.speaker))
    ]
    copy = "exact" if _exact(pair, by_id) else "near"
    return pair.one, pair.other, f"{pair.similarity:.2f}", copy, f"{said[0]}; speaker {said[1]}"
