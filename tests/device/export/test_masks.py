"""Masks that are always ones are taken out; everything else of the graph stays."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper, parser

from serbench.device.export.masks import drop_idle_masks

SIZES = range(2, 7)


def model(body: str) -> onnx.ModelProto:
    text = (
        '<ir_version: 10, opset_import: ["" : 20]>\n'
        "g (float[w, f, 3] heard) => (float[w, f, 3] y) {\n  x = Neg (heard)\n"
        "  size = Shape <start = 1, end = 2> (x)\n"
        "  none = Constant <value_int = 0> ()\n  one = Constant <value_int = 1> ()\n"
        "  axis = Constant <value_ints = [0]> ()\n  count = Squeeze (size, axis)\n"
        "  at = Range (none, count, one)\n  column = Constant <value_ints = [-1, 1]> ()\n"
        f"{body}\n}}"
    )
    made = parser.parse_model(text)
    for name, value in {"low": np.array(-9.0, np.float32), "one_axis": np.array([1])}.items():
        made.graph.initializer.append(numpy_helper.from_array(value, name))
    onnx.checker.check_model(made)
    return made


def run(made: onnx.ModelProto, windows: int, size: int) -> np.ndarray:
    session = onnxruntime.InferenceSession(
        made.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    x = np.random.default_rng(0).normal(size=(windows, size, 3)).astype(np.float32)
    return session.run(None, {"heard": x})[0]  # pyright: ignore[reportReturnType]


def operations(made: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in made.graph.node]


IDLE = {
    "factor": "  m = Less (at, count)\n  f = Cast <to = 1> (m)\n  c = Reshape (f, column)\n"
    "  y = Mul (x, c)",
    "factor first": "  m = Less (at, count)\n  f = Cast <to = 1> (m)\n  c = Reshape (f, column)\n"
    "  z = Mul (c, x)\n  y = Identity (z)",
    "choice": "  m = Less (at, count)\n  c = Reshape (m, column)\n  y = Where (c, x, low)",
    "other choice": "  m = Less (at, count)\n  n = Not (m)\n  c = Reshape (n, column)\n"
    "  z = Where (c, low, x)\n  y = Relu (z)",
    "two in a row": "  m = Less (at, count)\n  f = Cast <to = 1> (m)\n  c = Reshape (f, column)\n"
    "  z = Mul (x, c)\n  v = Mul (z, c)\n  y = Relu (v)",
}

REAL = {
    "a mask of some sizes only": "  four = Constant <value_int = 4> ()\n  m = Less (at, four)\n"
    "  c = Reshape (m, column)\n  y = Where (c, x, low)",
    "a mask of what is heard": "  m = Less (x, low)\n  y = Where (m, x, low)",
    "a factor that widens": "  m = Less (at, count)\n  f = Cast <to = 1> (m)\n"
    "  c = Reshape (f, column)\n  s = ReduceSum <keepdims = 1> (x, one_axis)\n  y0 = Mul (s, c)\n"
    "  y = Add (y0, x)",
    "a scalar behind a mask": "  m = Less (at, count)\n  c = Reshape (m, column)\n"
    "  z = Where (c, low, x)\n  y = Add (z, x)",
}


@pytest.mark.parametrize("name", list(IDLE))
def test_what_does_nothing_goes(name: str) -> None:
    made = model(IDLE[name])
    before = {size: run(made, 2, size) for size in SIZES}
    if made.graph.node[-1].op_type in {"Mul", "Where"}:
        made.graph.node[-1].output[0] = "last"
        made.graph.node.append(onnx.helper.make_node("Identity", ["last"], ["y"]))
    drop_idle_masks(made, SIZES)
    assert not {"Mul", "Where", "Less", "Range"} & set(operations(made))
    for size in SIZES:
        np.testing.assert_array_equal(run(made, 2, size), before[size])


@pytest.mark.parametrize("name", list(REAL))
def test_what_does_something_stays(name: str) -> None:
    made = model(REAL[name])
    before, kept = {size: run(made, 2, size) for size in SIZES}, operations(made)
    drop_idle_masks(made, SIZES)
    assert [each for each in operations(made) if each in {"Mul", "Where"}] == [
        each for each in kept if each in {"Mul", "Where"}
    ]
    for size in SIZES:
        np.testing.assert_array_equal(run(made, 2, size), before[size])
