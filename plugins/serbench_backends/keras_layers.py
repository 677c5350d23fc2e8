"""An exported graph as a Keras model: one layer per operation, and no code in the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import keras  # pyright: ignore[reportMissingImports] - an extra
import numpy as np

from serbench_backends.keras_operations import FIXED, check, run
from serbench_backends.onnx_steps import Array, GraphStep, dtype_name, read_steps

if TYPE_CHECKING:  # so that a process that only opens a converted model does not wait for it
    import onnx


@keras.saving.register_keras_serializable("serbench")
class OnnxOperation(keras.layers.Layer):
    """One operation. Constants that it computes with are its weights; other constants
    are its settings.

    Args:
        operation: its name in ONNX.
        attributes: as ONNX names them.
        inputs: for each input whether it is used.
        fixed: constants such as shapes and places, by position: type, shape, values.
        weights: the shape of each other constant, by position.
        outputs: number of outputs.
    """

    def __init__(
        self,
        operation: str,
        attributes: Mapping[str, Any],
        inputs: Sequence[bool],
        fixed: Mapping[str, tuple[str, Sequence[int], Sequence[int]]],
        weights: Mapping[str, Sequence[int]],
        outputs: int,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{**kwargs, "autocast": False, "trainable": False})
        self.settings = {
            "operation": operation,
            "attributes": dict(attributes),
            "inputs": list(inputs),
            "fixed": dict(fixed),
            "weights": {position: list(shape) for position, shape in weights.items()},
            "outputs": outputs,
        }
        self.fixed: dict[int, Array] = {
            int(position): np.asarray(values, dtype=dtype).reshape(shape)
            for position, (dtype, shape, values) in fixed.items()
        }
        self.variables_at = {
            int(position): self.add_weight(
                name=f"input{position}", shape=tuple(shape), initializer="zeros"
            )
            for position, shape in weights.items()
        }
        self.step = GraphStep(
            operation,
            dict(attributes),
            tuple(f"{n}" if there else "" for n, there in enumerate(inputs)),
            tuple(f"{n}" for n in range(outputs)),
            {**self.fixed, **dict.fromkeys(self.variables_at, np.empty(0))},
        )
        self.built = True

    @classmethod
    def of(cls, step: GraphStep) -> OnnxOperation:
        """A layer for ``step``, with its constants."""
        kept = () if step.operation == "Conv" else FIXED.get(step.operation, ())
        weights = {
            n: each
            for n, each in step.constants.items()
            if each.dtype.kind == "f" and n not in kept
        }
        layer = cls(
            step.operation,
            step.attributes,
            [bool(name) for name in step.inputs],
            {
                str(n): (each.dtype.name, list(each.shape), each.ravel().tolist())
                for n, each in step.constants.items()
                if n not in weights
            },
            {str(n): list(each.shape) for n, each in weights.items()},
            len(step.outputs),
        )
        for position, value in weights.items():
            layer.variables_at[position].assign(value)
        return layer

    def call(self, variables: Sequence[Any]) -> Any:
        """Compute the output, or a list of outputs, from the inputs that are not constants."""
        constants = {**self.fixed, **self.variables_at}
        outputs = run(self.step, variables, constants)
        return outputs[0] if len(outputs) == 1 else outputs

    def get_config(self) -> dict[str, Any]:
        """The layer's settings for the file."""
        return {**super().get_config(), **self.settings}


def keras_model(graph: onnx.GraphProto) -> keras.Model:
    """A model with the inputs and outputs of ``graph``, whose shapes are fixed.

    Raises:
        PluginError: the graph has operations that are not supported here.
    """
    steps = read_steps(graph)
    check(steps)
    inputs = {each.name: _input(each) for each in graph.input}
    values: dict[str, Any] = dict(inputs)
    for step in steps:
        outputs = OnnxOperation.of(step)([values[name] for name in step.variables.values()])
        outputs = outputs if isinstance(outputs, list | tuple) else [outputs]
        values |= zip(step.outputs, outputs, strict=True)
    return keras.Model(list(inputs.values()), [values[each.name] for each in graph.output])


def _input(value: onnx.ValueInfoProto) -> Any:
    kind = value.type.tensor_type
    shape = tuple(size.dim_value for size in kind.shape.dim)
    dtype = dtype_name(kind.elem_type)
    return keras.Input(batch_shape=shape, dtype=dtype, name=value.name)
