"""LiteRT (formerly TensorFlow Lite), for phones and small boards, with its XNNPACK delegate."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from serbench.api import Backend, DeployedModel, Params, PluginError, WaveformPredictor, Waveforms
from serbench_backends.failures import converting, opening
from serbench_backends.packages import imported, missing, unusable
from serbench_backends.windowed import over_windows

FILE = "model.tflite"

RUNTIME = "ai_edge_litert.interpreter"

QUANTIZED = r"^(?!.*_frontend).*/"
"""Pattern of the operations to quantize, by the path of the module that they come from: those
inside a part of the model. Operations outside all parts are the front end, whose sums of squares
span more decades than eight bits can represent.
"""


class LiteRTParams(Params):
    """Precision of the student."""

    precision: Literal["fp32", "int8"] = "fp32"
    """``int8``: weights in int8 per channel, activations quantized at run time (dynamic range); the
    front end stays in fp32.
    """


class LiteRTBackend(Backend):
    """A ``.tflite`` file, made by litert-torch and run by ai-edge-litert."""

    name = "litert"
    Params = LiteRTParams
    params: LiteRTParams

    def unavailable(self) -> str | None:
        """See ``Backend``."""
        packages = {"ai_edge_litert": "the runtime", "litert_torch": "the converter"}
        if self.params.precision == "int8":
            packages["ai_edge_quantizer"] = "the quantizer"
        return missing("LiteRT", "litert", packages) or unusable(RUNTIME, "serbench[litert]")

    @property
    def precision(self) -> str:
        """See ``Backend``."""
        return "int8 dynamic" if self.params.precision == "int8" else "fp32"

    def convert(self, model: DeployedModel, folder: Path) -> None:
        """See ``Backend``."""
        import torch

        converter = imported("litert_torch")
        example = (torch.zeros(1, model.window_samples), torch.ones(1, dtype=torch.int64))
        path = folder / FILE
        with converting("LiteRT"):
            converter.convert(model.window_module(), example).export(str(path))
        if self.params.precision == "int8":
            self._quantize(path)

    def _quantize(self, path: Path) -> None:
        quantizer = imported("ai_edge_quantizer.quantizer")
        operations = imported("ai_edge_quantizer.qtyping").TFLOperationName
        before = path.stat().st_size
        with converting("LiteRT in int8"):
            job = quantizer.Quantizer(str(path))
            job.add_dynamic_config(QUANTIZED, operations.ALL_SUPPORTED, num_bits=8)
            job.quantize().export_model(str(path), overwrite=True)
        if path.stat().st_size >= before:
            raise PluginError("LiteRT in int8 found no weights to quantize in this model")

    def open(self, model: DeployedModel, folder: Path, threads: int) -> WaveformPredictor:
        """See ``Backend``."""
        runtime = imported(RUNTIME)
        with opening("LiteRT"):
            interpreter = runtime.Interpreter(str(folder / FILE), num_threads=threads)
            runner = interpreter.get_signature_runner()
            length_type = runner.get_input_details()["args_1"]["dtype"]

        def predict(window: Waveforms, length: NDArray[np.int64]) -> NDArray[np.float32]:
            (posteriors,) = runner(args_0=window, args_1=length.astype(length_type)).values()
            return posteriors

        return over_windows(model, predict)
