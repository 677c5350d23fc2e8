"""The parts of an exported graph, and which operations of it are quantized."""

from __future__ import annotations

from collections.abc import Iterable

import onnx

from serbench.api import PluginError

FULL_PRECISION = ("frontend/", "cut/", "mean/")
"""Beginnings of the names of nodes that stay in fp32. The front end's powers span more decades
than eight or sixteen bits can represent; cutting into windows and the mean over them need
almost no computation.
"""

FEW_CHANNELS = 4
"""Convolutions with at most this many input channels stay in fp32: in eight bits they are
slower.
"""


def in_full_precision(graph: onnx.GraphProto) -> list[str]:
    """Names of the nodes that stay in fp32 for every precision."""
    return [node.name for node in graph.node if node.name.startswith(FULL_PRECISION)]


def weighted(graph: onnx.GraphProto, operations: Iterable[str]) -> list[str]:
    """Names of the student's nodes of the given kinds that multiply with weights, in order.

    Raises:
        PluginError: the graph has no such nodes.
    """
    kinds, weights = set(operations), {each.name: each.dims for each in graph.initializer}
    found = [
        node.name
        for node in graph.node
        if node.op_type in kinds
        and not node.name.startswith(FULL_PRECISION)
        and node.input[1] in weights
        and not (node.op_type == "Conv" and weights[node.input[1]][1] <= FEW_CHANNELS)
    ]
    if not found:
        raise PluginError("this student has no weights that can be quantized")
    return found


def residual(graph: onnx.GraphProto) -> list[str]:
    """Names of the student's additions at the end of skip connections around convolutions."""
    rectified = {node.output[0] for node in graph.node if node.op_type == "Relu"}
    return [
        node.name
        for node in graph.node
        if node.op_type == "Add"
        and not node.name.startswith(FULL_PRECISION)
        and not rectified.isdisjoint(node.input)
    ]
