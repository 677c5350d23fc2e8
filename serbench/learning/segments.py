"""Algorithm 2: utterances are partitioned first; only then is each cut into windows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from serbench.api import CorpusError, Framing, RegistryError
from serbench.data.corpus.table import CorpusTable, Utterance
from serbench.protocol.splits.records import Partition, utterances_of
from serbench.settings import SegmentSettings

MIN_HOP_S = 0.010
"""Windows closer together than one frame of the front end would add no information."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A window of one utterance; it belongs to its utterance's partition.

    Attributes:
        seg_id: ``"<utt_id>#<number>"``, numbered from 0 along the utterance.
        utt_id, spk_id: the utterance and its speaker.
        label: the utterance's label; None in a sealed (outer test) partition, so that windows
            sent to a fit carry no test label.
        partition: the partition's name.
        t_start_s, t_end_s: bounds in seconds from the utterance's start.
    """

    seg_id: str
    utt_id: str
    spk_id: str
    label: str | None
    partition: str
    t_start_s: float
    t_end_s: float


def sliding_windows(
    duration_s: float, window_s: float, overlap_s: float
) -> list[tuple[float, float]]:
    """Bounds ``(start_s, end_s)`` of windows that cover an utterance and stay within it.

    Windows start every ``window_s - overlap_s`` seconds; the last one is moved back to end with
    the utterance. An utterance no longer than the window is one window.

    Raises:
        RegistryError: an overlap that leaves no hop.
        CorpusError: a duration that is not positive and finite.
    """
    hop_s = window_s - overlap_s
    if not (hop_s >= MIN_HOP_S and overlap_s >= 0 and math.isfinite(window_s)):
        raise RegistryError(
            f"segments.overlap_s = {overlap_s} with segments.window_s = {window_s}: the overlap "
            f"must be at least 0 s and at least {MIN_HOP_S} s shorter than the window"
        )
    _check_duration(duration_s)
    if duration_s <= window_s:
        return [(0.0, duration_s)]
    last_s = duration_s - window_s
    # Without the small number, rounding could add a window a few picoseconds after another.
    hops = math.ceil(last_s / hop_s - 1e-9)
    starts = [hop * hop_s for hop in range(hops)]
    return [*((start_s, start_s + window_s) for start_s in starts), (last_s, duration_s)]


def hears_whole(framing: Framing | None) -> bool:
    """Whether a front end reads a whole utterance at once, so that each utterance is one window."""
    return framing is None or framing.length is not None


def _check_duration(duration_s: float) -> None:
    """
    Raises:
        CorpusError: a duration that is not positive and finite.
    """
    if not (duration_s > 0 and math.isfinite(duration_s)):
        raise CorpusError(f"an utterance of {duration_s} s cannot be cut into windows")


@dataclass(frozen=True, slots=True)
class Cutting:
    """How a method's utterances are cut into windows.

    Example:
        >>> Cutting(3.0, 0.5).bounds(4.0)
        [(0.0, 3.0), (1.0, 4.0)]
        >>> Cutting(3.0, 0.5, "centre").bounds(4.0)
        [(0.5, 3.5)]
        >>> Cutting(3.0, 0.5, "whole").bounds(4.0)
        [(0.0, 4.0)]

    Attributes:
        window_s, overlap_s: of sliding windows; ``centre`` uses ``window_s`` only.
        how: ``sliding``: windows over the whole utterance; ``centre``: one window in its middle;
            ``whole``: all of it as one window.
    """

    window_s: float
    overlap_s: float
    how: Literal["sliding", "centre", "whole"] = "sliding"

    @classmethod
    def of(cls, segments: SegmentSettings, framing: Framing | None) -> Cutting:
        """The cutting of the settings; whole utterances if the front end needs them."""
        how = "whole" if hears_whole(framing) else segments.cut
        return cls(segments.window_s, segments.overlap_s, how)

    def bounds(self, duration_s: float) -> list[tuple[float, float]]:
        """``(start_s, end_s)`` of the windows of an utterance.

        Raises:
            RegistryError, CorpusError: as ``sliding_windows``.
        """
        if self.how == "sliding":
            return sliding_windows(duration_s, self.window_s, self.overlap_s)
        _check_duration(duration_s)
        if self.how == "whole" or duration_s <= self.window_s:
            return [(0.0, duration_s)]
        start_s = (duration_s - self.window_s) / 2
        return [(start_s, start_s + self.window_s)]


def segment_partition(
    table: CorpusTable, partition: Partition, cutting: Cutting
) -> tuple[Segment, ...]:
    """All windows of a partition: utterances in its order, windows in order of time.

    Raises:
        RegistryError, CorpusError: as ``sliding_windows``.
        SplitError: the table lacks an utterance.
    """
    return tuple(
        segment
        for utterance in utterances_of(partition, table)
        for segment in segment_utterance(
            utterance,
            cutting.bounds(utterance.duration_s),
            None if partition.sealed else utterance.label,
            partition.name,
        )
    )


def segment_utterance(
    utterance: Utterance,
    bounds: Iterable[tuple[float, float]],
    label: str | None = None,
    partition: str = "",
) -> Iterator[Segment]:
    """Windows of one utterance, between ``bounds`` in seconds; by default without a label."""
    for number, (start_s, end_s) in enumerate(bounds):
        yield Segment(
            f"{utterance.id}#{number}", utterance.id, utterance.speaker, label, partition,
            start_s, end_s,
        )  # fmt: skip
