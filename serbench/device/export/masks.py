"""Removes from a student's graph the masks that have no effect.

A student masks the padding of a window. In the graph from waveform to posteriors no window has
padding, so its masks are all ones: multiplications by 1, and choices that are always the same. This
is not assumed but checked for each student: everything that depends only on the window's size is
computed for every size that a window can have.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, shape_inference

ERRORS_ONLY = 3
SEVERAL = 3
"""Number of windows with which a batch of more than one is tried."""


def drop_idle_masks(graph: onnx.ModelProto, sizes: Sequence[int]) -> None:
    """Remove, in place, multiplications by 1 and choices that are the same for all window sizes.

    Args:
        graph: a graph with one input ``(W, frames, n_mels)`` float32.
        sizes: every number of frames that a window can have.
    """
    idle = _idle(graph, *_constant(graph, sizes))
    idle = _same(graph, idle, sizes)
    renamed: dict[str, str] = {}
    kept = []
    for node in graph.graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = renamed.get(name, name)
        if (passed := idle.get(node.output[0])) is None:
            kept.append(node)
        else:
            renamed[node.output[0]] = renamed.get(passed, passed)
    needed = {output.name for output in graph.graph.output}
    used = []
    for node in reversed(kept):
        if needed.intersection(node.output):
            used.append(node)
            needed.update(node.input)
    weights = [each for each in graph.graph.initializer if each.name in needed]
    del graph.graph.node[:], graph.graph.initializer[:]
    graph.graph.node.extend(reversed(used))
    graph.graph.initializer.extend(weights)


def _constant(graph: onnx.ModelProto, sizes: Sequence[int]) -> tuple[set[str], set[str]]:
    """Names of tensors that are all ones, and that are all zeros, for windows of every size.

    Only tensors that depend on shapes and weights alone, and not on the audio, are examined.
    """
    known = {each.name for each in graph.graph.initializer} | {""}
    free: list[str] = []
    for node in graph.graph.node:
        if node.op_type in {"Shape", "Size"} or known.issuperset(node.input):
            known.update(node.output)
            free += node.output
    types = _types(graph)
    asked = [name for name in free if types.get(name) in {TensorProto.BOOL, TensorProto.FLOAT}]
    probe = _Probe(graph, asked)
    ones, zeros = set(asked), set(asked)
    for windows, size in [*((1, size) for size in sizes), (SEVERAL, sizes[0])]:
        for name, value in probe.values(windows, size).items():
            if not np.all(value == 1):
                ones.discard(name)
            if not np.all(value == 0):
                zeros.discard(name)
    return ones, zeros


def _idle(graph: onnx.ModelProto, ones: set[str], zeros: set[str]) -> dict[str, str]:
    """Outputs without effect, each with the input that it must equal."""
    found = {}
    for node in graph.graph.node:
        if node.op_type == "Mul":
            one, other = node.input
            if other in ones or one in ones:
                found[node.output[0]] = one if other in ones else other
        elif node.op_type == "Where":
            condition, chosen, otherwise = node.input
            if condition in ones or condition in zeros:
                found[node.output[0]] = chosen if condition in ones else otherwise
    return found


def _same(graph: onnx.ModelProto, idle: dict[str, str], sizes: Sequence[int]) -> dict[str, str]:
    """The entries of ``idle`` with equal shapes too: a mask may also widen the tensor that it
    masks.
    """
    inner = {name for node in graph.graph.node for name in node.output}
    inner -= {output.name for output in graph.graph.output}
    inside = {output: own for output, own in idle.items() if {output, own} <= inner}
    probe = _Probe(graph, sorted({*inside, *inside.values()}))
    for windows, size in ((1, sizes[0]), (SEVERAL, sizes[-1])):
        values = probe.values(windows, size)
        inside = {a: b for a, b in inside.items() if np.array_equal(values[a], values[b])}
    return inside


def _types(graph: onnx.ModelProto) -> dict[str, int]:
    inferred = shape_inference.infer_shapes(graph).graph
    return {value.name: value.type.tensor_type.elem_type for value in inferred.value_info}


class _Probe:
    """Computes values inside a graph."""

    def __init__(self, graph: onnx.ModelProto, names: Sequence[str]) -> None:
        self.names = list(names)
        types = _types(graph)
        probe = onnx.ModelProto()
        probe.CopyFrom(graph)
        del probe.graph.output[:]
        del probe.graph.value_info[:]  # in PyTorch 2.8, inner shapes do not hold for every window
        probe.graph.output.extend(
            helper.make_tensor_value_info(name, types[name], None) for name in self.names
        )
        options = onnxruntime.SessionOptions()
        options.log_severity_level = ERRORS_ONLY
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        self.session = onnxruntime.InferenceSession(
            probe.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        window = graph.graph.input[0]
        self.input = window.name
        self.mels = window.type.tensor_type.shape.dim[2].dim_value

    def values(self, windows: int, size: int) -> dict[str, NDArray[np.generic]]:
        """All values for noise ``(windows, size, n_mels)``."""
        if not self.names:
            return {}
        frames = np.random.default_rng(size).normal(size=(windows, size, self.mels))
        found = self.session.run(self.names, {self.input: frames.astype(np.float32)})
        return {name: np.asarray(value) for name, value in zip(self.names, found, strict=True)}
