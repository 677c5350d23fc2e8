"""Frames of the whole corpus, the normaliser, windows as tensors.

Frames need no label, so they are computed once per corpus and cached. Whatever is fitted
takes ``TrainingFrames``, which only a view of a training partition gives.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from serbench.api import Advance, FrontEnd
from serbench.data.corpus.table import Speech
from serbench.files.cache_kinds import kind_folder
from serbench.files.digests import name_digest
from serbench.files.kept import making
from serbench.files.threads import in_threads
from serbench.learning.crops import heard
from serbench.learning.frame_files import FrameFiles
from serbench.learning.front_ends import Extractor, identity_of
from serbench.learning.segments import hears_whole
from serbench.protocol.guard.view import PartitionView
from serbench.settings import SegmentSettings

if TYPE_CHECKING:
    from jaxtyping import Float, Int

VERSION = 3
"""Raised whenever the frames that a setting gives change, so that no stale cache is read."""

BLOCK_FRAMES = 8_192
"""Frames whose moments are taken at once."""

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Frames:
    """Frames of every utterance of a corpus, end to end in one array.

    Attributes:
        ids: utterances in the order of the array.
        values: float32 or float16, usually a read-only memory map.
        start: first frame of each utterance.
        count: its number of frames.
        rate_hz: frames per second; 0 where an utterance has a single row.
        digest: of what the frames were computed from.
        channels: that a student reads of them, see ``student_input``.
        whole: whether each utterance is one window.
    """

    ids: tuple[str, ...]
    values: Float[NDArray[np.floating], "total d"]
    start: Int[NDArray[np.int64], " U"]
    count: Int[NDArray[np.int64], " U"]
    rate_hz: float
    digest: str
    channels: int = 3
    whole: bool = False

    def fitting(self, view: PartitionView, what: str, *others: Frames) -> TrainingFrames:
        """The frames of a training partition, in the order of ``view.ids``, to fit ``what`` on;
        then ``others``, of other crops of the same utterances, each in the same order.

        Raises:
            LeakageError: L6, a partition that nothing may be fitted on.
        """
        view.record(what, view.ids)
        return TrainingFrames(self, view.ids, *others)

    def evaluation(self, ids: Sequence[str]) -> EvaluationFrames:
        """The frames of ``ids`` in their order, for a finished model to run on. No labels here."""
        return EvaluationFrames(self, ids)


class FrameReader:
    """Frames of some utterances, addressed by their position 0 … n-1 and cut to windows.

    Args:
        frames: of the whole corpus.
        ids: the n utterances.
        others: of other crops of the same utterances: n … 2n-1, and so on.
    """

    def __init__(self, frames: Frames, ids: Sequence[str], *others: Frames) -> None:
        # Only these utterances' frames are copied: a fit holds nothing else in its hands.
        values, counts = zip(*(_copied(each, ids) for each in (frames, *others)), strict=True)
        self.values = torch.from_numpy(np.concatenate(values) if others else values[0])
        self.count = torch.from_numpy(np.concatenate(counts))
        self.start = torch.cumsum(self.count, 0) - self.count
        self.rate_hz = frames.rate_hz
        self.whole = frames.whole
        self._normaliser: Normaliser | None = None

    def __len__(self) -> int:
        return len(self.count)

    @property
    def width(self) -> int:
        """Values of a frame."""
        return self.values.shape[1]

    def windows(
        self, rows: Int[Tensor, " N"], first: Int[Tensor, " N"], size: int
    ) -> tuple[Float[Tensor, "N size d"], Int[Tensor, " N"]]:
        """Cut one window from each of some utterances.

        Args:
            rows: which utterance.
            first: its first frame, below the utterance's number of frames.
            size: frames of the window.

        Returns:
            Windows, the last real frame repeated where the utterance ends early, and their real
            frames.
        """
        places, lengths = window_places(self.start[rows], self.count[rows], first, size)
        chosen = self.values.index_select(0, places.flatten())
        if self._normaliser is not None:
            chosen = self._normaliser(chosen.float())
        return chosen.unflatten(0, places.shape), lengths

    def normalise(self, normaliser: Normaliser) -> None:
        """Normalise all frames in place; those in float16, which are many, window by window."""
        if self.values.dtype == torch.float16:
            self._normaliser = normaliser
        else:
            self.values = normaliser(self.values.float())

    def place(self, device: torch.device) -> Self:
        """Move the frames to ``device``, so that windows are cut there."""
        self.values = self.values.to(device)
        self.count = self.count.to(device)
        self.start = self.start.to(device)
        return self


def _copied(frames: Frames, ids: Sequence[str]) -> tuple[Array, NDArray[np.int64]]:
    """Frames of some utterances end to end, and how many each has."""
    place = {utterance: n for n, utterance in enumerate(frames.ids)}
    chosen = np.array([place[utterance] for utterance in ids], dtype=np.int64)
    start, count = frames.start[chosen], frames.count[chosen]
    pieces = (np.arange(s, s + c) for s, c in zip(start, count, strict=True))
    rows = np.concatenate([np.empty(0, np.int64), *pieces])
    return np.ascontiguousarray(frames.values[rows]), count


def window_places(
    start: Int[Tensor, " N"],
    count: Int[Tensor, " N"],
    first: Int[Tensor, " N"],
    size: int,
) -> tuple[Int[Tensor, "N size"], Int[Tensor, " N"]]:
    """Rows of the frames of one window of each utterance, and how many of them are real.

    Args:
        start: each utterance's first row.
        count: its frames.
        first: the window's first frame within it.
        size: frames of the window; beyond the utterance's end the last real one is repeated.
    """
    lengths = (count - first).clamp(1, size)
    offsets = torch.minimum(torch.arange(size, device=first.device)[None, :], lengths[:, None] - 1)
    return (start + first)[:, None] + offsets, lengths


class TrainingFrames(FrameReader):
    """Frames of a training partition: what may be fitted on. ``Frames.fitting`` gives them."""


class EvaluationFrames(FrameReader):
    """Frames that a finished model runs on. No fit takes them: they are of another type."""


@dataclass(frozen=True)
class Normaliser:
    """Mean and deviation of each value of a frame over a training partition.

    Or, of ``normalise = "range"``, the least value and how much greater the greatest is.
    """

    mean: Float[Tensor, " mels"]
    deviation: Float[Tensor, " mels"]

    @classmethod
    def fit(cls, frames: TrainingFrames, normalise: str = "partition") -> Normaliser:
        """Fit on the frames of a training partition, every frame with the same weight.

        What ``normalise``, of the front end, does not fit is left as it is.
        """
        if normalise == "none":
            return cls.none(frames.width)
        if normalise == "range":
            middle, greatest = (each.double() for each in torch.aminmax(frames.values, dim=0))
            spread = greatest - middle
        elif frames.values.dtype == torch.float16:
            middle, spread = _moments(frames.values)
        else:
            spread, middle = torch.std_mean(frames.values.double(), dim=0, correction=0)
        if frames.rate_hz and normalise != "range":
            return cls(middle.float(), spread.clamp_min(1e-3).float())
        # Values of a row have scales of their own; what never varies is left at 0.
        constant = spread <= 1e-6 * middle.abs()
        return cls(middle.float(), torch.where(constant, 1.0, spread).float())

    @classmethod
    def none(cls, width: int) -> Normaliser:
        """One that leaves frames of ``width`` values as they are."""
        return cls(torch.zeros(width), torch.ones(width))

    @cached_property
    def _leaves_all(self) -> bool:
        """Whether it is ``none``: frames of an encoder are many, and a copy of them takes time."""
        return not bool(self.mean.any()) and bool((self.deviation == 1.0).all())

    def __call__(self, frames: Float[Tensor, "*rows mels"]) -> Float[Tensor, "*rows mels"]:
        """The same, in units of the training partition's deviation from its mean."""
        if self._leaves_all:
            return frames
        return (frames - self.mean.to(frames.device)) / self.deviation.to(frames.device)


def _moments(values: Float[Tensor, "total d"]) -> tuple[Float[Tensor, " d"], Float[Tensor, " d"]]:
    """Mean and deviation in double precision, block by block: all at once can be gigabytes."""
    total = squares = torch.zeros((), dtype=torch.float64, device=values.device)
    for block in values.split(BLOCK_FRAMES):
        exact = block.double()
        total, squares = total + exact.sum(dim=0), squares + exact.square().sum(dim=0)
    mean = total / len(values)
    return mean, (squares / len(values) - mean.square()).clamp_min(0.0).sqrt()


def window_size(speech: Frames | FrameReader, segments: SegmentSettings) -> int:
    """Frames of a window; of utterances that are one window each, of the longest."""
    if speech.whole:
        return int(speech.count.max())
    return round(segments.window_s * speech.rate_hz)


def middle(count: Int[Tensor, " N"], size: int) -> Int[Tensor, " N"]:
    """The first frame of the window of ``size`` frames in the middle of ``count``."""
    return (count - size).clamp_min(0) // 2


def speech_frames(table: Speech, front_end: FrontEnd, cache: Path, advance: Advance) -> Frames:
    """Frames of every utterance, from the cache or computed and kept there.

    Whatever stops the computation, the frames that there are by then are kept; it then goes on
    after them. Processes that want the same frames at the same time wait for one to compute them.

    ``(total, d)`` float32, or float16 where the front end is ``half``; with
    ``normalise="utterance"`` each utterance's mean of each value is taken off.

    Args:
        table: the corpus, or unlabelled audio.
        front_end: whose frames.
        cache: root of the cache.
        advance: told of every utterance.

    Raises:
        CorpusError: an audio file can no longer be read, or is another than it was.
        StoreError: the cache cannot be written.
        TeacherError: the weights of a model that the front end runs cannot be had.
    """
    recipe = {"version": VERSION, "corpus": table.digest, **identity_of(front_end)}
    key = name_digest(json.dumps(recipe, sort_keys=True), 24)
    files = FrameFiles(kind_folder(cache, "features") / key)
    total = len(table.utterances)
    if (kept := files.read(total)) is None:
        with making(files.path):
            if (kept := files.read(total)) is None:
                _extract(table, front_end, files, advance)
                kept = files.written(total)
    advance(total, total)
    values, count = kept
    ids = tuple(utterance.id for utterance in table.utterances)
    return frames_by(front_end, ids, values, count, key)


def frames_by(
    front_end: FrontEnd, ids: tuple[str, ...], values: Array, count: NDArray[np.int64], digest: str
) -> Frames:
    """Frames that a front end gave: ``values (total, d)``, ``count (U,)`` of each utterance."""
    framing = front_end.framing
    return Frames(
        ids,
        values,
        np.cumsum(count) - count,
        count,
        rate_hz=0.0 if framing is None else 1.0 / framing.hop_s,
        digest=digest,
        channels=front_end.channels,
        whole=hears_whole(framing),
    )


def _extract(table: Speech, front_end: FrontEnd, files: FrameFiles, advance: Advance) -> None:
    """Compute the frames that the cache does not have, and add them to those that it has."""
    extract = Extractor(front_end)
    begun = files.read()
    first = len(begun[1]) if begun else 0
    left = table.utterances[first:]
    pieces: list[Array] = []
    try:
        # A model has threads of its own.
        each_of = in_threads if front_end.card is None else map
        for piece in each_of(lambda each: extract(heard(each)), left):
            pieces.append(piece)
            advance(first + len(pieces), len(table.utterances))
    finally:
        if pieces:
            files.write(begun, pieces)


def student_input(
    frames: Float[Tensor, "N frames d"], lengths: Int[Tensor, " N"], channels: int = 3
) -> Float[Tensor, "N channels d frames"]:
    """Normalised windows to what a student reads, padding at 0.

    Args:
        frames: the last real frame repeated beyond ``lengths``, so that the deltas at a window's
            end do not depend on how far it is padded.
        lengths: real frames.
        channels: 3, static, Δ and ΔΔ; 1, the frames alone. See ``FrontEnd.channels``.

    Returns:
        Of three channels, in channels-last memory. Δ is the regression over ±2 frames
        (HTK book, Eq. 5.16), scaled so that the three channels have similar deviations.
    """
    at = torch.arange(frames.shape[1], device=lengths.device)[None, :, None]
    real = at < lengths[:, None, None]  # (N, frames, 1)
    if channels == 1:
        return (frames * real).transpose(1, 2)[:, None]
    last = (lengths - 1)[:, None, None].expand(-1, 1, frames.shape[2])
    first = _delta(frames)
    second = _delta(torch.where(real, first, first.gather(1, last)))
    # Written straight into channels-last memory: (N, n_mels, frames, 3).
    rows, size, bins = frames.shape
    stacked = frames.new_empty(rows, bins, size, 3)
    for channel, (values, scale) in enumerate(((frames, 1.0), (first, 3.0), (second, 6.0))):
        torch.mul(values, real * scale, out=stacked[..., channel].transpose(1, 2))
    return stacked.permute(0, 3, 1, 2)


def _delta(x: Float[Tensor, "N frames mels"]) -> Float[Tensor, "N frames mels"]:
    """Regression slope over five frames, ends repeated."""
    padded = torch.cat([x[:, :1], x[:, :1], x, x[:, -1:], x[:, -1:]], dim=1)
    slope = padded[:, 4:] - padded[:, :-4]
    return slope.mul_(2.0).add_(padded[:, 3:-1]).sub_(padded[:, 1:-3]).mul_(0.1)
