"""The student `cpac` and its loss `margin`, against sums written out in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError

from serbench.api import Batch, LossShape, StudentOutput, StudentShape
from serbench.testing import check_student
from serbench_baselines.cpac import Cpac, CpacParams
from serbench_baselines.margin import Margin, MarginParams

Array = NDArray[np.float64]
SMALL = CpacParams(filters=3, capsule=4, capsules=2)


def test_it_has_the_published_number_of_trained_parameters() -> None:
    network = Cpac(CpacParams()).build(StudentShape(7, 1, 39))
    assert sum(p.numel() for p in network.parameters() if p.requires_grad) == 321_480


def test_a_small_one_keeps_the_contract_too() -> None:
    check_student(Cpac, SMALL.model_dump())


def convolved(x: Array, weight: Array, bias: Array) -> Array:
    """``x (c, values, frames)``, only where all 3 × 3 cells are there."""
    out = np.zeros((len(weight), x.shape[1] - 2, x.shape[2] - 2))
    for h in range(out.shape[1]):
        for w in range(out.shape[2]):
            out[:, h, w] = (weight * x[:, h : h + 3, w : w + 3]).sum(axis=(1, 2, 3)) + bias
    return out


def halved(x: Array) -> Array:
    rows, columns = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
    return (
        x[:, 0:rows:2, 0:columns:2]
        + x[:, 1:rows:2, 0:columns:2]
        + x[:, 0:rows:2, 1:columns:2]
        + x[:, 1:rows:2, 1:columns:2]
    ) / 4


def squashed(x: Array) -> Array:
    length = np.linalg.norm(x)
    return x * length / (1 + length**2)


def softmax(row: Array) -> Array:
    powers = np.exp(row - row.max())
    return powers / powers.sum()


def routed(low: Array, weight: Array, capsules: int, rounds: int) -> Array:
    """``low (n, d)``; each capsule below splits its vote over those above by how they agree."""
    votes = (low @ weight.T).reshape(len(low), capsules, -1)
    logits = np.zeros((len(low), capsules))
    sums = np.zeros(votes.shape[1:])
    for _ in range(rounds):
        shares = np.stack([softmax(row) for row in logits])
        for j in range(capsules):
            sums[j] = shares[:, j] @ votes[:, j]
        ways = [each / np.linalg.norm(each) for each in sums]
        logits = np.array([[v @ way for v, way in zip(vote, ways, strict=True)]
                           for vote in votes])  # fmt: skip
    return np.stack([squashed(each) for each in sums])


@pytest.mark.parametrize("width", [39, 20, 55])
def test_it_says_what_sums_in_numpy_say(width: int) -> None:
    torch.manual_seed(0)
    network = Cpac(SMALL).build(StudentShape(3, 1, width)).eval()
    generator = torch.Generator().manual_seed(3)
    for value in network.state_dict().values():
        value.copy_(0.5 * torch.randn(value.shape, generator=generator))
    state = {name: value.double().numpy() for name, value in network.state_dict().items()}
    features = 2 * torch.randn(3, 1, width, 75, generator=generator) + 0.5
    lengths = torch.tensor([75, 50, 30])
    with torch.no_grad():
        output = network(features, lengths)
    for n, length in enumerate(lengths.tolist()):
        x = features[n, :, :, :length].double().numpy()
        x = np.pad(x, ((0, 0), (0, max(0, 38 - width)), (0, max(0, 38 - length))))
        for level in range(3):
            x = convolved(x, state[f"convs.{level}.0.weight"], state[f"convs.{level}.0.bias"])
            scale, shift = (state[f"convs.{level}.1.{key}"] for key in ("scale", "shift"))
            x = scale[:, None, None] * x + shift[:, None, None]
            x = halved(np.where(x > 0, x, np.expm1(np.minimum(x, 0))))
        x = convolved(x, state["primary.weight"], state["primary.bias"])
        low = np.array([
            squashed(x[4 * c : 4 * c + 4, h, w])
            for w in range(x.shape[2]) for h in range(x.shape[1]) for c in range(2)
        ])  # fmt: skip
        shares = np.stack([softmax(float(state["attention.scale"]) * (low @ v)) for v in low])
        low = low * (shares @ low)
        embedding = routed(low, state["routing.predict.weight"], 2, 3).mean(axis=0)
        logits = state["classify.weight"] @ embedding + state["classify.bias"]
        np.testing.assert_allclose(output.embedding[n], embedding, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(output.logits[n], logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_margin_matches_reference(smoothing: float) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = (2 * torch.randn(6, 4, generator=generator)).requires_grad_()
    labels = torch.arange(6) % 4
    batch = Batch(torch.zeros(6, 1, 2, 3), torch.full((6,), 3), labels, torch.zeros(0, 6, 4))
    loss = Margin(MarginParams(label_smoothing=smoothing))
    assert loss.needs == frozenset()
    terms = loss.build(LossShape(4, 2, (), 0))(batch, StudentOutput(logits, torch.zeros(6, 2)))
    value, slope = 0.0, np.zeros((6, 4))
    for i, row in enumerate(logits.detach().double().numpy()):
        p = softmax(row)
        by_posterior = np.zeros(4)
        for k in range(4):
            t = smoothing / 4 + (1 - smoothing) * (k == int(labels[i]))
            value += (t * max(0, 0.9 - p[k]) ** 2 + 0.5 * (1 - t) * max(0, p[k] - 0.1) ** 2) / 6
            by_posterior[k] = (1 - t) * max(0, p[k] - 0.1) - 2 * t * max(0, 0.9 - p[k])
        slope[i] = p * (by_posterior - p @ by_posterior) / 6
    assert set(terms) == {"margin", "total"}
    assert terms["total"].item() == pytest.approx(value, abs=1e-6)
    (gradient,) = torch.autograd.grad(terms["total"], logits)
    np.testing.assert_allclose(gradient.numpy(), slope, atol=1e-6)


@pytest.mark.parametrize(
    "params", [{"upper": 1.1}, {"label_smoothing": 1.0}, {"upper": 0.4, "lower": 0.5}]
)
def test_bad_margins_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(params))):
        MarginParams(**params)
