"""ONNX Runtime: the graph that is shipped, in half precision, in eight bits, on other providers."""

from serbench_backends.onnx_runtime.backend import OnnxRuntimeBackend, OnnxRuntimeParams

__all__ = ["OnnxRuntimeBackend", "OnnxRuntimeParams"]
