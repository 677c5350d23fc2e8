"""The parts of an exported graph, and which operations of it are quantized."""

from __future__ import annotations

from collections.abc import Iterable

import onnx

from serbench.api import PluginError

FULL_PRECISION = ("frontend/", "cut/", "mean/")
"""Nodes that stay in fp32. The front end's powers span more decades than eight or sixteen bits
can; cutting into windows and the mean over them compute next to nothing."""

FEW_CHANNELS = 4
"""Convolutions from so few channels stay in fp32: in eight bits they are slower."""


def in_full_precision(graph: onnx.GraphProto) -> list[str]:
    """Names of the nodes that stay in fp32 whatever the precision."""
    return [node.name for node in graph.node if node.name.startswith(FULL_PRECISION)]


def weighted(graph: onnx.GraphProto, operations: Iterable[str]) -> list[str]:
    """Names of the nodes of the student, of some kinds, that multiply with weights; in order.

    Raises:
        PluginError: there are none.
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
    """Names of the student's sums that skip connections around convolutions end in."""
    rectified = {node.output[0] for node in graph.node if node.op_type == "Relu"}
    return [
        node.name
        for node in graph.node
        if node.op_type == "Add"
        and not node.name.startswith(FULL_PRECISION)
        and not rectified.isdisjoint(node.input)
    ]
