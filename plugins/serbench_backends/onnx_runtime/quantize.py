"""Quantizes an exported graph to eight bits with the tools of ONNX Runtime.

Weights are signed and have a scale per channel; activations are unsigned, which is what x86
processors multiply fastest. Weights have seven of the eight bits: x86 processors without VNNI add
pairs of products in 16 bits, and with eight bits these sums overflow silently. Matrix products of
two activations, as in attention, stay in fp32: they are small, and each would have to be quantized
first.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from serbench.api import PluginError, Waveforms
from serbench_backends.onnx_runtime.parts import residual, weighted

PRODUCTS = ("MatMul", "Gemm")


def quantize_as_they_come(source: Path, target: Path) -> None:
    """Write ``source`` with matrix products in int8; their inputs are quantized at each call.

    Raises:
        PluginError: the graph has nothing to quantize.
    """
    with _prepared(source) as path:
        nodes = weighted(onnx.load(path).graph, PRODUCTS)
        quantize_dynamic(
            path,
            target,
            op_types_to_quantize=list(PRODUCTS),
            nodes_to_quantize=nodes,
            per_channel=True,
            weight_type=QuantType.QInt8,
            reduce_range=True,
            extra_options={"MatMulConstBOnly": True},
        )


def quantize_by_ranges(source: Path, target: Path, audio: Sequence[Waveforms]) -> None:
    """Write ``source`` with convolutions and matrix products in int8, with fixed ranges.

    The range of an activation is from its smallest to its largest value over ``audio``. With ranges
    that leave out a part of the values (percentiles, entropy, moving averages), posteriors differed
    more from those in fp32.

    Args:
        source: the graph.
        target: the file to write.
        audio: training-side utterances, each ``(samples,)``.

    Raises:
        PluginError: there is nothing to quantize, or no audio.
    """
    if not audio:
        raise PluginError(
            "int8 static needs training-side audio for the ranges of activations, but the model "
            "has none"
        )
    kinds = ("Conv", *PRODUCTS)
    with _prepared(source) as path:
        graph = onnx.load(path).graph
        quantize_static(
            path,
            target,
            _Utterances(graph.input[0].name, audio),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=[*kinds, "Add"],
            # If the sums between them are in eight bits too, one convolution follows another
            # directly.
            nodes_to_quantize=weighted(graph, kinds) + residual(graph),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            reduce_range=True,
            calibrate_method=CalibrationMethod.MinMax,
            calibration_providers=["CPUExecutionProvider"],
            # Results of products stay in fp32, because bias and normalisation follow.
            extra_options={"OpTypesToExcludeOutputQuantization": list(PRODUCTS)},
        )


class _Utterances(CalibrationDataReader):
    """A reader that gives one utterance after another to ONNX Runtime."""

    def __init__(self, name: str, audio: Sequence[Waveforms]) -> None:
        self.name = name
        self.left = iter(audio)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The input for the next utterance; None after the last one."""
        waveform = next(self.left, None)
        return None if waveform is None else {self.name: waveform[None]}


@contextmanager
def _prepared(source: Path) -> Iterator[Path]:
    """The graph with constants folded and operations fused, in a temporary file.

    The tools write advice on their use to the log of the whole program; it is suppressed.
    """
    with tempfile.TemporaryDirectory(prefix="serbench-") as name:
        path = Path(name) / "prepared.onnx"
        before = logging.root.manager.disable
        logging.disable(logging.WARNING)
        try:
            # Symbolic shape inference supports only some of the operations.
            quant_pre_process(source, path, skip_symbolic_shape=True)
            yield path
        finally:
            logging.disable(before)
