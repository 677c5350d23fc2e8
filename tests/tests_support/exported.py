"""Tiny files in the form of exported models, whose posteriors are known in closed form."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper

from serbench_runtime import Model
from serbench_runtime.facts import parse_facts
from serbench_runtime.onnx_file import read_metadata

LABELS = ("high", "low", "loud")

GAIN = 20.0

FACTS: dict[str, object] = {
    "format": 1,
    "serbench_version": "0.1.0",
    "labels": list(LABELS),
    "sample_rate_hz": 16000,
    "shortest_s": 0.1,
    "window_s": 3.0,
    "overlap_s": 0.5,
    "name": "tiny/seed-0/outer-1",
    "student": {"name": "tiny"},
    "provenance": {"dataset": "noise"},
}


def posteriors_by_hand(waveforms: NDArray[np.floating]) -> NDArray[np.float64]:
    """``(N, samples)`` to ``(N, 3)``: softmax of 20 times mean, minus mean, and mean square."""
    x = np.asarray(waveforms, np.float64)
    mean, power = x.mean(axis=1), (x**2).mean(axis=1)
    logits = GAIN * np.stack([mean, -mean, power], axis=1)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def recorded(
    path: Path, compute: Callable[[NDArray[np.float32]], NDArray[np.floating]] = posteriors_by_hand
) -> tuple[Model, list[tuple[int, ...]]]:
    """The model of a file with ``compute`` in place of its graph, and the shapes of its calls."""
    shapes: list[tuple[int, ...]] = []

    def run(_: object, inputs: Mapping[str, NDArray[np.float32]]) -> list[NDArray[np.floating]]:
        (rows,) = inputs.values()
        shapes.append(rows.shape)
        return [compute(rows)]

    facts = parse_facts(read_metadata(path), path)
    return Model(SimpleNamespace(run=run), facts, path, "0" * 64), shapes  # pyright: ignore[reportArgumentType]


def make_exported(
    path: Path,
    facts: Mapping[str, object] | str | None = FACTS,
    *,
    names: tuple[str, str] = ("waveform", "posteriors"),
    shape: Sequence[int | str] = ("batch", "samples"),
    width: int | str = 3,
    element: int = TensorProto.FLOAT,
    final: str = "Softmax",
) -> Path:
    """Write a model that computes ``posteriors_by_hand``; ``facts`` None leaves them out."""
    given, gives = names
    nodes = [
        helper.make_node("ReduceMean", [given], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Neg", ["mean"], ["minus"]),
        helper.make_node("Mul", [given, given], ["square"]),
        helper.make_node("ReduceMean", ["square"], ["power"], axes=[1], keepdims=1),
        helper.make_node("Concat", ["mean", "minus", "power"], ["all"], axis=1),
        helper.make_node("Mul", ["all", "gain"], ["logits"]),
        helper.make_node(final, ["logits"], [gives]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(given, element, list(shape))],
        [helper.make_tensor_value_info(gives, element, [shape[0], width])],
        [helper.make_tensor("gain", element, [], [GAIN])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if facts is not None:
        text = facts if isinstance(facts, str) else json.dumps(facts)
        helper.set_model_props(model, {"serbench": text})
    path.write_bytes(model.SerializeToString())
    return path
