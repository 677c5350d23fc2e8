"""Batches of unlabelled audio for pretrainings and fits, read from the disk window by window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from serbench.api import Batch
from serbench.learning.features import Frames, Normaliser, window_places, window_size
from serbench.learning.fit.batches import Batches, TeacherSources
from serbench.learning.fit.task import FitTask, PretrainTask

SAMPLED_FRAMES = 200_000
"""Means and deviations are computed over about this many frames, evenly spread."""

BLOCK_FRAMES = 8_192
"""Frames whose layers are mixed at once when means and deviations are computed."""

NO_LABEL = -1
"""Label in a batch without labels: code that uses it as a class fails."""


class DiskFrames:
    """Frames on the disk, of which only windows are read.

    Args:
        frames: frames of unlabelled audio; each row has all layers end to end.
        layers: L; no layer weights have been learnt yet, so the mean of the layers is used.
        device: device that windows are moved to.
        normaliser: scales frames; None: one that gives them mean 0 and deviation 1.
    """

    def __init__(
        self,
        frames: Frames,
        device: torch.device,
        layers: int = 1,
        normaliser: Normaliser | None = None,
    ) -> None:
        self.frames = frames
        self.device = device
        self.layers = layers
        self.count = torch.from_numpy(frames.count)
        self.rate_hz = frames.rate_hz
        self.normaliser = normaliser or self._normaliser()

    @property
    def width(self) -> int:
        """Number of values of a frame, layers mixed."""
        return len(self.normaliser.mean)

    def windows(self, rows: Tensor, first: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """As ``FrameReader.windows``, but scaled; ``rows`` and ``first`` are on the CPU."""
        start = torch.from_numpy(self.frames.start)[rows]
        places, lengths = window_places(start, self.count[rows], first, size)
        values = self._mixed(self.frames.values[places.flatten().numpy()])
        values = self.normaliser(values).unflatten(0, places.shape)
        return values.to(self.device), lengths.to(self.device)

    def _normaliser(self) -> Normaliser:
        """Mean and deviation over a sample, block by block: its layers can be gigabytes."""
        values = self.frames.values[:: max(1, len(self.frames.values) // SAMPLED_FRAMES)]
        total = squares = torch.zeros((), dtype=torch.float64)
        for first in range(0, len(values), BLOCK_FRAMES):
            block = self._mixed(np.array(values[first : first + BLOCK_FRAMES])).double()
            total, squares = total + block.sum(dim=0), squares + block.square().sum(dim=0)
        mean = total / len(values)
        deviation = (squares / len(values) - mean.square()).clamp_min(0.0).sqrt()
        return Normaliser(mean.float(), deviation.clamp_min(1e-3).float())

    def _mixed(self, values: NDArray[np.floating]) -> Tensor:
        """``(n, L · D)`` to ``(n, D)`` float32, the mean of the layers."""
        return torch.from_numpy(values).unflatten(1, (self.layers, -1)).float().mean(dim=1)


class DrawnBatches(Batches):
    """Windows of unlabelled audio, drawn in proportion to duration.

    Attributes:
        batch_size: number of windows of a batch.
    """

    batch_size: int
    speech: DiskFrames

    def epoch(self) -> Iterator[tuple[Tensor, Batch]]:
        """The batches of an epoch, in which a recording may occur more than once."""
        for rows, draw in self._draws(self.generator):
            yield rows, self._batch(rows, draw)

    def _draws(self, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """Recordings of each batch of an epoch, and each window's beginning as a share of the
        possible ones.
        """
        count = self.speech.frames.count
        share = torch.from_numpy(count / count.sum())
        for _ in range(self.per_epoch):
            rows = torch.multinomial(share, self.batch_size, replacement=True, generator=generator)
            # Double precision, because a recording may have more frames than float32 can count.
            yield rows, torch.rand(self.batch_size, generator=generator).double()


class UnlabelledBatches(DrawnBatches):
    """A fit's input besides its training partition: windows without a label, each with the soft
    targets of its recording.

    It has a generator of its own, so that the training windows are those of a fit without it.

    Args:
        task: the fit, whose ``unlabelled`` is the audio.
        normaliser: fitted on the training partition.
        windows: number of windows of each training batch. A batch of unlabelled windows has
            ``task.loss.unlabelled`` times as many, and at least two.
        size: frames of a window, as of a training window.
        per_epoch: batches of an epoch.
    """

    def __init__(
        self,
        task: FitTask,
        normaliser: Normaliser,
        windows: int,
        size: int,
        per_epoch: int,
        device: torch.device,
    ) -> None:
        assert task.unlabelled is not None
        assert task.loss is not None
        said = np.stack([t.unlabelled for t in task.teachers if t.unlabelled is not None])
        super().__init__(
            DiskFrames(task.unlabelled, device, normaliser=normaliser),
            normaliser,
            torch.full((len(task.unlabelled.count),), NO_LABEL, device=device),
            TeacherSources(torch.from_numpy(said).to(device)),
            task.settings,
            task.front_end,
            size,
            task.seed + 1,
        )
        self.batch_size = max(2, round(task.loss.unlabelled * windows))
        self.per_epoch = per_epoch

    def state_dict(self) -> Mapping[str, Any]:
        """See ``checkpoint.Stateful``."""
        return {"generator": self.generator.get_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See ``checkpoint.Stateful``."""
        self.generator.set_state(state["generator"])


class AudioBatches(DrawnBatches):
    """Batches of a pretraining; the windows of an epoch are together about as long as the audio."""

    def __init__(self, task: PretrainTask, device: torch.device) -> None:
        count, width = task.features.count, task.features.values.shape[1]
        raw = task.front_end.params.normalise == "none"
        speech = DiskFrames(
            task.features, device, normaliser=Normaliser.none(width) if raw else None
        )
        super().__init__(
            speech,
            speech.normaliser,
            torch.full((len(count),), NO_LABEL, device=device),
            TeacherSources(
                logits=torch.zeros(0, len(count), task.num_classes, device=device),
                frames=tuple(DiskFrames(t.frames, device, t.layers) for t in task.teachers),
            ),
            task.settings,
            task.front_end,
            window_size(task.features, task.settings.segments),
            task.seed,
        )
        self.batch_size = task.settings.pretrain.batch_size
        self.per_epoch = max(1, int(count.sum()) // self.size // self.batch_size)

    def taught(self, seed: int) -> Iterator[Batch]:
        """An epoch's batches without augmentation, with teachers' outputs; draws of ``seed``."""
        for rows, draw in self._draws(torch.Generator().manual_seed(seed)):
            yield self.taught_batch(rows, draw)

    def windows(self, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """An epoch's windows without augmentation; draws of ``seed``."""
        for rows, draw in self._draws(torch.Generator().manual_seed(seed)):
            yield self.plain(rows, draw)
