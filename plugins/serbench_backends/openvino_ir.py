"""OpenVINO, Intel's runtime, on the CPU."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from serbench.api import Backend, DeployedModel, Params, PluginError, WaveformPredictor, Waveforms
from serbench_backends.failures import converting, opening
from serbench_backends.packages import imported, unusable
from serbench_backends.windowed import over_windows

FILE = "model.xml"

FRONT_END = "frontend."
"""Beginning of the names of the front end's tables in the graph of a window."""

QUANTIZED = ("MatMul", "Convolution", "GroupConvolution")

TELEMETRY = "openvino_telemetry"
"""Name of a package; if it can be imported, OpenVINO's packages use it to send usage reports."""


class OpenVINOParams(Params):
    """Precision of the student."""

    precision: Literal["fp32", "int8"] = "fp32"
    """Precision. ``int8``: convolutions and matrix products with weights, with activation ranges
    from training-side audio.
    """


class OpenVINOBackend(Backend):
    """OpenVINO on the graph of one window, whose shapes are fixed.

    With dynamic shapes it is slower by a half, and it cannot compute the number of windows in
    double precision: for one utterance in 160, the last window would begin one frame too early or
    too late.
    """

    name = "openvino"
    Params = OpenVINOParams
    params: OpenVINOParams

    def unavailable(self) -> str | None:
        """See ``Backend``."""
        with _without_telemetry():
            reason = unusable("openvino", "serbench[openvino]")
            if reason is None and self.params.precision == "int8":
                reason = unusable("nncf", "serbench[openvino]")
            return reason

    @property
    def precision(self) -> str:
        """See ``Backend``."""
        return "int8 static" if self.params.precision == "int8" else "fp32"

    def convert(self, model: DeployedModel, folder: Path) -> None:
        """See ``Backend``."""
        openvino = imported_silently("openvino")
        source = model.window_onnx
        with converting("OpenVINO"):
            network = openvino.Core().read_model(source)
            if self.params.precision == "int8":
                network = _quantized(network, front_end(source), model)
            openvino.save_model(network, folder / FILE, compress_to_fp16=False)

    def open(self, model: DeployedModel, folder: Path, threads: int) -> WaveformPredictor:
        """See ``Backend``."""
        openvino = imported_silently("openvino")
        settings = {
            "INFERENCE_PRECISION_HINT": "f32",  # by default it uses bf16 if available
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
        }
        with opening("OpenVINO"):
            request = (
                openvino.Core().compile_model(folder / FILE, "CPU", settings).create_infer_request()
            )

        def predict(window: Waveforms, length: NDArray[np.int64]) -> NDArray[np.float32]:
            return request.infer([window, length])[0]

        return over_windows(model, predict)


def front_end(source: Path) -> list[str]:
    """Names of the front end's matrix products.

    Raises:
        PluginError: no such products are found, so they cannot be left in fp32.
    """
    import onnx

    nodes = onnx.load(source).graph.node
    found = [node.name for node in nodes if any(x.startswith(FRONT_END) for x in node.input)]
    if not found:
        raise PluginError("the front end's nodes cannot be found in the graph of a window")
    return found


def _quantized(network: Any, front_end: list[str], model: DeployedModel) -> Any:
    """The network in eight bits; products of two activations and the classifier stay in fp32.

    Ranges are from the smallest to the largest value, and biases stay as trained: with both,
    posteriors were closer to fp32 than with NNCF's defaults. With the classifier in eight bits,
    they were far from fp32.
    """
    nncf = imported_silently("nncf")
    ranges = imported_silently("nncf.quantization.range_estimator").RangeEstimatorParametersSet
    windows = [_inputs(*cut) for waveform in model.calibration() for cut in _each(model, waveform)]
    if not windows:
        raise PluginError(
            "int8 needs training-side audio for the ranges of activations, but the model has none"
        )
    operations = network.get_ordered_ops()
    products = [each for each in operations if each.get_type_name() == "MatMul"]
    unweighted = [each.get_friendly_name() for each in products if not _has_weights(each)]
    kept = {*front_end, *unweighted, *(each.get_friendly_name() for each in products[-1:])}
    others = {each.get_type_name() for each in operations} - set(QUANTIZED)
    return nncf.quantize(
        network,
        nncf.Dataset(windows),
        subset_size=len(windows),
        ignored_scope=nncf.IgnoredScope(names=sorted(kept), types=sorted(others), validate=False),
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            activations_range_estimator_params=ranges.MINMAX, disable_bias_correction=True
        ),
    )


def _has_weights(product: Any) -> bool:
    sources = (each.get_source_output().get_node() for each in product.inputs())
    return any(source.get_type_name() == "Constant" for source in sources)


def _each(
    model: DeployedModel, waveform: Waveforms
) -> Iterator[tuple[Waveforms, NDArray[np.int64]]]:
    windows, lengths = model.windows(waveform)
    for n in range(len(windows)):
        yield windows[[n]], lengths[[n]]


def _inputs(window: Waveforms, length: NDArray[np.int64]) -> Mapping[str, NDArray[Any]]:
    return {"window": window, "length": length}


def imported_silently(module: str) -> ModuleType:
    """A package of OpenVINO, imported so that it sends no usage reports."""
    with _without_telemetry():
        found = imported(module)
    if module == "nncf":
        found.set_log_level(logging.ERROR)
    return found


@contextmanager
def _without_telemetry() -> Iterator[None]:
    """Block the telemetry package: both packages send nothing if it is missing when
    they are imported.
    """
    before = sys.modules.get(TELEMETRY)
    sys.modules[TELEMETRY] = None  # pyright: ignore[reportArgumentType] - Python's own mark
    try:
        yield
    finally:
        if before is None:
            del sys.modules[TELEMETRY]
        else:
            sys.modules[TELEMETRY] = before
