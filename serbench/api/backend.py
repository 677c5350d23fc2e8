"""What a backend plugin is: another way to run a trained student."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from serbench.api.params import Plugin
from serbench.errors import PluginError

if TYPE_CHECKING:  # a backend that runs without torch is not to wait for it
    from torch import Tensor, nn

Predictor: TypeAlias = "Callable[[Tensor, Tensor], Tensor]"
"""``predictor(features (N, channels, n_mels, frames), lengths (N,)) -> logits (N, C)``."""

Waveforms = NDArray[np.float32]

WaveformPredictor = Callable[[Waveforms], NDArray[np.float32]]
"""``predict(waveforms (N, samples)) -> posteriors (N, C)``: 16 kHz float32 in, rows of one length;
any N from 1 on, any length from 0.1 s on. Posteriors are float32 and sum to 1."""


class DeployedModel(Protocol):
    """A trained student with its front end and normaliser, as a backend gets it to convert.

    It lies in a folder, so that a fresh process can open it. A student hears an utterance in
    windows; the posterior of an utterance is the mean of its windows'.
    """

    @property
    @abstractmethod
    def labels(self) -> tuple[str, ...]:
        """The C classes, in the order of the posteriors."""
        ...

    @property
    @abstractmethod
    def onnx(self) -> Path:
        """The graph that is shipped, fp32: ``waveform (N, samples)`` to ``posteriors (N, C)``.

        N and samples are dynamic; cutting into windows and the mean over them are inside. Nodes
        of the front end have names that begin with ``frontend/``, tables of it in ``window_onnx``
        such that begin with ``frontend.``; they must stay in fp32.
        """
        ...

    @property
    @abstractmethod
    def window_samples(self) -> int:
        """S: samples of one whole window, with the margin that its first and last frame reach."""
        ...

    @abstractmethod
    def module(self) -> nn.Module:
        """A fresh torch module in evaluation mode, ``(N, samples)`` to ``(N, C)``, as ``onnx``.

        Its ``student`` is the network.
        """
        ...

    @abstractmethod
    def window_module(self) -> nn.Module:
        """A fresh torch module in evaluation mode for runtimes with fixed shapes.

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
        """Training-side utterances, each ``(samples,)``, to calibrate a quantization on."""
        ...


class Backend(Plugin, Protocol):
    """A deployment backend plugin: a runtime in one precision."""

    def unavailable(self) -> str | None:
        """None where it can run here, else the reason in a few words.

        It must answer without loading a model, and never raises.
        """
        return None

    @property
    def precision(self) -> str:
        """What weights and arithmetic are kept in, for a table: ``fp32``, ``int8 dynamic``, …"""
        return "fp32"

    @property
    def device(self) -> str:
        """``cpu`` or ``cuda``: the column of the deployment table that its times stand in."""
        return "cpu"

    @abstractmethod
    def convert(self, model: DeployedModel, folder: Path) -> None:
        """Write into the (new, empty) ``folder`` all that ``open`` needs of the model.

        The size of these files is the model's size in the deployment table.

        Raises:
            PluginError: the runtime cannot express this model; the message says why.
        """
        ...

    @abstractmethod
    def open(self, model: DeployedModel, folder: Path, threads: int) -> WaveformPredictor:
        """Load what ``convert`` wrote, in a process of its own, to run with so many threads.

        Never unpickles. A runtime that would fall back to another device or provider than
        this backend is named for raises instead.

        Raises:
            PluginError: it cannot be loaded, or would fall back.
        """
        ...

    def compile(self, student: nn.Module, features: Tensor, lengths: Tensor) -> Predictor:
        """Make ``student`` ready to score folds within a run, in the run's own process.

        Only the backend that runs take their scores through needs it.

        Args:
            student: a network.
            features: ``(N, channels, n_mels, frames)``, an example batch.
            lengths: ``(N,)`` int64, its real frames.

        Raises:
            PluginError: this backend runs converted models only.
        """
        raise PluginError(
            f"{self.name} runs converted models, not students within a run; serbench deploy "
            "measures it"
        )
