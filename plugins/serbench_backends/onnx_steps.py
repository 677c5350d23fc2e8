"""An ONNX graph of fixed shapes as a list of steps, for runtimes that cannot read ONNX.

No reader of ONNX files for TensorFlow and Keras is maintained and works with current versions of
NumPy, so the operations are translated one by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # so that a process that only opens a converted model does not wait for it
    import onnx

Array = NDArray[Any]


@dataclass(frozen=True)
class GraphStep:
    """One operation.

    Attributes:
        operation: its name in ONNX.
        attributes: values as in JSON: numbers, text, lists; element types by NumPy's names.
        inputs: names of values; empty if an optional input is left out.
        constants: those of the inputs that are constants, by position.
        outputs: names of values.
    """

    operation: str
    attributes: Mapping[str, Any]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    constants: Mapping[int, Array] = field(default_factory=dict)

    @property
    def variables(self) -> dict[int, str]:
        """The names of the inputs that are neither constant nor left out, by position."""
        return {n: name for n, name in enumerate(self.inputs) if name and n not in self.constants}


def read_steps(graph: onnx.GraphProto) -> list[GraphStep]:
    """The operations of a graph in order; values that depend on constants alone are
    computed here.
    """
    from onnx import numpy_helper
    from onnx.reference import ReferenceEvaluator

    known = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    steps = []
    for node in graph.node:
        if all(name in known for name in node.input if name):
            feeds = {name: known[name] for name in node.input if name}
            results = ReferenceEvaluator(node).run(None, feeds)
            known |= zip(node.output, map(np.asarray, results), strict=True)
            continue
        constants = {n: known[name] for n, name in enumerate(node.input) if name in known}
        step = GraphStep(
            node.op_type, _attributes(node), tuple(node.input), tuple(node.output), constants
        )
        steps.append(_prepared(step))
    return steps


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    from onnx import helper

    values = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    kept = {
        name: value.decode() if isinstance(value, bytes) else value
        for name, value in values.items()
        if isinstance(value, bytes | int | float | str | list)
    }
    if node.op_type == "Cast":
        kept["to"] = dtype_name(values["to"])
    return kept


def dtype_name(kind: int) -> str:
    """NumPy's name of one of ONNX's element types."""
    from onnx import helper

    return helper.tensor_dtype_to_np_dtype(kind).name


def _prepared(step: GraphStep) -> GraphStep:
    """The step with weights in TensorFlow's order of axes, so that they are not transposed
    at every call.
    """
    weights = step.constants.get(1)
    if step.operation == "Conv" and weights is not None:  # (out, in, …) to (…, in, out)
        turned = np.moveaxis(weights, (0, 1), (-1, -2))
        return GraphStep(
            step.operation,
            step.attributes,
            step.inputs,
            step.outputs,
            {**step.constants, 1: np.ascontiguousarray(turned)},
        )
    return step
