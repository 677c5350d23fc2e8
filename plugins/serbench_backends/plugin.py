"""Deployment backends, as the entry point ``backends``."""

from __future__ import annotations

from collections.abc import Sequence

from serbench.api import Backend, hookimpl
from serbench_backends.executorch_pte import ExecuTorchBackend
from serbench_backends.keras_model import KerasBackend
from serbench_backends.litert_tflite import LiteRTBackend
from serbench_backends.onnx_runtime import OnnxRuntimeBackend
from serbench_backends.openvino_ir import OpenVINOBackend
from serbench_backends.tensorflow_saved import TensorFlowBackend
from serbench_backends.tensorrt_engine import TensorRTBackend
from serbench_backends.torch import TorchBackend
from serbench_backends.torch_compile import TorchCompile


@hookimpl
def serbench_backends() -> Sequence[type[Backend]]:
    """PyTorch, and the runtimes for which a trained student can be converted."""
    return [
        TorchBackend,
        TorchCompile,
        OnnxRuntimeBackend,
        OpenVINOBackend,
        TensorRTBackend,
        LiteRTBackend,
        ExecuTorchBackend,
        KerasBackend,
        TensorFlowBackend,
    ]
