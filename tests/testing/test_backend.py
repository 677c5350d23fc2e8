from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from serbench.api import (
    Backend,
    DeployedModel,
    Params,
    Predictor,
    WaveformPredictor,
    Waveforms,
)
from serbench.testing import check_backend, probe_model

Compile = Callable[[nn.Module, Tensor, Tensor], Predictor]
Change = Callable[[NDArray[np.float32]], NDArray[np.floating]]


class Plain(Backend):
    """Runs the graph that is shipped; the base of all that is broken below."""

    name = "b"
    Params = Params

    def convert(self, model: DeployedModel, folder: Path) -> None:
        (folder / "copy.onnx").write_bytes(model.onnx.read_bytes())

    def open(self, model: DeployedModel, folder: Path, threads: int) -> WaveformPredictor:
        session = onnxruntime.InferenceSession(
            str(folder / "copy.onnx"), providers=["CPUExecutionProvider"]
        )
        return lambda waveforms: self.change(session.run(None, {"waveform": waveforms})[0])  # pyright: ignore[reportArgumentType]

    def change(self, posteriors: NDArray[np.float32]) -> NDArray[np.float32]:
        return posteriors


def with_posteriors(change: Change) -> type[Backend]:
    return type("B", (Plain,), {"change": lambda _, posteriors: change(posteriors)})


def with_compile(compile_: Compile) -> type[Backend]:
    return type("B", (Plain,), {"compile": lambda _, *arguments: compile_(*arguments)})


def eager(student: nn.Module, _features: Tensor, _lengths: Tensor) -> Predictor:
    def predict(features: Tensor, lengths: Tensor) -> Tensor:
        with torch.no_grad():
            was_training = student.training
            logits = student.eval()(features, lengths).logits
            student.train(was_training)
            return logits

    return predict


def test_a_good_backend_passes_and_an_unavailable_one_says_why() -> None:
    assert check_backend(Plain) is None
    assert check_backend(with_compile(eager)) is None
    missing = type("B", (Plain,), {"unavailable": lambda _: "no such device"})
    assert check_backend(missing) == "no such device"


def test_the_probe_is_made_once_and_is_a_real_model() -> None:
    model = probe_model()
    assert model is probe_model()
    assert len(model.calibration()) == 8
    posteriors = model.module()(torch.from_numpy(np.stack(model.calibration()[1:2])))
    assert posteriors.shape == (1, len(model.labels))
    assert float(posteriors.max()) > 1.5 / len(model.labels)  # far from even


class Drifts(Plain):
    calls = 0

    def change(self, posteriors: NDArray[np.float32]) -> NDArray[np.float32]:
        self.calls += 1
        shift = 1e-6 * self.calls
        return posteriors + np.array([shift, -shift, 0, 0], dtype=np.float32)


class Reuses(Plain):
    """What it gave before gets 0 once it has given the same again."""

    def __init__(self, params: Params) -> None:
        super().__init__(params)
        self.before = np.zeros((1, 4), dtype=np.float32)

    def change(self, posteriors: NDArray[np.float32]) -> NDArray[np.float32]:
        self.before[:] = 0
        self.before = posteriors
        return posteriors


class Scribbles(Plain):
    def open(self, model: DeployedModel, folder: Path, threads: int) -> WaveformPredictor:
        predict = super().open(model, folder, threads)

        def scribble(waveforms: Waveforms) -> NDArray[np.float32]:
            posteriors = predict(waveforms)
            waveforms[:] = 0
            return posteriors

        return scribble


class Writes(Plain):
    def open(self, model: DeployedModel, folder: Path, threads: int) -> WaveformPredictor:
        (folder / "cache").write_text("compiled")
        return super().open(model, folder, threads)


class Forgets(Plain):
    def convert(self, model: DeployedModel, folder: Path) -> None:
        pass


class Litters(Plain):
    def convert(self, model: DeployedModel, folder: Path) -> None:
        super().convert(model, folder)
        model.onnx.with_name("litter").write_text("")


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (with_posteriors(lambda p: p + np.array([0.01, -0.01, 0, 0], dtype=np.float32)),
         "1 × 0.1 s.*: posteriors differ from PyTorch's by 1.0e-02, more than 0.0001"),
        (with_posteriors(lambda p: p.astype(np.float64)), "must be float32, not float64"),
        (with_posteriors(lambda p: p[:, :2]), r"1 × 0.1 s.*: .* must be \(1, 4\), not \(1, 2\)"),
        (with_posteriors(lambda p: p * np.float32(1.01)), "must sum to 1, not"),
        (with_posteriors(lambda p: p * np.float32("nan")), "must be finite"),
        (with_posteriors(lambda p: p.tolist()), "must be a ndarray"),
        (Drifts, "the same posteriors each time"),
        (Reuses, "must not change posteriors"),
        (Scribbles, "must not change its input"),
        (Writes, "open must not change what convert wrote"),
        (Forgets, "must write everything that open needs"),
    ],
)  # fmt: skip
def test_a_broken_backend_is_told(cls: type, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_backend(cls)


def test_a_conversion_that_writes_beside_the_model_is_told() -> None:
    try:
        with pytest.raises(AssertionError, match="must not change the model's own files"):
            check_backend(Litters)
    finally:
        probe_model().onnx.with_name("litter").unlink()


def with_logits(change: Callable[[Tensor], Tensor]) -> Compile:
    return lambda student, f, n: lambda x, m: change(eager(student, f, n)(x, m))


def halve(student: nn.Module, features: Tensor, lengths: Tensor) -> Predictor:
    return eager(student.half(), features, lengths)


def switch(student: nn.Module, features: Tensor, lengths: Tensor) -> Predictor:
    return eager(student.eval(), features, lengths)


@pytest.mark.parametrize(
    ("compile_", "message"),
    [
        (halve, "must not change the student"),
        (switch, "leave the student's mode"),
        (with_logits(lambda logits: logits + 0.01), "differ from the student's own by 1.0e-02"),
        (with_logits(lambda logits: logits.double()), "must be float32"),
        (with_logits(lambda logits: logits[:, :2]), "logits of 2 × 120 frames must be"),
        (with_logits(lambda logits: logits.requires_grad_()), "must not track gradients"),
        (with_logits(lambda logits: logits + 1e-6 * torch.rand(1)), "the same logits each time"),
    ],
)
def test_a_broken_compile_is_told(compile_: Compile, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_backend(with_compile(compile_))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"unavailable": lambda _: " "}, "must return a reason"),
        ({"precision": ""}, "precision must be a word"),
        ({"device": "tpu"}, "device must be cpu or cuda, not tpu"),
    ],
)
def test_what_stands_in_the_table_is_checked(members: dict[str, object], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_backend(type("B", (Plain,), members))


def test_convert_and_open_are_needed() -> None:
    with pytest.raises(AssertionError, match="lacks convert, open"):
        check_backend(type("B", (Backend,), {"name": "b", "Params": Params}))
