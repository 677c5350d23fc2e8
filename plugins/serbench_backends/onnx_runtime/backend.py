"""The backend ``onnxruntime``."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from serbench.api import Backend, DeployedModel, Params, WaveformPredictor, Waveforms
from serbench_backends.failures import converting
from serbench_backends.onnx_runtime.sessions import Provider, open_session, provider_missing

FILE = "model.onnx"


class OnnxRuntimeParams(Params):
    """Precision of the student, and the provider that runs it."""

    precision: Literal["fp32", "fp16", "int8", "int8-static"] = "fp32"
    """Precision. ``fp16``: everything but the front end. ``int8``: matrix products in int8, with
    activations quantized at run time (dynamic). ``int8-static``: convolutions too, with activation
    ranges from training-side audio.
    """
    provider: Provider = "cpu"
    """Provider. ``cuda`` and ``tensorrt`` need a GPU and the package onnxruntime-gpu."""

    @model_validator(mode="after")
    def _eight_bits_are_for_the_cpu(self) -> OnnxRuntimeParams:
        if self.provider != "cpu" and self.precision.startswith("int8"):
            msg = f"precision {self.precision!r} needs the provider cpu, not {self.provider}"
            raise ValueError(msg)
        return self


class OnnxRuntimeBackend(Backend):
    """ONNX Runtime with exactly the chosen provider, and no other."""

    name = "onnxruntime"
    Params = OnnxRuntimeParams
    params: OnnxRuntimeParams

    def unavailable(self) -> str | None:
        """See ``Backend``."""
        return provider_missing(self.params.provider)

    @property
    def precision(self) -> str:
        """See ``Backend``."""
        names = {"int8": "int8 dynamic", "int8-static": "int8 static"}
        return names.get(self.params.precision, self.params.precision)

    @property
    def device(self) -> str:
        """See ``Backend``."""
        return "cpu" if self.params.provider == "cpu" else "cuda"

    def convert(self, model: DeployedModel, folder: Path) -> None:
        """See ``Backend``."""
        precision, target = self.params.precision, folder / FILE
        # Imported late: a process that only opens a model does not need the converters.
        with converting(f"ONNX Runtime in {self.precision}"):
            if precision == "fp16":
                from serbench_backends.onnx_runtime.half import halve

                halve(model.onnx, target)
            elif precision == "int8":
                from serbench_backends.onnx_runtime.quantize import quantize_as_they_come

                quantize_as_they_come(model.onnx, target)
            elif precision == "int8-static":
                from serbench_backends.onnx_runtime.quantize import quantize_by_ranges

                quantize_by_ranges(model.onnx, target, model.calibration())
            else:
                shutil.copyfile(model.onnx, target)

    def open(self, model: DeployedModel, folder: Path, threads: int) -> WaveformPredictor:  # noqa: ARG002 - all that it needs is in the folder
        """See ``Backend``."""
        session = open_session(
            folder / FILE, self.params.provider, threads, half=self.params.precision == "fp16"
        )
        given, gives = session.get_inputs()[0].name, session.get_outputs()[0].name

        def predict(waveforms: Waveforms) -> NDArray[np.float32]:
            (posteriors,) = session.run([gives], {given: waveforms})
            return posteriors  # pyright: ignore[reportReturnType] - a tensor, not a sparse one

        return predict
