"""A backend that needs no PyTorch, and what can go wrong with it.

A worker imports this module, so nothing heavy is imported here.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime

from serbench.api import (
    Backend,
    DeployedModel,
    Params,
    PluginError,
    WaveformPredictor,
    Waveforms,
)

Mode = Literal[
    "plain", "flattened", "turned", "wrong", "refuses", "crashes", "falls back", "hangs",
    "crashes later", "missing",
]  # fmt: skip


class FakeParams(Params):
    mode: Mode = "plain"
    count: Path | None = None
    """A file that gets a line for each conversion and each opening."""
    device: Literal["cpu", "cuda"] = "cpu"


class FakeBackend(Backend):
    """The exported graph in ONNX Runtime, in one of several moods."""

    name = "fake"
    Params = FakeParams
    params: FakeParams

    @property
    def precision(self) -> str:
        return "fp32" if self.params.mode == "plain" else self.params.mode

    @property
    def device(self) -> str:
        return self.params.device

    def unavailable(self) -> str | None:
        return "there is none here" if self.params.mode == "missing" else None

    def convert(self, model: DeployedModel, folder: Path) -> None:
        self._note("convert")
        if self.params.mode == "refuses":
            raise PluginError("cannot express a mean")
        if self.params.mode == "crashes":
            os.kill(os.getpid(), signal.SIGSEGV)
        if self.params.mode == "hangs":
            time.sleep(600)
        shutil.copy(model.onnx, folder / "model.onnx")

    def open(self, model: DeployedModel, folder: Path, threads: int) -> WaveformPredictor:
        self._note("open")
        mode = self.params.mode
        if mode == "falls back":
            raise PluginError("it would run on the CPU instead")
        if mode == "flattened":
            print("hello from Python")
            ctypes.CDLL(None).puts(b"hello from C")
            os.write(1, b"hello from below\n")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(folder / "model.onnx", options)
        calls = []

        def predict(waveforms: Waveforms) -> Waveforms:
            calls.append(waveforms.shape)
            if mode == "crashes later" and len(waveforms) > 1:
                os.kill(os.getpid(), signal.SIGABRT)
            posteriors = np.asarray(session.run(None, {"waveform": waveforms})[0])
            if mode == "wrong":
                return posteriors * 3
            if mode == "flattened":
                return 0.9 * posteriors + 0.1 / posteriors.shape[1]
            return posteriors[:, ::-1] if mode == "turned" else posteriors

        return predict

    def _note(self, what: str) -> None:
        if self.params.count:
            with self.params.count.open("a") as stream:
                stream.write(f"{what}\n")
