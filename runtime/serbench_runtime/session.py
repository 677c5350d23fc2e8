"""An ONNX Runtime session with exactly the requested providers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnxruntime

from serbench_runtime.errors import ModelError
from serbench_runtime.facts import Facts

INPUT, OUTPUT = "waveform", "posteriors"

CPU = "CPUExecutionProvider"

_ERRORS_ONLY = 3

_LEVELS = onnxruntime.GraphOptimizationLevel
# Older releases of ONNX Runtime have no level between the third and the last.
_CAUTIOUS = getattr(_LEVELS, "ORT_ENABLE_LAYOUT", _LEVELS.ORT_ENABLE_EXTENDED)


def open_session(
    path: Path, precision: str, threads: int, providers: Sequence[str]
) -> onnxruntime.InferenceSession:
    """Load ``path``, a model of this ``precision``, to run with ``threads`` threads.

    Raises:
        ModelError: there is less than one thread, a provider is missing or was replaced by another,
            or ONNX Runtime cannot load the graph.
    """
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise ModelError(f"threads is {threads!r}; give a whole number of at least 1")
    _check_installed(providers)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    if "fp16" in precision:
        # At the default level, the CPU provider crashes on such graphs.
        options.graph_optimization_level = _CAUTIOUS
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=list(providers))
    # ONNX Runtime's exceptions have no common class below Exception.
    except Exception as error:
        reason = " ".join(str(error).split())
        raise ModelError(
            f"{path}: ONNX Runtime {onnxruntime.__version__} cannot load it ({reason})"
        ) from error
    replaced = [name for name in providers if name not in session.get_providers()]
    if replaced:
        raise ModelError(
            f"{path}: ONNX Runtime replaced {', '.join(replaced)} by "
            f"{', '.join(session.get_providers())}: libraries or the device are missing; "
            f"install them, or ask for {CPU}"
        )
    return session


def _check_installed(providers: Sequence[str]) -> None:
    if isinstance(providers, str) or not providers:
        raise ModelError(f"providers is {providers!r}; give a list of names, such as [{CPU!r}]")
    there = onnxruntime.get_available_providers()
    missing = [name for name in providers if name not in there]
    if missing:
        raise ModelError(
            f"this ONNX Runtime has no {', '.join(missing)}; it has {', '.join(there)}. "
            "onnxruntime-gpu has providers for GPUs"
        )


def check_signature(session: onnxruntime.InferenceSession, facts: Facts, path: Path) -> None:
    """Refuse a graph whose inputs and outputs are not those of an exported model.

    Raises:
        ModelError: names, types or shapes are different.
    """
    try:
        inputs = [(node.name, node.type, len(node.shape)) for node in session.get_inputs()]
        outputs = [(node.name, node.type, len(node.shape)) for node in session.get_outputs()]
    except UnicodeDecodeError as error:
        raise ModelError(f"{path} is damaged: a name in its graph is not text ({error})") from error
    wanted = ([(INPUT, "tensor(float)", 2)], [(OUTPUT, "tensor(float)", 2)])
    if (inputs, outputs) != wanted:
        raise ModelError(
            f"{path}: its graph goes from {_signature(inputs)} to {_signature(outputs)}, not from "
            f"{_signature(wanted[0])} to {_signature(wanted[1])}; export the model again"
        )
    fixed = [size for size in session.get_inputs()[0].shape if isinstance(size, int)]
    if fixed:
        raise ModelError(
            f"{path}: its graph only takes waveforms of shape {session.get_inputs()[0].shape}, "
            "not of any number and length; export the model again"
        )
    width = session.get_outputs()[0].shape[1]
    if isinstance(width, int) and width != len(facts.labels):
        raise ModelError(
            f"{path}: {width} posteriors, but {len(facts.labels)} labels "
            f"({', '.join(facts.labels)}); export the model again"
        )


def _signature(nodes: Sequence[tuple[str, str, int]]) -> str:
    return ", ".join(f"{name} {kind} of {rank} axes" for name, kind, rank in nodes) or "nothing"
