"""ONNX operations in ``keras.ops``. Shapes are fixed; inputs such as shapes are constants."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from keras import ops  # pyright: ignore[reportMissingImports] - an extra

from serbench.api import PluginError
from serbench_backends.onnx_steps import GraphStep

Operation = Callable[[Sequence[Any], Mapping[str, Any]], Any]
"""A function of inputs (None for one that is left out) and attributes. It gives one output, or a
list of them.
"""


def run(step: GraphStep, variables: Sequence[Any], constants: Mapping[int, Any]) -> list[Any]:
    """Compute the outputs of an operation.

    Args:
        step: the operation.
        variables: the inputs that are not constants, in order.
        constants: the other inputs by position, as arrays or Keras variables.
    """
    values: list[Any] = [None] * len(step.inputs)
    for position, value in zip(step.variables, variables, strict=True):
        values[position] = value
    for position, value in constants.items():
        values[position] = value
    result = OPERATIONS[step.operation](values, step.attributes)
    return list(result) if isinstance(result, list | tuple) else [result]


def check(steps: Sequence[GraphStep]) -> None:
    """
    Raises:
        PluginError: some of the operations are not supported here.
    """
    unknown = sorted({each.operation for each in steps} - set(OPERATIONS))
    if unknown:
        raise PluginError(
            "the Keras translation does not support these operations of the model's graph: "
            f"{', '.join(unknown)}"
        )
    for step in steps:
        fixed = FIXED.get(step.operation, ())
        computed = [n for n in fixed if n in step.variables]
        if computed:
            raise PluginError(
                f"input number {computed[0]} of {step.operation} is computed; the Keras "
                "translation supports only a constant there"
            )


def _ints(value: Any) -> list[int]:
    return [int(each) for each in np.asarray(value).ravel()]


def _axes(x: Sequence[Any], attributes: Mapping[str, Any]) -> list[int] | None:
    """The axes of a reduction: an input from opset 13 or 18 on, an attribute before."""
    if len(x) > 1 and x[1] is not None:
        return _ints(x[1])
    return attributes.get("axes")


def _reduction(reduce: Callable[..., Any]) -> Operation:
    def operation(x: Sequence[Any], attributes: Mapping[str, Any]) -> Any:
        axes = _axes(x, attributes)
        if not axes and attributes.get("noop_with_empty_axes", 0):
            return x[0]
        return reduce(
            x[0], axis=tuple(axes) if axes else None, keepdims=bool(attributes.get("keepdims", 1))
        )

    return operation


def _folded(function: Callable[[Any, Any], Any]) -> Operation:
    """An operation on any number of inputs, which combines them two at a time."""

    def operation(x: Sequence[Any], _: Mapping[str, Any]) -> Any:
        result = x[0]
        for each in x[1:]:
            result = function(result, each)
        return result

    return operation


def _unary(function: Callable[[Any], Any]) -> Operation:
    return lambda x, _: function(x[0])


def _binary(function: Callable[[Any, Any], Any]) -> Operation:
    return lambda x, _: function(x[0], x[1])


def _divide(x: Sequence[Any], _: Mapping[str, Any]) -> Any:
    if "int" not in str(x[0].dtype):
        return ops.divide(x[0], x[1])
    sign = ops.sign(x[0]) * ops.sign(x[1])  # ONNX rounds the quotient of integers towards zero
    return sign * ops.floor_divide(ops.abs(x[0]), ops.abs(x[1]))


def _cast(x: Sequence[Any], attributes: Mapping[str, Any]) -> Any:
    return ops.cast(x[0], attributes["to"])


def _reshape(x: Sequence[Any], attributes: Mapping[str, Any]) -> Any:
    wanted = _ints(x[1])
    if not attributes.get("allowzero", 0):
        wanted = [x[0].shape[n] if size == 0 else size for n, size in enumerate(wanted)]
    return ops.reshape(x[0], wanted)


def _squeeze(x: Sequence[Any], attributes: Mapping[str, Any]) -> Any:
    shape, axes = list(x[0].shape), _axes(x, attributes)
    gone = {n % len(shape) for n in axes} if axes else {n for n, s in enumerate(shape) if s == 1}
    return ops.reshape(x[0], [size for n, size in enumerate(shape) if n not in gone])


def _unsqueeze(x: Sequence[Any], attributes: Mapping[str, Any]) -> Any:
    axes = _axes(x, attributes) or []
    shape = list(x[0].shape)
    for axis in sorted(n % (len(shape) + len(axes)) for n in axes):
        shape.insert(axis, 1)
    return ops.reshape(x[0], shape)


def _slice(x: Sequence[Any], _: Mapping[str, Any]) -> Any:
    starts, ends = _ints(x[1]), _ints(x[2])
    axes = _ints(x[3]) if len(x) > 3 and x[3] is not None else list(range(len(starts)))
    steps = _ints(x[4]) if len(x) > 4 and x[4] is not None else [1] * len(starts)
    places = [slice(None)] * len(x[0].shape)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        first, last = slice(start, end, step).indices(x[0].shape[axis])[:2]
        places[axis] = slice(first, None if last < 0 else last, step)
    return x[0][tuple(places)]


def _gather_elements(x: Sequence[Any], attributes: Mapping[str, Any]) -> Any:
    """Gather elements. Along the other axes, as many are used as there are indices."""
    axis = attributes.get("axis", 0) % len(x[0].shape)
    seen = [slice(None) if n == axis else slice(size) for n, size in enumerate(x[1].shape)]
    return ops.take_along_axis(x[0][tuple(seen)], x[1], axis=axis)


def _expand(x: Sequence[Any], _: Mapping[str, Any]) -> Any:
    return ops.broadcast_to(x[0], np.broadcast_shapes(tuple(x[0].shape), tuple(_ints(x[1]))))


def _pad(x: Sequence[Any], attributes: Mapping[str, Any]) -> Any:
    sizes, rank = _ints(x[1]), len(x[0].shape)
    axes = _ints(x[3]) if len(x) > 3 and x[3] is not None else list(range(rank))
    pairs = [[0, 0] for _ in range(rank)]
    for n, axis in enumerate(axes):
        pairs[axis] = [sizes[n], sizes[n + len(axes)]]
    mode = attributes.get("mode", "constant")
    if mode == "reflect":
        return ops.pad(x[0], pairs, mode="reflect")
    if mode != "constant":
        raise PluginError(f"the Keras translation does not support Pad with mode {mode}")
    value = float(np.asarray(x[2])) if len(x) > 2 and x[2] is not None else 0.0
    return ops.pad(x[0], pairs, mode="constant", constant_values=value)


def _gemm(x: Sequence[Any], attributes: Mapping[str, Any]) -> Any:
    a = ops.transpose(x[0]) if attributes.get("transA", 0) else x[0]
    b = ops.transpose(x[1]) if attributes.get("transB", 0) else x[1]
    product = ops.matmul(a, b)
    alpha, beta = attributes.get("alpha", 1.0), attributes.get("beta", 1.0)
    if alpha != 1.0:
        product = product * alpha
    if len(x) < 3 or x[2] is None:
        return product
    return product + (x[2] if beta == 1.0 else x[2] * beta)


def _channels_last(x: Any) -> Any:
    return ops.transpose(x, (0, *range(2, len(x.shape)), 1))


def _channels_first(x: Any) -> Any:
    return ops.transpose(x, (0, len(x.shape) - 1, *range(1, len(x.shape) - 1)))


def _padded_in_space(x: Any, attributes: Mapping[str, Any]) -> Any:
    """``(N, …, C)``, padded with zeros as ``pads`` says."""
    if attributes.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise PluginError("the Keras translation does not support auto_pad")
    pads = attributes.get("pads")
    if not pads or not any(pads):
        return x
    half = len(pads) // 2
    return ops.pad(x, [[0, 0], *([pads[n], pads[n + half]] for n in range(half)), [0, 0]])


def _conv(x: Sequence[Any], attributes: Mapping[str, Any]) -> Any:
    """Convolve. On CPUs, TensorFlow supports channels last only, and groups only through XLA."""
    source, kernel = _padded_in_space(_channels_last(x[0]), attributes), x[1]
    groups, space = attributes.get("group", 1), len(kernel.shape) - 2
    strides = tuple(attributes.get("strides", [1] * space))
    dilation = tuple(attributes.get("dilations", [1] * space))
    parts = zip(ops.split(source, groups, axis=-1), ops.split(kernel, groups, axis=-1), strict=True)
    each = [
        ops.conv(
            part,
            weights,
            strides=strides,
            padding="valid",
            data_format="channels_last",
            dilation_rate=dilation,
        )
        for part, weights in parts
    ]
    y = each[0] if groups == 1 else ops.concatenate(each, axis=-1)
    if len(x) > 2 and x[2] is not None:
        y = y + x[2]
    return _channels_first(y)


def _pool(pool: Callable[..., Any]) -> Operation:
    def operation(x: Sequence[Any], attributes: Mapping[str, Any]) -> Any:
        padded = bool(any(attributes.get("pads", ())))
        if attributes.get("ceil_mode", 0) or padded or attributes.get("dilations"):
            raise PluginError("the Keras translation supports pooling without padding only")
        y = pool(
            _channels_last(x[0]),
            tuple(attributes["kernel_shape"]),
            strides=tuple(attributes.get("strides", [1] * len(attributes["kernel_shape"]))),
            padding="valid",
            data_format="channels_last",
        )
        return _channels_first(y)

    return operation


def _layer_norm(x: Sequence[Any], attributes: Mapping[str, Any]) -> Any:
    rank = len(x[0].shape)
    axes = tuple(range(attributes.get("axis", -1) % rank, rank))
    centred = x[0] - ops.mean(x[0], axis=axes, keepdims=True)
    variance = ops.mean(ops.square(centred), axis=axes, keepdims=True)
    y = centred * ops.rsqrt(variance + attributes.get("epsilon", 1e-5)) * x[1]
    return y if len(x) < 3 or x[2] is None else y + x[2]


def _batch_norm(x: Sequence[Any], attributes: Mapping[str, Any]) -> Any:
    shape = (1, -1, *[1] * (len(x[0].shape) - 2))
    weight, bias, mean, variance = (ops.reshape(each, shape) for each in x[1:])
    scale = weight * ops.rsqrt(variance + attributes.get("epsilon", 1e-5))
    return (x[0] - mean) * scale + bias


def _clip(x: Sequence[Any], _: Mapping[str, Any]) -> Any:
    y = x[0]
    if len(x) > 1 and x[1] is not None:
        y = ops.maximum(y, x[1])
    return ops.minimum(y, x[2]) if len(x) > 2 and x[2] is not None else y


def _split(x: Sequence[Any], attributes: Mapping[str, Any]) -> Any:
    axis = attributes.get("axis", 0)
    if len(x) > 1 and x[1] is not None:
        return list(ops.split(x[0], np.cumsum(_ints(x[1]))[:-1].tolist(), axis=axis))
    return list(ops.split(x[0], attributes["num_outputs"], axis=axis))


OPERATIONS: dict[str, Operation] = {
    "Abs": _unary(ops.abs),
    "Add": _binary(ops.add),
    "And": _binary(ops.logical_and),
    "AveragePool": _pool(ops.average_pool),
    "BatchNormalization": _batch_norm,
    "Cast": _cast,
    "Ceil": _unary(ops.ceil),
    "Clip": _clip,
    "Concat": lambda x, attributes: ops.concatenate(list(x), axis=attributes["axis"]),
    "Conv": _conv,
    "Cos": _unary(ops.cos),
    "Div": _divide,
    "Equal": _binary(ops.equal),
    "Erf": _unary(ops.erf),
    "Exp": _unary(ops.exp),
    "Expand": _expand,
    "Floor": _unary(ops.floor),
    "Gather": lambda x, attributes: ops.take(x[0], x[1], axis=attributes.get("axis", 0)),
    "GatherElements": _gather_elements,
    "Gelu": lambda x, attributes: ops.gelu(
        x[0], approximate=attributes.get("approximate", "none") == "tanh"
    ),
    "Gemm": _gemm,
    "Greater": _binary(ops.greater),
    "GreaterOrEqual": _binary(ops.greater_equal),
    "Identity": _unary(lambda x: x),
    "LayerNormalization": _layer_norm,
    "Less": _binary(ops.less),
    "LessOrEqual": _binary(ops.less_equal),
    "Log": _unary(ops.log),
    "LogSoftmax": lambda x, attributes: ops.log_softmax(x[0], axis=attributes.get("axis", -1)),
    "MatMul": _binary(ops.matmul),
    "Max": _folded(ops.maximum),
    "MaxPool": _pool(ops.max_pool),
    "Min": _folded(ops.minimum),
    "Mul": _binary(ops.multiply),
    "Neg": _unary(ops.negative),
    "Not": _unary(ops.logical_not),
    "Or": _binary(ops.logical_or),
    "Pad": _pad,
    "Pow": _binary(ops.power),
    "Reciprocal": _unary(ops.reciprocal),
    "ReduceMax": _reduction(ops.max),
    "ReduceMean": _reduction(ops.mean),
    "ReduceMin": _reduction(ops.min),
    "ReduceSum": _reduction(ops.sum),
    "Relu": _unary(ops.relu),
    "Reshape": _reshape,
    "Sigmoid": _unary(ops.sigmoid),
    "Sin": _unary(ops.sin),
    "Slice": _slice,
    "Softmax": lambda x, attributes: ops.softmax(x[0], axis=attributes.get("axis", -1)),
    "Split": _split,
    "Sqrt": _unary(ops.sqrt),
    "Squeeze": _squeeze,
    "Sub": _binary(ops.subtract),
    "Tanh": _unary(ops.tanh),
    "Transpose": lambda x, attributes: ops.transpose(x[0], attributes.get("perm")),
    "Unsqueeze": _unsqueeze,
    "Where": lambda x, _: ops.where(x[0], x[1], x[2]),
}

FIXED: dict[str, tuple[int, ...]] = {
    "Conv": (1,),
    "Expand": (1,),
    "Pad": (1, 2, 3),
    "ReduceMax": (1,),
    "ReduceMean": (1,),
    "ReduceMin": (1,),
    "ReduceSum": (1,),
    "Reshape": (1,),
    "Slice": (1, 2, 3, 4),
    "Split": (1,),
    "Squeeze": (1,),
    "Unsqueeze": (1,),
}
"""Inputs that must be constants, by position."""
