"""Backend plugins: other ways to run a trained student."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from serbench.api.params import Plugin
from serbench.errors import PluginError

if TYPE_CHECKING:  # so that backends that need no torch start faster
    from torch import Tensor, nn

Predictor: TypeAlias = "Callable[[Tensor, Tensor], Tensor]"
"""``predictor(features (N, channels, n_mels, frames), lengths (N,)) -> logits (N, C)``."""

Waveforms = NDArray[np.float32]

WaveformPredictor = Callable[[Waveforms], NDArray[np.float32]]
"""``predict(waveforms (N, samples)) -> posteriors (N, C)``: 16 kHz float32 in, rows of one length;
N is 1 or more, each row lasts 0.1 s or more. Posteriors are float32 and sum to 1.
"""


class DeployedModel(Protocol):
    """A trained student with its front end and normaliser, for a backend to convert.

    It is stored in a folder, so that a new process can open it. A student receives an utterance in
    windows; the utterance's posterior is the mean of its windows' posteriors.
    """

    @property
    @abstractmethod
    def labels(self) -> tuple[str, ...]:
        """The C classes, in the order of the posteriors."""
        ...

    @property
    @abstractmethod
    def onnx(self) -> Path:
        """The exported fp32 graph: ``waveform (N, samples)`` to ``posteriors (N, C)``.

        N and samples are dynamic; the graph cuts windows and averages over them. Names of the front
        end's nodes begin with ``frontend/``, names of its tables in ``window_onnx`` with
        ``frontend.``. Both must stay in fp32.
        """
        ...

    @property
    @abstractmethod
    def window_samples(self) -> int:
        """S: samples of one whole window, with the margin of its first and last frames."""
        ...

    @abstractmethod
    def module(self) -> nn.Module:
        """A new torch module in evaluation mode, ``(N, samples)`` to ``(N, C)``, as ``onnx``.

        Its attribute ``student`` is the network.
        """
        ...

    @abstractmethod
    def window_module(self) -> nn.Module:
        """A new torch module in evaluation mode for runtimes with fixed shapes.

        ``forward(windows (W, S), lengths (W,) int64)`` gives posteriors ``(W, C)``; ``lengths``
        are the real frames of each window.

        Raises:
            PluginError: the front end needs a whole utterance (``normalise = "utterance"``).
        """
        ...

    @property
    @abstractmethod
    def window_onnx(self) -> Path:
        """``window_module`` for W = 1 as a graph with fixed shapes: ``window (1, S)`` float32 and
        ``length (1,)`` int64 to ``posteriors (1, C)``.

        Raises:
            PluginError: as ``window_module``.
        """
        ...

    @abstractmethod
    def windows(self, waveform: Waveforms) -> tuple[Waveforms, NDArray[np.int64]]:
        """Cut ``(samples,)`` for ``window_module``: ``(W, S)`` and the real frames ``(W,)``."""
        ...

    @abstractmethod
    def calibration(self) -> Sequence[Waveforms]:
        """Utterances of the training partition, each ``(samples,)``, for the calibration of a
        quantization.
        """
        ...


class Backend(Plugin, Protocol):
    """A deployment backend plugin: a runtime in one precision."""

    def unavailable(self) -> str | None:
        """None if the backend can run here, else the reason in a few words.

        It must answer without loading a model, and must not raise.
        """
        return None

    @property
    def precision(self) -> str:
        """Precision of weights and arithmetic, for a table: ``fp32``, ``int8 dynamic``, …"""
        return "fp32"

    @property
    def device(self) -> str:
        """``cpu`` or ``cuda``: the column of its latency in the deployment table."""
        return "cpu"

    @abstractmethod
    def convert(self, model: DeployedModel, folder: Path) -> None:
        """Write everything that ``open`` needs of the model into ``folder``, which is new and
        empty.

        The size of these files is the model's size in the deployment table.

        Raises:
            PluginError: the runtime cannot express this model; the message says why.
        """
        ...

    @abstractmethod
    def open(self, model: DeployedModel, folder: Path, threads: int) -> WaveformPredictor:
        """Load what ``convert`` wrote, in a process of its own, to run with ``threads`` threads.

        It must not unpickle. It raises if the runtime would fall back to another device or provider
        than the one that this backend is named for.

        Raises:
            PluginError: the model cannot be loaded, or the runtime would fall back.
        """
        ...

    def compile(self, student: nn.Module, features: Tensor, lengths: Tensor) -> Predictor:
        """Prepare ``student`` for scoring folds within a run, in the run's own process.

        Only needed by a backend that a run computes its scores with.

        Args:
            student: a network.
            features: ``(N, channels, n_mels, frames)``, an example batch.
            lengths: ``(N,)`` int64, its real frames.

        Raises:
            PluginError: this backend runs converted models only.
        """
        raise PluginError(
            f"{self.name} runs converted models, not students within a run; measure it with "
            "serbench deploy"
        )
