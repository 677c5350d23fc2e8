from __future__ import annotations

import importlib
import importlib.util
import zipfile
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper, parser
from onnxruntime import InferenceSession
from tests_support.tiny_model import farthest, opened, tiny_model

from serbench.api import PluginError
from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry
from serbench_backends import tensorflow_runtime
from serbench_backends.keras_model import FILE, KerasBackend, KerasParams
from serbench_backends.onnx_steps import read_steps

BACKEND = KerasBackend(KerasParams())


@pytest.fixture
def layers() -> ModuleType:
    if reason := BACKEND.unavailable():
        pytest.skip(reason)
    tensorflow_runtime.keras(threads=1)
    return importlib.import_module("serbench_backends.keras_layers")


def test_the_registry_has_it() -> None:
    assert isinstance(load_registry(load_plugins()).make("backends", "keras"), KerasBackend)


@pytest.mark.parametrize(
    ("module", "what"), [("keras", "the runtime"), ("tensorflow", "the backend")]
)
def test_it_says_what_is_missing(module: str, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == module else name)
    assert BACKEND.unavailable() == (
        f"{what} of Keras is not installed (no module {module}): pip install 'serbench[keras]'"
    )


def test_keras_on_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    keras = SimpleNamespace(backend=SimpleNamespace(backend=lambda: "jax"))
    monkeypatch.setattr(tensorflow_runtime, "tensorflow", lambda threads: None)
    monkeypatch.setattr(tensorflow_runtime, "imported", lambda _: keras)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(PluginError, match="Keras runs on jax here; set KERAS_BACKEND=tensorflow"):
        tensorflow_runtime.keras(threads=1)


def graph_of(text: str) -> onnx.GraphProto:
    return parser.parse_graph(text)


def test_what_depends_on_constants_alone_is_worked_out() -> None:
    graph = graph_of(
        """g (float[2, 2] x) => (float[4] y) <int64[1] a = {3}, int64[1] one = {1}> {
          size = Add (a, one)
          y = Reshape <allowzero = 0> (x, size)
        }"""
    )
    (step,) = read_steps(graph)
    assert (step.operation, step.inputs, step.outputs) == ("Reshape", ("x", "size"), ("y",))
    assert step.attributes == {"allowzero": 0}
    assert step.constants[1].tolist() == [4]
    assert step.variables == {0: "x"}


def test_the_weights_of_a_convolution_are_turned_and_types_are_named() -> None:
    weights = np.arange(24, dtype=np.float32).reshape(4, 3, 2)  # (out, in, kernel)
    graph = onnx.GraphProto(
        initializer=[numpy_helper.from_array(weights, "w")],
        node=[
            helper.make_node("Conv", ["x", "w"], ["c"], kernel_shape=[2]),
            helper.make_node("Cast", ["c"], ["y"], to=TensorProto.INT64),
        ],
    )
    convolution, cast = read_steps(graph)
    np.testing.assert_array_equal(convolution.constants[1], weights.transpose(2, 1, 0))
    assert cast.attributes == {"to": "int64"}


FLOAT = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
WHOLE = np.random.default_rng(1).integers(-9, 9, (2, 3, 4)) | 1
RNG = np.random.default_rng(2)


def ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def floats(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


FIRST = -(2**63)
"""What exporters write for "to the beginning"."""

CASES: list[tuple[str, list[Any], list[Any], dict[str, Any]]] = [
    ("Add", [FLOAT], [floats(5)], {}),
    ("Sub", [FLOAT, FLOAT[:, :1]], [], {}),
    ("Div", [FLOAT], [np.float32(0.3)], {}),
    ("Div", [WHOLE], [ints(2)], {}),
    ("Pow", [np.abs(FLOAT)], [np.float32(1.5)], {}),
    ("Max", [FLOAT, -FLOAT, 2 * FLOAT], [], {}),
    ("Min", [WHOLE], [ints(3)], {}),
    ("Clip", [FLOAT], [np.float32(-0.2), np.float32(0.5)], {}),
    ("Clip", [FLOAT], [None, np.float32(0.5)], {}),
    ("Neg", [FLOAT], [], {}),
    ("Floor", [FLOAT], [], {}),
    ("Relu", [FLOAT], [], {}),
    ("Erf", [FLOAT], [], {}),
    ("Gelu", [FLOAT], [], {}),
    ("Gelu", [FLOAT], [], {"approximate": "tanh"}),
    ("Sigmoid", [FLOAT], [], {}),
    ("Softmax", [FLOAT], [], {"axis": 1}),
    ("LogSoftmax", [FLOAT], [], {}),
    ("Cast", [FLOAT], [], {"to": TensorProto.INT64}),
    ("Cast", [WHOLE], [], {"to": TensorProto.FLOAT}),
    ("Less", [FLOAT], [np.float32(0.1)], {}),
    ("Not", [FLOAT > 0], [], {}),
    ("And", [FLOAT > 0, FLOAT < 1], [], {}),
    ("Where", [FLOAT > 0, FLOAT], [np.float32("-inf")], {}),
    ("Concat", [FLOAT, FLOAT], [], {"axis": -1}),
    ("Transpose", [FLOAT], [], {"perm": [0, 3, 1, 2]}),
    ("Transpose", [FLOAT], [], {}),
    ("Reshape", [FLOAT], [ints(0, -1, 5)], {}),
    ("Expand", [FLOAT[:, :1]], [ints(2, 3, 1, 5)], {}),
    ("Squeeze", [FLOAT[:, :1]], [ints(1)], {}),
    ("Squeeze", [FLOAT[:1, :, :1]], [], {}),
    ("Unsqueeze", [FLOAT], [ints(0, -1)], {}),
    ("Slice", [FLOAT], [ints(1, -2), ints(9, 2**62), ints(1, 3)], {}),
    ("Slice", [FLOAT], [ints(-1), ints(FIRST), ints(3), ints(-1)], {}),
    ("Slice", [FLOAT], [ints(0), ints(5), ints(3), ints(2)], {}),
    ("Gather", [FLOAT], [ints(2, 0, 0)], {"axis": 1}),
    ("GatherElements", [FLOAT], [np.abs(WHOLE[..., None]) % 3], {"axis": 1}),
    ("Pad", [FLOAT], [ints(0, 1, 0, 2, 0, 0, 3, 0)], {}),
    ("Pad", [FLOAT], [ints(1, 2), np.float32(0.5), ints(3)], {}),
    ("Pad", [FLOAT], [ints(0, 0, 2, 0, 0, 0, 1, 0)], {"mode": "reflect"}),
    ("ReduceSum", [FLOAT], [ints(1, -1)], {"keepdims": 0}),
    ("ReduceMean", [FLOAT], [ints(2)], {}),
    ("ReduceMax", [FLOAT], [], {"keepdims": 0}),
    ("ReduceSum", [FLOAT], [], {"noop_with_empty_axes": 1}),
    ("MatMul", [FLOAT, floats(5, 2)], [], {}),
    ("Gemm", [FLOAT[0, 0]], [floats(3, 5), floats(3)], {"transB": 1, "alpha": 0.5, "beta": 2.0}),
    ("Gemm", [FLOAT[0, 0]], [floats(4, 3)], {"transA": 1}),
    ("Conv", [FLOAT], [floats(6, 3, 3, 2), floats(6)], {"strides": [2, 1], "pads": [1, 0, 0, 1]}),
    ("Conv", [FLOAT[:, :, 0]], [floats(6, 1, 3)], {"group": 3, "dilations": [2]}),
    ("AveragePool", [FLOAT], [], {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ("MaxPool", [FLOAT], [], {"kernel_shape": [2, 3]}),
    ("LayerNormalization", [FLOAT], [floats(5), floats(5)], {"epsilon": 1e-3}),
    ("BatchNormalization", [FLOAT], [floats(3), floats(3), floats(3), floats(3) ** 2], {}),
]


@pytest.mark.parametrize(
    ("operation", "variables", "constants", "attributes"),
    CASES,
    ids=[f"{n}-{case[0]}" for n, case in enumerate(CASES)],
)
def test_an_operation_gives_what_onnx_runtime_gives(
    layers: ModuleType,
    operation: str,
    variables: list[Any],
    constants: list[Any],
    attributes: dict[str, Any],
) -> None:
    inputs = [f"x{n}" for n in range(len(variables))]
    fixed = {f"c{n}": np.asarray(each) for n, each in enumerate(constants) if each is not None}
    names = [f"c{n}" if each is not None else "" for n, each in enumerate(constants)]
    node = helper.make_node(operation, inputs + names, ["y"], **attributes)
    feeds = dict(zip(inputs, variables, strict=True))
    graph = helper.make_graph(
        [node],
        "g",
        [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(each.dtype), each.shape
            )
            for name, each in feeds.items()
        ],
        [helper.make_empty_tensor_value_info("y")],
        [numpy_helper.from_array(each, name) for name, each in fixed.items()],
    )
    whole = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    (expected,) = InferenceSession(whole.SerializeToString()).run(None, feeds)
    expected = np.asarray(expected)
    result = np.asarray(layers.keras_model(graph).predict_on_batch(variables))
    assert result.dtype == expected.dtype
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


def test_an_operation_with_several_outputs(layers: ModuleType) -> None:
    graph = graph_of(
        """g (float[4, 2] x) => (float[1, 2] b, float[3, 2] a) <int64[2] sizes = {3, 1}> {
          a, b = Split <axis = 0> (x, sizes)
        }"""
    )
    x = floats(4, 2)
    b, a = layers.keras_model(graph).predict_on_batch(x)
    np.testing.assert_array_equal(a, x[:3])
    np.testing.assert_array_equal(b, x[3:])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "g (float[2] x) => (float[2] y) { z = Einsum (x) y = Acos (z) }",
            "does not support these operations of the model's graph: Acos, Einsum",
        ),
        (
            "g (float[2] x, int64[1] n) => (float[2] y) { y = Reshape (x, n) }",
            "input number 1 of Reshape is computed",
        ),
        (
            """g (float[1, 3] x) => (float[1, 5] y) <int64[4] n = {0, 1, 0, 1}> {
              y = Pad <mode = "edge"> (x, n)
            }""",
            "does not support Pad with mode edge",
        ),
    ],
)
def test_what_it_cannot_express_is_named(layers: ModuleType, text: str, message: str) -> None:
    with pytest.raises(PluginError, match=message):
        layers.keras_model(graph_of(text))


def test_it_gives_what_pytorch_gives_from_a_file_without_code(tmp_path: Path) -> None:
    if reason := BACKEND.unavailable():
        pytest.skip(reason)
    (folder := tmp_path / "converted").mkdir()
    model = tiny_model(tmp_path / "model")
    assert farthest(opened(BACKEND, model, folder), model) < 1e-5
    with zipfile.ZipFile(folder / FILE) as file:
        assert b"Lambda" not in file.read("config.json")
    with pytest.raises(PluginError, match="use another process"):
        BACKEND.open(model, folder, threads=2)


def test_a_file_with_code_in_it_and_a_damaged_one_are_refused(
    layers: ModuleType, tmp_path: Path
) -> None:
    import keras  # pyright: ignore[reportMissingImports]

    inputs = keras.Input((3,))
    keras.Model(inputs, keras.layers.Lambda(lambda x: x + 1)(inputs)).save(tmp_path / FILE)
    with pytest.raises(PluginError, match="Keras cannot load this model: "):
        BACKEND.open(SimpleNamespace(), tmp_path, threads=1)  # pyright: ignore[reportArgumentType]
    (tmp_path / FILE).write_bytes(b"not a model")
    with pytest.raises(PluginError, match="Keras cannot load this model: "):
        BACKEND.open(SimpleNamespace(), tmp_path, threads=1)  # pyright: ignore[reportArgumentType]
