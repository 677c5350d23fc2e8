"""The backend ``placeholder``: how it converts a student, and how it runs it."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from serbench.api import Backend, DeployedModel, Params, WaveformPredictor, Waveforms

FILE = "model.onnx"


class PlaceholderParams(Params):
    """Parameters of a registry entry; this backend has none."""


class Placeholder(Backend):
    """ONNX Runtime on a CPU, without graph optimisation."""

    name = "placeholder"
    Params = PlaceholderParams
    params: PlaceholderParams

    def unavailable(self) -> str | None:
        """Why it cannot run here, and what to do; None: it can."""
        if find_spec("onnxruntime") is None:
            return "onnxruntime is not installed: pip install onnxruntime"
        return None

    @property
    def precision(self) -> str:
        """Precision of the arithmetic, for the table of ``serbench deploy``."""
        return "fp32"

    # TODO: put your runtime in place of ONNX Runtime, here and in open.
    def convert(self, model: DeployedModel, folder: Path) -> None:
        """Write everything that ``open`` needs into an empty folder; its size is the model's."""
        shutil.copyfile(model.onnx, folder / FILE)

    def open(self, model: DeployedModel, folder: Path, threads: int) -> WaveformPredictor:
        """A function from waveforms ``(N, samples)`` to posteriors ``(N, C)``.

        It runs in a process of its own, whose start is timed, so packages are imported here.
        """
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(
            folder / FILE, options, providers=["CPUExecutionProvider"]
        )

        def predict(waveforms: Waveforms) -> NDArray[np.float32]:
            (posteriors,) = session.run(["posteriors"], {"waveform": waveforms})
            return np.asarray(posteriors)

        return predict
