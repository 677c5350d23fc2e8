from __future__ import annotations

import pytest
import torch

from serbench.testing import ProbeStudent, check_backend
from serbench_backends.torch import TorchBackend, TorchParams


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
