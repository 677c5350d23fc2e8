"""The backend ``placeholder``: how a student is converted, and how it is run."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from serbench.api import Backend, DeployedModel, Params, WaveformPredictor, Waveforms

FILE = "model.onnx"


class PlaceholderParams(Params):
    """What the registry can set; this backend has nothing to set."""


class Placeholder(Backend):
    """ONNX Runtime on a CPU, without its optimisation of graphs."""

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
        """For the table of ``serbench deploy``."""
        return "fp32"

    # TODO: put your runtime in place of ONNX Runtime, here and in open.
    def convert(self, model: DeployedModel, folder: Path) -> None:
        """Write all that ``open`` needs into an empty folder; what it holds is the model's size."""
        shutil.copyfile(model.onnx, folder / FILE)

    def open(self, model: DeployedModel, folder: Path, threads: int) -> WaveformPredictor:
        """A function from waveforms ``(N, samples)`` to posteriors ``(N, C)``.

        It runs in a process of its own, whose start is timed: everything is imported late.
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
