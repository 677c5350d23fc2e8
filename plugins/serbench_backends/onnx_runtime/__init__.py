"""ONNX Runtime: the exported graph in full precision, half precision or eight bits,
on several providers.
"""

from serbench_backends.onnx_runtime.backend import OnnxRuntimeBackend, OnnxRuntimeParams

__all__ = ["OnnxRuntimeBackend", "OnnxRuntimeParams"]
