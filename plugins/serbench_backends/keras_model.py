"""Keras 3 on TensorFlow: the exported graph as a Keras model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from serbench.api import Backend, DeployedModel, Params, WaveformPredictor, Waveforms
from serbench_backends import tensorflow_runtime
from serbench_backends.failures import converting, opening
from serbench_backends.packages import imported, missing
from serbench_backends.windowed import over_windows

FILE = "model.keras"


class KerasParams(Params):
    """Nothing to choose."""


class KerasBackend(Backend):
    """A ``.keras`` file, which Keras' own prediction function runs."""

    name = "keras"
    Params = KerasParams
    params: KerasParams

    def unavailable(self) -> str | None:
        """See ``Backend``."""
        return missing("Keras", "keras", {"keras": "the runtime", "tensorflow": "the backend"})

    def convert(self, model: DeployedModel, folder: Path) -> None:
        """See ``Backend``. After a conversion, the process runs with one thread."""
        from onnx import load

        tensorflow_runtime.keras(threads=1)
        layers = imported("serbench_backends.keras_layers")
        graph = load(model.window_onnx).graph
        with converting("Keras"):
            layers.keras_model(graph).save(folder / FILE)

    def open(self, model: DeployedModel, folder: Path, threads: int) -> WaveformPredictor:
        """See ``Backend``."""
        keras = tensorflow_runtime.keras(threads)
        imported("serbench_backends.keras_layers")  # registers the layer that the file uses
        with opening("Keras"):
            network = keras.saving.load_model(folder / FILE, compile=False, safe_mode=True)

        def predict(window: Waveforms, length: NDArray[np.int64]) -> NDArray[np.float32]:
            return network.predict_on_batch([window, length])

        return over_windows(model, predict)
