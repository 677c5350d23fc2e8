"""The reference model of latencies: a fixed graph that no change of this project makes faster.

Milliseconds of one machine mean nothing on another, and little on the same one an hour later. The
ratio to a graph that runs alternately in the same job can be compared. The graph is about as heavy
as a small student and has the same operations: strided and two-dimensional convolutions, attention,
matrix products. Its weights come from a generator that NumPy has frozen, so they are the same
everywhere. The golden file has the digest of the graph.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from serbench.api import Backend, DeployedModel, Params, PluginError, WaveformPredictor

if TYPE_CHECKING:  # a worker only runs the graph
    import onnx

OPSET, IR_VERSION = 18, 9
SEED = 20_260
HIDDEN = 192
"""Width of matrix products."""
FILTERS = (16, 32, 64)
"""Channels of the two-dimensional convolutions."""
BANDS = 64
"""Channels of the front end; each convolution halves them."""

GRAPH = "reference.onnx"


class ReferenceParams(Params):
    """Choice of the graph."""

    model: Path
    """An ONNX file that computes posteriors from ``waveform (N, samples)``."""


class ReferenceBackend(Backend):
    """The reference in ONNX Runtime, on the CPU."""

    name = "reference"
    Params = ReferenceParams
    params: ReferenceParams

    def convert(self, model: DeployedModel, folder: Path) -> None:
        """Nothing is converted: the graph does not depend on ``model``."""

    def open(self, model: DeployedModel, folder: Path, threads: int) -> WaveformPredictor:  # noqa: ARG002 - of the contract
        """
        Raises:
            PluginError: the file cannot be run.
        """
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(
                str(self.params.model), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its errors have no common type
            raise PluginError(f"the reference {self.params.model} cannot be run: {error}") from None
        return lambda waveforms: np.asarray(session.run(None, {"waveform": waveforms})[0])


@dataclass
class _Builder:
    """Nodes and weights of a graph; all weights come from one generator."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: list[onnx.TensorProto] = field(default_factory=list)
    # NumPy promises never to change this generator's numbers.
    draw: np.random.RandomState = field(default_factory=lambda: np.random.RandomState(SEED))

    def constant(self, values: NDArray[np.generic]) -> str:
        """Add a constant; returns its name."""
        from onnx import numpy_helper

        name = f"constant_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def weight(self, *shape: int, fan_in: int) -> str:
        """Add a uniform weight, whose variance preserves the signal's level; returns its name."""
        bound = math.sqrt(3 / fan_in)
        return self.constant(self.draw.uniform(-bound, bound, shape).astype(np.float32))

    def add(self, operation: str, *inputs: str, **attributes: int | list[int]) -> str:
        """Add a node; returns its output."""
        from onnx import helper

        name = f"{operation.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operation, list(inputs), [name], name, **attributes))  # pyright: ignore[reportArgumentType]
        return name

    def product(self, x: str, width: int, height: int) -> str:
        """``x @ W`` for a W of ``(width, height)``."""
        return self.add("MatMul", x, self.weight(width, height, fan_in=width))


def reference_graph() -> onnx.ModelProto:
    """A graph from ``waveform (N, samples)`` to ``posteriors (N, 4)``: about 0.2 GFLOPs for 3 s."""
    from onnx import TensorProto, helper

    build = _Builder()
    x = build.add("Unsqueeze", "waveform", build.constant(np.array([1], np.int64)))
    front = build.weight(BANDS, 1, 400, fan_in=400)
    x = build.add("Relu", build.add("Conv", x, front, strides=[160], pads=[200, 200]))
    x = build.add("Unsqueeze", x, build.constant(np.array([1], np.int64)))  # (N, 1, bands, frames)
    before, strides = 1, ([2, 1], [2, 2], [2, 1])
    for channels, stride in zip(FILTERS, strides, strict=True):
        kernel = build.weight(channels, before, 3, 3, fan_in=9 * before)
        x = build.add("Relu", build.add("Conv", x, kernel, strides=stride, pads=[1, 1, 1, 1]))
        before = channels
    x = build.add("Transpose", x, perm=[0, 3, 1, 2])  # (N, frames, channels, bands)
    width = FILTERS[-1] * BANDS // 8
    x = build.add("Reshape", x, build.constant(np.array([0, 0, width], np.int64)))
    x = _block(build, build.add("Relu", build.product(x, width, HIDDEN)))
    x = build.add("ReduceMean", x, build.constant(np.array([1], np.int64)), keepdims=0)
    build.nodes.append(helper.make_node("Softmax", [build.product(x, HIDDEN, 4)], ["posteriors"]))
    graph = helper.make_graph(
        build.nodes,
        "serbench-reference",
        [helper.make_tensor_value_info("waveform", TensorProto.FLOAT, ["N", "samples"])],
        [helper.make_tensor_value_info("posteriors", TensorProto.FLOAT, ["N", 4])],
        build.weights,
    )
    opset = [helper.make_opsetid("", OPSET)]
    return helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION)


def _block(build: _Builder, x: str) -> str:
    """Attention and two products, each added to its input: ``(N, frames, HIDDEN)``."""
    query, key, value = (build.product(x, HIDDEN, HIDDEN) for _ in range(3))
    scale = build.constant(np.array(HIDDEN**-0.5, np.float32))
    scores = build.add("MatMul", query, build.add("Transpose", key, perm=[0, 2, 1]))
    shares = build.add("Softmax", build.add("Mul", scores, scale))
    x = build.add("Add", x, build.add("MatMul", shares, value))
    inner = build.add("Relu", build.product(x, HIDDEN, 2 * HIDDEN))
    return build.add("Add", x, build.product(inner, 2 * HIDDEN, HIDDEN))


def graph_digest(model: onnx.ModelProto) -> str:
    """sha256 of operations and weights, independent of the version of ONNX."""
    from onnx import helper, numpy_helper

    digest = hashlib.sha256(repr([each.version for each in model.opset_import]).encode())
    for node in model.graph.node:
        said = sorted((each.name, helper.get_attribute_value(each)) for each in node.attribute)
        shown = [(name, list(value) if _is_list(value) else value) for name, value in said]
        digest.update(repr((node.op_type, [*node.input], [*node.output], shown)).encode())
    for weight in model.graph.initializer:
        values = numpy_helper.to_array(weight)
        digest.update(repr((weight.name, values.dtype.str, values.shape)).encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def _is_list(value: object) -> bool:
    return not isinstance(value, (str, bytes, int, float))


@dataclass(frozen=True, slots=True)
class Reference:
    """The graph by whose latency others are divided.

    Attributes:
        kind: ``built-in``, or ``file``: an exported model.
        sha256: digest of the built-in graph, or of the file.
    """

    kind: str
    model: Path
    sha256: str


def open_reference(named: Path | None, folder: Path) -> Reference:
    """The named model file, else the built-in graph, written into ``folder``.

    Raises:
        ModelError: the file is not an exported model.
    """
    if named is None:
        import onnx

        graph, place = reference_graph(), folder / GRAPH
        onnx.save(graph, place)
        return Reference("built-in", place, graph_digest(graph))
    from serbench_runtime import load

    load(named)
    digest = hashlib.sha256(named.read_bytes()).hexdigest()
    return Reference("file", named.resolve(), digest)
