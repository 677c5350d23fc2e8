"""Frames of the whole corpus, the normaliser, windows as tensors.

Everything that is fitted takes ``TrainingFrames``, which only a view of a training partition gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from serbench.learning.frame_map import MappedRows
from serbench.protocol.guard.view import PartitionView
from serbench.settings import SegmentSettings

if TYPE_CHECKING:
    from jaxtyping import Float, Int

RESIDENT_BYTES = 256 * 1024 * 1024
"""Most bytes of frames that a reader copies into memory; more are read from the map by windows."""

BLOCK_FRAMES = 8_192
"""Number of frames whose moments are computed at once."""

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Frames:
    """Frames of every utterance of a corpus, end to end in one array.

    Attributes:
        ids: utterances in the order of the array.
        values: float32 or float16, usually a read-only memory map.
        start: first frame of each utterance.
        count: number of frames of each utterance.
        rate_hz: frames per second; 0 if an utterance has a single row.
        digest: digest of everything that the frames were computed from.
        channels: number of channels that a student reads of them, see ``student_input``.
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
        """The frames of a training partition, in the order of ``view.ids``, to fit ``what`` on.

        ``others``, the frames of other crops of the same utterances, follow in the same order.

        Raises:
            LeakageError: L6, a partition that nothing may be fitted on.
        """
        view.record(what, view.ids)
        return TrainingFrames(self, view.ids, *others)

    def evaluation(self, ids: Sequence[str]) -> EvaluationFrames:
        """The frames of ``ids`` in their order, without labels, for a finished model to run on."""
        return EvaluationFrames(self, ids)


class FrameReader:
    """Frames of some utterances, addressed by their position 0 … n-1 and cut to windows.

    Up to ``RESIDENT_BYTES`` of frames are copied, so that a fit has no other frames in memory. If
    there are more, only windows are read, from the map that all fits share.

    Args:
        frames: frames of the whole corpus.
        ids: the n utterances.
        others: frames of other crops of the same utterances, at positions n … 2n-1, and so on.

    Attributes:
        values: the frames end to end, if they are in memory; None: they are read from the map.
        count: number of frames of each utterance.
    """

    def __init__(self, frames: Frames, ids: Sequence[str], *others: Frames) -> None:
        sources = (frames, *others)
        places = [_places(each, ids) for each in sources]
        start, count = (np.concatenate(each) for each in zip(*places, strict=True))
        self.count = torch.from_numpy(count)
        self.rate_hz = frames.rate_hz
        self.whole = frames.whole
        self.values: Tensor | None = None
        self._changes: list[Callable[[Tensor], Tensor]] = []
        self._device = torch.device("cpu")
        width = frames.values.shape[1]
        if int(count.sum()) * width * frames.values.itemsize <= RESIDENT_BYTES:
            copies = [_copied(each, *own) for each, own in zip(sources, places, strict=True)]
            self.values = torch.from_numpy(np.concatenate(copies) if others else copies[0])
            start = np.cumsum(count) - count
        else:
            self._map = MappedRows([each.values for each in sources])
            self._source = torch.arange(len(sources)).repeat_interleave(len(ids))
            self._length = self.count
        self.start = torch.from_numpy(start)
        self._width = width

    def __len__(self) -> int:
        return len(self.count)

    @property
    def width(self) -> int:
        """Number of values of a frame."""
        return self._width

    def windows(
        self, rows: Int[Tensor, " N"], first: Int[Tensor, " N"], size: int
    ) -> tuple[Float[Tensor, "N size d"], Int[Tensor, " N"]]:
        """Cut one window from each of some utterances.

        Args:
            rows: the position of each window's utterance.
            first: the window's first frame, below the utterance's number of frames.
            size: number of frames of the window.

        Returns:
            The windows, and the number of real frames of each. If the utterance ends early, its
            last real frame is repeated.
        """
        if self.values is None:
            rows, first = rows.cpu(), first.cpu()
            count = self._length
        else:
            count = self.count
        places, lengths = window_places(self.start[rows], count[rows], first, size)
        if self.values is None:
            chosen = self._read(self._source[rows].repeat_interleave(size), places.flatten())
            lengths = lengths.to(self._device)
        else:
            chosen = self.values.index_select(0, places.flatten())
        return self._changed(chosen).unflatten(0, places.shape), lengths

    def blocks(self) -> Iterator[Float[Tensor, "n d"]]:
        """All frames in their order, ``BLOCK_FRAMES`` at a time."""
        if self.values is not None:
            yield from map(self._changed, self.values.split(BLOCK_FRAMES))
            return
        begin = torch.cumsum(self._length, 0) - self._length
        for number in range(0, int(self._length.sum()), BLOCK_FRAMES):
            at = torch.arange(number, min(number + BLOCK_FRAMES, int(self._length.sum())))
            row = torch.searchsorted(begin, at, right=True) - 1
            chosen = self._read(self._source[row], self.start[row] + at - begin[row])
            yield self._changed(chosen)

    def change(self, function: Callable[[Tensor], Tensor]) -> None:
        """Apply ``function`` to all frames: now, or when they are read from the map."""
        if self.values is None:
            self._changes.append(function)
            self._width = next(self.blocks()).shape[1]
        else:
            self.values = function(self.values)
            self._width = self.values.shape[1]

    def normalise(self, normaliser: Normaliser) -> None:
        """Normalise all frames: now, or window by window if they are in float16 or in the map."""
        if self.values is not None and self.values.dtype == torch.float16:
            self._changes.append(lambda frames: normaliser(frames.float()))
        else:
            self.change(lambda frames: normaliser(frames.float()))

    def place(self, device: torch.device) -> Self:
        """Move the frames to ``device`` and cut windows there; from the map, move only windows."""
        self._device = device
        self.count = self.count.to(device)
        if self.values is not None:
            self.values = self.values.to(device)
            self.start = self.start.to(device)
        return self

    def _read(self, source: Int[Tensor, " n"], places: Int[Tensor, " n"]) -> Float[Tensor, "n d"]:
        found = self._map.rows(source.numpy(), places.numpy())
        return torch.from_numpy(found).to(self._device)

    def _changed(self, frames: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        for function in self._changes:
            frames = function(frames)
        return frames


def _places(frames: Frames, ids: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First frame and number of frames of each of some utterances."""
    place = {utterance: n for n, utterance in enumerate(frames.ids)}
    chosen = np.array([place[utterance] for utterance in ids], dtype=np.int64)
    return frames.start[chosen], frames.count[chosen]


def _copied(frames: Frames, start: NDArray[np.int64], count: NDArray[np.int64]) -> Array:
    """Frames of some utterances end to end."""
    pieces = (np.arange(s, s + c) for s, c in zip(start, count, strict=True))
    rows = np.concatenate([np.empty(0, np.int64), *pieces])
    return np.ascontiguousarray(frames.values[rows])


def window_places(
    start: Int[Tensor, " N"],
    count: Int[Tensor, " N"],
    first: Int[Tensor, " N"],
    size: int,
) -> tuple[Int[Tensor, "N size"], Int[Tensor, " N"]]:
    """Rows of the frames of one window of each utterance, and how many of them are real.

    Args:
        start: each utterance's first row.
        count: each utterance's number of frames.
        first: the window's first frame within the utterance.
        size: frames of the window; beyond the utterance's end the last real one is repeated.
    """
    lengths = (count - first).clamp(1, size)
    offsets = torch.minimum(torch.arange(size, device=first.device)[None, :], lengths[:, None] - 1)
    return (start + first)[:, None] + offsets, lengths


class TrainingFrames(FrameReader):
    """Frames of a training partition, which models may be fitted on; see ``Frames.fitting``."""


class EvaluationFrames(FrameReader):
    """Frames that a finished model runs on. No fit takes them: they are of another type."""


@dataclass(frozen=True)
class Normaliser:
    """Mean and deviation of each value of a frame over a training partition.

    With ``normalise = "range"``: the least value, and the greatest value minus the least.
    """

    mean: Float[Tensor, " mels"]
    deviation: Float[Tensor, " mels"]

    @classmethod
    def fit(cls, frames: TrainingFrames, normalise: str = "partition") -> Normaliser:
        """Fit on the frames of a training partition, every frame with the same weight.

        With ``normalise = "none"``, values stay as they are.
        """
        if normalise == "none":
            return cls.none(frames.width)
        values = frames.values
        if normalise == "range":
            extremes = [torch.aminmax(block, dim=0) for block in frames.blocks()]
            middle = torch.stack([each.min for each in extremes]).amin(dim=0).double()
            greatest = torch.stack([each.max for each in extremes]).amax(dim=0).double()
            spread = greatest - middle
        elif values is None or values.dtype == torch.float16:
            middle, spread = moments(frames.blocks())
        else:
            spread, middle = torch.std_mean(values.double(), dim=0, correction=0)
        if frames.rate_hz and normalise != "range":
            return cls(middle.float(), spread.clamp_min(1e-3).float())
        # Each value of a row has its own scale; a value that never varies becomes 0.
        constant = spread <= 1e-6 * middle.abs()
        return cls(middle.float(), torch.where(constant, 1.0, spread).float())

    @classmethod
    def none(cls, width: int) -> Normaliser:
        """A normaliser that leaves frames of ``width`` values as they are."""
        return cls(torch.zeros(width), torch.ones(width))

    @cached_property
    def _leaves_all(self) -> bool:
        """Whether it changes nothing, as ``none``: copying an encoder's many frames takes time."""
        return not bool(self.mean.any()) and bool((self.deviation == 1.0).all())

    def __call__(self, frames: Float[Tensor, "*rows mels"]) -> Float[Tensor, "*rows mels"]:
        """The frames minus the mean, divided by the deviation."""
        if self._leaves_all:
            return frames
        return (frames - self.mean.to(frames.device)) / self.deviation.to(frames.device)


def moments(
    blocks: Iterable[Float[Tensor, "n d"]],
) -> tuple[Float[Tensor, " d"], Float[Tensor, " d"]]:
    """Mean and deviation in double precision, block by block: all frames can be gigabytes."""
    total = squares = torch.zeros((), dtype=torch.float64)
    count = 0
    for block in blocks:
        exact = block.double()
        total, squares = (
            total.to(exact.device) + exact.sum(dim=0),
            squares.to(exact.device) + exact.square().sum(dim=0),
        )
        count += len(block)
    mean = total / count
    return mean, (squares / count - mean.square()).clamp_min(0.0).sqrt()


def window_size(speech: Frames | FrameReader, segments: SegmentSettings) -> int:
    """Frames of a window; if each utterance is one window, frames of the longest."""
    if speech.whole:
        return int(speech.count.max())
    return round(segments.window_s * speech.rate_hz)


def middle(count: Int[Tensor, " N"], size: int) -> Int[Tensor, " N"]:
    """First frame of a window of ``size`` frames in the middle of ``count`` frames."""
    return (count - size).clamp_min(0) // 2


def student_input(
    frames: Float[Tensor, "N frames d"], lengths: Int[Tensor, " N"], channels: int = 3
) -> Float[Tensor, "N channels d frames"]:
    """Turn normalised windows into a student's input, in which padding is 0.

    Args:
        frames: the last real frame repeated beyond ``lengths``, so that the deltas at a window's
            end do not depend on how far it is padded.
        lengths: number of real frames.
        channels: 3: static, Δ and ΔΔ; 1: the frames alone. See ``FrontEnd.channels``.

    Returns:
        Three channels are in channels-last memory. Δ is the regression over ±2 frames
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
    """Regression slope over five frames; the first and last frames are repeated at the ends."""
    padded = torch.cat([x[:, :1], x[:, :1], x, x[:, -1:], x[:, -1:]], dim=1)
    slope = padded[:, 4:] - padded[:, :-4]
    return slope.mul_(2.0).add_(padded[:, 3:-1]).sub_(padded[:, 1:-3]).mul_(0.1)
