from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from serbench.api import PluginError
from serbench.testing import ProbeStudent, check_backend, probe_model
from serbench_backends.torch import TorchBackend, TorchParams
from serbench_backends.torch_weights import FILE

FP32, BF16 = TorchBackend(TorchParams()), TorchBackend(TorchParams(precision="bf16"))


@pytest.fixture
def student() -> ProbeStudent:
    torch.manual_seed(0)
    return ProbeStudent()


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.randn(3, 3, 40, 50), torch.tensor([20, 35, 50])


def test_it_keeps_the_contract() -> None:
    assert check_backend(TorchBackend) is None
    assert check_backend(TorchBackend, {"precision": "bf16"}, tolerance=0.02) is None
    assert check_backend(TorchBackend, {"threads": 1}) is None


def test_fp32_is_exact_and_bf16_is_not(
    student: ProbeStudent, batch: tuple[torch.Tensor, torch.Tensor]
) -> None:
    with torch.no_grad():
        expected = student.eval()(*batch).logits
    exact = TorchBackend(TorchParams()).compile(student, *batch)(*batch)
    rounded = TorchBackend(TorchParams(precision="bf16")).compile(student, *batch)(*batch)
    assert torch.equal(exact, expected)
    assert rounded.dtype == torch.float32
    assert not torch.equal(rounded, expected)


def test_threads_hold_for_the_prediction_alone(
    student: ProbeStudent, batch: tuple[torch.Tensor, torch.Tensor]
) -> None:
    before = torch.get_num_threads()
    seen: list[int] = []
    student.dropout.register_forward_hook(lambda *_: seen.append(torch.get_num_threads()))
    TorchBackend(TorchParams(threads=before + 1)).compile(student, *batch)(*batch)
    assert seen == [before + 1]
    assert torch.get_num_threads() == before


def test_threads_are_given_back_after_an_error(
    student: ProbeStudent, batch: tuple[torch.Tensor, torch.Tensor]
) -> None:
    before = torch.get_num_threads()
    predict = TorchBackend(TorchParams(threads=before + 1)).compile(student, *batch)
    with pytest.raises(RuntimeError):
        predict(batch[0][:, :, :7], batch[1])
    assert torch.get_num_threads() == before


def test_later_training_does_not_change_the_predictor(
    student: ProbeStudent, batch: tuple[torch.Tensor, torch.Tensor]
) -> None:
    predict = TorchBackend(TorchParams()).compile(student, *batch)
    before = predict(*batch)
    with torch.no_grad():
        student.classifier.weight.add_(1.0)
    assert torch.equal(predict(*batch), before)


def test_a_converted_model_is_exact_in_fp32_and_rounded_in_bf16(tmp_path: Path) -> None:
    model, waveforms = probe_model(), np.stack(probe_model().calibration()[5:6])
    with torch.no_grad():
        expected = model.module()(torch.from_numpy(waveforms)).numpy()
    posteriors = {}
    for backend in (FP32, BF16):
        folder = tmp_path / backend.precision
        folder.mkdir()
        backend.convert(model, folder)
        posteriors[backend.precision] = backend.open(model, folder, 1)(waveforms)
    np.testing.assert_array_equal(posteriors["fp32"], expected)
    assert 0 < np.abs(posteriors["bf16"] - expected).max() < 0.02


def test_weights_come_from_the_file(tmp_path: Path) -> None:
    model, waveforms = probe_model(), np.stack(probe_model().calibration()[5:6])
    other = model.module()
    with torch.no_grad():
        other.student.classifier.bias[0] += 5.0  # pyright: ignore
    FP32.convert(SimpleNamespace(module=lambda: other), tmp_path)  # pyright: ignore[reportArgumentType]
    moved = FP32.open(model, tmp_path, 1)(waveforms)
    assert moved[0, 0] > 0.8


def test_bf16_keeps_products_and_convolutions_so_and_the_rest_in_fp32(tmp_path: Path) -> None:
    BF16.convert(probe_model(), tmp_path)
    kinds = {name: each.dtype for name, each in load_file(tmp_path / FILE).items()}
    rounded = {name for name, kind in kinds.items() if kind == torch.bfloat16}
    assert rounded == {"student.convolution.weight", "student.classifier.weight"}
    assert {kind for name, kind in kinds.items() if name not in rounded} == {torch.float32}


def test_the_front_end_is_outside_of_autocast(tmp_path: Path) -> None:
    model = probe_model()
    BF16.convert(model, tmp_path)
    kinds: list[torch.dtype] = []
    module = model.module()
    module.front_end.register_forward_hook(lambda _, __, out: kinds.append(out.dtype))  # pyright: ignore
    predict = BF16.open(SimpleNamespace(module=lambda: module), tmp_path, 1)  # pyright: ignore[reportArgumentType]
    predict(np.stack(model.calibration()[:1]))
    assert kinds == [torch.float32]


def test_threads_are_set_when_it_is_opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    FP32.convert(probe_model(), tmp_path)
    seen: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", seen.append)
    FP32.open(probe_model(), tmp_path, 3)
    assert seen == [3]


@pytest.mark.parametrize("damage", ["missing", "truncated", "other"])
def test_a_damaged_file_is_told(damage: str, tmp_path: Path) -> None:
    path = tmp_path / FILE
    FP32.convert(probe_model(), tmp_path)
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:100])
    else:
        model = SimpleNamespace(module=lambda: torch.nn.Linear(2, 2))
        FP32.convert(model, tmp_path)  # pyright: ignore[reportArgumentType]
    with pytest.raises(PluginError, match="PyTorch cannot load this model: "):
        FP32.open(probe_model(), tmp_path, 1)


def test_bf16_needs_to_know_the_student(tmp_path: Path) -> None:
    model = SimpleNamespace(module=lambda: torch.nn.Linear(2, 2))
    with pytest.raises(PluginError, match="no submodule `student`"):
        BF16.convert(model, tmp_path)  # pyright: ignore[reportArgumentType]
