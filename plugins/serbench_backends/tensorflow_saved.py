"""TensorFlow: the exported graph as a SavedModel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serbench.api import Backend, DeployedModel, Params, WaveformPredictor, Waveforms
from serbench_backends import tensorflow_runtime
from serbench_backends.failures import converting, opening
from serbench_backends.onnx_steps import read_steps
from serbench_backends.packages import imported, missing
from serbench_backends.windowed import over_windows


class TensorFlowParams(Params):
    """Nothing to choose."""


class TensorFlowBackend(Backend):
    """A SavedModel with the weights as constants, so that TensorFlow can rearrange them."""

    name = "tensorflow"
    Params = TensorFlowParams
    params: TensorFlowParams

    def unavailable(self) -> str | None:
        """See ``Backend``."""
        packages = {"tensorflow": "the runtime", "keras": "the converter"}
        return missing("TensorFlow", "tensorflow", packages)

    def convert(self, model: DeployedModel, folder: Path) -> None:
        """See ``Backend``. After a conversion, the process runs with one thread."""
        from onnx import load

        tf = tensorflow_runtime.tensorflow(threads=1)
        tensorflow_runtime.keras(threads=1)
        operations = imported("serbench_backends.keras_operations")
        graph = load(model.window_onnx).graph
        steps = read_steps(graph)
        operations.check(steps)

        def forward(window: Any, length: Any) -> Any:
            names = [each.name for each in graph.input]
            values = dict(zip(names, (window, length), strict=True))
            for step in steps:
                variables = [values[name] for name in step.variables.values()]
                outputs = operations.run(step, variables, step.constants)
                values |= zip(step.outputs, outputs, strict=True)
            return {"posteriors": values[graph.output[0].name]}

        signature = [
            tf.TensorSpec((1, model.window_samples), tf.float32, "window"),
            tf.TensorSpec((1,), tf.int64, "length"),
        ]
        with converting("TensorFlow"):
            module = tf.Module()
            module.forward = tf.function(forward, input_signature=signature, autograph=False)
            tf.saved_model.save(module, str(folder), signatures=module.forward)

    def open(self, model: DeployedModel, folder: Path, threads: int) -> WaveformPredictor:
        """See ``Backend``."""
        tf = tensorflow_runtime.tensorflow(threads)
        with opening("TensorFlow"):
            signatures = tf.saved_model.load(str(folder)).signatures
            forward = signatures["serving_default"]  # keeps its graph alive; there are no variables

        def predict(window: Waveforms, length: NDArray[np.int64]) -> NDArray[np.float32]:
            result = forward(window=tf.constant(window), length=tf.constant(length))
            return result["posteriors"].numpy()

        return over_windows(model, predict)
