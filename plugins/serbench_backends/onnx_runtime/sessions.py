"""Sessions of ONNX Runtime on one provider, which must not fall back to another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from serbench.api import PluginError
from serbench_backends.failures import opening
from serbench_backends.packages import nvidia_gpus

if TYPE_CHECKING:
    import onnxruntime

Provider = Literal["cpu", "cuda", "tensorrt"]

NAMES: dict[Provider, str] = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
"""Names of the providers in ONNX Runtime."""

ERRORS_ONLY = 3


def provider_missing(provider: Provider) -> str | None:
    """Why a provider is not available here; None if it is available."""
    import onnxruntime

    name = NAMES[provider]
    if name not in onnxruntime.get_available_providers():
        return (
            f"this onnxruntime has no {name}: install onnxruntime-gpu instead, pip install "
            "onnxruntime-gpu"
        )
    if provider != "cpu" and nvidia_gpus() == 0:
        return f"no NVIDIA GPU for {name}"
    return None


def open_session(
    path: Path, provider: Provider, threads: int, *, half: bool = False
) -> onnxruntime.InferenceSession:
    """Load a graph.

    Args:
        path: file of the graph.
        provider: the provider that runs it; operations that it lacks run on the CPU.
        threads: number of threads within one operation.
        half: whether the graph computes in half precision.

    Raises:
        PluginError: the graph cannot be loaded, or ONNX Runtime replaced the provider by another
            one, which it does without an error.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY
    # Removes pairs of steps that only leave eight bits and return to them.
    options.add_session_config_entry("session.enable_quant_qdq_cleanup", "1")
    if half and provider == "cpu":
        # At the default level, the CPU provider crashes the process on such graphs.
        levels = onnxruntime.GraphOptimizationLevel
        # Older releases have no level between the second and the last.
        options.graph_optimization_level = getattr(
            levels, "ORT_ENABLE_LAYOUT", levels.ORT_ENABLE_EXTENDED
        )
    with opening("ONNX Runtime"):
        session = onnxruntime.InferenceSession(str(path), options, providers=[NAMES[provider]])
    session.disable_fallback()
    found = session.get_providers()
    if found[0] != NAMES[provider]:
        raise PluginError(
            f"ONNX Runtime fell back from {NAMES[provider]} to {', '.join(found)}: libraries or "
            "the device that it needs are missing"
        )
    return session
