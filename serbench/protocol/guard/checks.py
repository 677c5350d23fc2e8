"""Checks of splits and segments: L1 to L5, the nesting part of L6, and L9."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from serbench.api import LeakageError
from serbench.data.corpus.table import CorpusTable, Utterance
from serbench.protocol.guard.near.search import NearPair
from serbench.protocol.splits.records import Partition, Split

BOUND_SLACK_S = 1e-6
"""Rounding allowed at an utterance's end; far below one sample (62.5 µs)."""

WAY_OUT = (
    "To keep only the first of each: --set protocol.duplicates=drop; to keep speakers that share "
    "a recording in the same fold: --set protocol.duplicates=group with loso or kfold folds"
)
"""Advice on what to do about copies."""


class Window(Protocol):
    """The part of a segment that ``check_segments`` reads; see ``segments.Segment``."""

    @property
    def seg_id(self) -> str: ...  # noqa: D102

    @property
    def utt_id(self) -> str: ...  # noqa: D102

    @property
    def spk_id(self) -> str: ...  # noqa: D102

    @property
    def label(self) -> str | None: ...  # noqa: D102

    @property
    def partition(self) -> str: ...  # noqa: D102

    @property
    def t_start_s(self) -> float: ...  # noqa: D102

    @property
    def t_end_s(self) -> float: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class TextOverlap:
    """L9 of one split: test utterances whose sentence is also spoken in training.

    Attributes:
        split: name of the split.
        shared: sentences on both sides, sorted.
        heard: number of test utterances whose sentence is among them.
        tested: number of test utterances whose sentence is known.
    """

    split: str
    shared: tuple[str, ...]
    heard: int
    tested: int


def check_split(split: Split, table: CorpusTable) -> None:
    """Prove that no utterance, unit or speaker is on both sides of a split.

    Raises:
        LeakageError: L2, an utterance on both sides, twice on one side, or not of this corpus;
            L1, a speaker or session on both sides, or units that are not its utterances' own.
    """
    check_utterances(split, table)
    train, test = split.train, split.test
    heard, tested = _utterances(train, table), _utterances(test, table)
    noun = table.card.unit
    for what, on_train, on_test in (
        (noun, _units(heard, table), _units(tested, table)),
        ("speaker", {u.speaker for u in heard}, {u.speaker for u in tested}),
    ):
        if shared := sorted(on_train & on_test):
            raise LeakageError("L1", f"{what}s on both sides of {split.name}", shared)
    for side, utterances in ((train, heard), (test, tested)):
        if wrong := sorted(set(side.units) ^ _units(utterances, table)):
            raise LeakageError(
                "L1", f"the {noun}s listed in {side.name} are not those of its utterances", wrong
            )


def check_utterances(split: Split, table: CorpusTable) -> None:
    """Prove that no utterance is on both sides of a split.

    Raises:
        LeakageError: L2, an utterance on both sides, twice on one side, or not of this corpus.
    """
    if both := sorted(set(split.train.ids) & set(split.test.ids)):
        raise LeakageError("L2", f"utterances on both sides of {split.name}", both)
    for side in (split.train, split.test):
        _check_members(side, table)


def check_coverage(
    outer: Sequence[Split], table: CorpusTable | None = None, trained_only: Iterable[str] = ()
) -> None:
    """Prove that the outer folds test every utterance exactly once.

    Args:
        outer: the outer folds.
        table: the corpus; without it, "every utterance" means all utterances of the folds.
        trained_only: utterances that must not be tested.

    Raises:
        LeakageError: L2.
    """
    tested = Counter(i for split in outer for i in split.test.ids)
    if repeated := sorted(i for i, times in tested.items() if times > 1):
        raise LeakageError(
            "L2", "utterances that are tested more than once in the outer folds", repeated
        )
    if seen := sorted(tested.keys() & set(trained_only)):
        raise LeakageError("L2", "tested utterances that are for training only", seen)
    every = {i for split in outer for i in (*split.train.ids, *split.test.ids)}
    if table is not None:
        every.update(table.ids)
    every.difference_update(trained_only)
    if never := sorted(every - tested.keys()):
        raise LeakageError("L2", "utterances that are tested in no outer fold", never)


def check_nested(inner: Split, outer: Split) -> None:
    """Prove that an inner fold stays within its outer fold's training side.

    Raises:
        LeakageError: L6; outer test utterances would influence the choice of a candidate.
    """
    allowed = set(outer.train.ids)
    if foreign := sorted({*inner.train.ids, *inner.test.ids} - allowed):
        raise LeakageError(
            "L6", f"{inner.name} is not inside the training side of {outer.name}", foreign
        )


def check_segments(segments: Iterable[Window], partition: Partition, table: CorpusTable) -> None:
    """Prove that segments are windows of their own partition's utterances.

    Raises:
        LeakageError: L3, a segment is of an utterance outside ``partition``, has another
            partition's name, does not have its utterance's speaker or label, or exceeds its
            utterance's bounds; L8, a segment of a sealed partition has a label.
    """
    members = frozenset(partition.ids) & table.by_id.keys()
    faults: dict[tuple[str, str], list[str]] = {}
    for segment in segments:
        if segment.utt_id not in members or segment.partition != partition.name:
            fault = ("L3", f"segments of utterances that are not in {partition.name}")
        elif partition.sealed and segment.label is not None:
            fault = ("L8", f"segments of the sealed {partition.name} that carry a label")
        else:
            reason = _segment_fault(segment, partition, table.by_id[segment.utt_id])
            if reason is None:
                continue
            fault = ("L3", reason)
        faults.setdefault(fault, []).append(segment.seg_id)
    for (code, reason), found in faults.items():
        raise LeakageError(code, reason, found)


def check_duplicates(split: Split, table: CorpusTable) -> None:
    """Prove that no recording is on both sides under two ids.

    Two recordings are the same if their decoded PCM is the same (``Utterance.pcm_sha256``).

    Raises:
        LeakageError: L4, listing the pairs.
    """
    trained: dict[str, str] = {}
    for utterance in _utterances(split.train, table):
        trained.setdefault(utterance.pcm_sha256, utterance.id)
    pairs = [
        f"{trained[utterance.pcm_sha256]} = {utterance.id}"
        for utterance in _utterances(split.test, table)
        if utterance.pcm_sha256 in trained
    ]
    if pairs:
        raise LeakageError("L4", f"the same audio on both sides of {split.name}", pairs, WAY_OUT)


def check_near_duplicates(split: Split, near: Sequence[NearPair]) -> None:
    """Prove that no recording has a near-duplicate on the other side.

    Args:
        split: any fold.
        near: the near-duplicates of the whole corpus.

    Raises:
        LeakageError: L5, listing the pairs with their similarity.
    """
    trained, tested = frozenset(split.train.ids), frozenset(split.test.ids)
    pairs = [
        f"{one} ~ {other} ({pair.similarity:.2f})"
        for pair in near
        for one, other in ((pair.one, pair.other), (pair.other, pair.one))
        if one in trained and other in tested
    ]
    if pairs:
        raise LeakageError("L5", f"near-duplicates on both sides of {split.name}", pairs, WAY_OUT)


def check_audio(copied: Sequence[NearPair]) -> None:
    """Prove that no utterance of the corpus is in the unlabelled audio of a pretraining or fit.

    Args:
        copied: utterances with a copy in the unlabelled audio.

    Raises:
        LeakageError: L5, listing the pairs with their similarity.
    """
    if copied:
        pairs = [f"{p.one} ~ {p.other} ({p.similarity:.2f})" for p in copied]
        raise LeakageError(
            "L5",
            "utterances of the corpus that are also in the unlabelled audio",
            pairs,
            "Remove these recordings from the folder given with --pretrain-audio",
        )


def text_overlap(split: Split, table: CorpusTable) -> TextOverlap | None:
    """Measure L9: how many test utterances have a sentence that is also spoken in training.

    Returns:
        None if no test utterance has a known sentence.
    """
    trained = {u.text for u in _utterances(split.train, table)}
    texts = [u.text for u in _utterances(split.test, table) if u.text is not None]
    if not texts:
        return None
    heard = [text for text in texts if text in trained]
    return TextOverlap(split.name, tuple(sorted(set(heard))), len(heard), len(texts))


def _check_members(side: Partition, table: CorpusTable) -> None:
    """Prove that every id is of this corpus and occurs once."""
    if twice := sorted(i for i, times in Counter(side.ids).items() if times > 1):
        raise LeakageError("L2", f"utterances that occur in {side.name} more than once", twice)
    if unknown := sorted(set(side.ids) - set(table.ids)):
        raise LeakageError("L2", f"utterances in {side.name} that are not in {table.name}", unknown)


def _segment_fault(segment: Window, partition: Partition, utterance: Utterance) -> str | None:
    """Description of a fault in a segment of one of the partition's utterances; None: no fault."""
    if segment.spk_id != utterance.speaker:
        return f"segments in {partition.name} with a speaker that is not their utterance's"
    if segment.label is not None and segment.label != utterance.label:
        return f"segments in {partition.name} with a label that is not their utterance's"
    end_s = utterance.duration_s + BOUND_SLACK_S
    # The condition is negated so that a bound that is not a number fails too.
    if not 0.0 <= segment.t_start_s < segment.t_end_s <= end_s:
        return f"segments in {partition.name} that reach beyond their utterance"
    return None


def _utterances(side: Partition, table: CorpusTable) -> list[Utterance]:
    return [table.by_id[i] for i in side.ids]


def _units(utterances: Iterable[Utterance], table: CorpusTable) -> set[str]:
    return {table.unit_of(u) for u in utterances}
