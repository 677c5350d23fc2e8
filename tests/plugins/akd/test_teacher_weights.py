"""Adaptive teacher weights, against loops in NumPy."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from serbench.api import LossShape, StudentOutput
from serbench.learning.fit.optimise import make_optimizer
from serbench.settings import OptimiserSettings
from serbench_akd.akd import Akd, AkdParams
from serbench_akd.terms import AdaptiveTeacherWeights, UniformTeacherWeights, channel_maxima

N, C, H, W, M = 4, 5, 3, 6, 3


def example(seed: int) -> tuple[AdaptiveTeacherWeights, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    weights = AdaptiveTeacherWeights(M, C).double()
    with torch.no_grad():
        for parameter in weights.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    last_map = torch.randn(N, C, H, W, generator=generator, dtype=torch.float64)
    lengths = torch.randint(1, W + 1, (N,), generator=generator)
    return weights, last_map, torch.arange(W)[None] < lengths[:, None]


def output_of(last_map: torch.Tensor, mask: torch.Tensor) -> StudentOutput:
    logits, embedding = torch.zeros(len(last_map), 2), torch.zeros(len(last_map), 3)
    return StudentOutput(logits, embedding, last_map=last_map, last_mask=mask)


def test_matches_reference() -> None:
    weights, last_map, mask = example(0)
    theta, v = weights.theta.detach().numpy(), weights.v.detach().numpy()
    expected = np.zeros((M, N))
    for i in range(N):
        d = np.full(C, -np.inf)
        for c in range(C):
            for h in range(H):
                for w in range(W):
                    if mask[i, w]:
                        d[c] = max(d[c], last_map[i, c, h, w].item())
        scores = [math.fsum(v[c] * theta[t, c] * d[c] for c in range(C)) for t in range(M)]
        powers = [math.exp(score - max(scores)) for score in scores]
        expected[:, i] = np.array(powers) / math.fsum(powers)
    got = weights(output_of(last_map, mask)).exp().detach()
    np.testing.assert_allclose(got, expected, atol=1e-12)


def test_padding_is_not_read() -> None:
    weights, last_map, mask = example(1)
    padded = last_map.masked_fill(~mask[:, None, None, :], 1e6)
    torch.testing.assert_close(weights(output_of(padded, mask)), weights(output_of(last_map, mask)))
    assert channel_maxima(padded, mask).max() < 1e3


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_they_are_decayed_by_their_penalty_alone(optimizer: Literal["adam", "adamw"]) -> None:
    loss = Akd(AkdParams(lambda_hint=0.0, alpha=0.0)).build(
        LossShape(num_classes=2, embedding_dim=3, map_dims=((C, H),), last_map_dim=C,
                  num_teachers=M)
    )  # fmt: skip
    student = torch.nn.Linear(2, 2)
    chosen = OptimiserSettings(optimizer=optimizer, weight_decay=0.1)
    made = make_optimizer(student, loss, chosen)
    decay = {id(p): group["weight_decay"] for group in made.param_groups for p in group["params"]}
    own = dict(loss.named_parameters())
    assert set(own) == {"teacher_weights.theta", "teacher_weights.v"}
    assert [decay[id(parameter)] for parameter in own.values()] == [0.0, 0.0]
    assert decay[id(student.weight)] == 0.1


def test_penalty_is_the_squared_norms() -> None:
    weights, _, _ = example(2)
    expected = sum(x * x for p in weights.parameters() for x in p.detach().flatten().tolist())
    assert math.isclose(weights.penalty().item(), expected, rel_tol=1e-12)


def test_nothing_is_preferred_at_the_start_yet_it_can_learn() -> None:
    _, last_map, mask = example(3)
    weights = AdaptiveTeacherWeights(M, C).double()
    log_w = weights(output_of(last_map, mask))
    torch.testing.assert_close(log_w, torch.full_like(log_w, -math.log(M)))
    log_w[0].sum().backward()
    assert weights.theta.grad is not None
    assert weights.theta.grad.abs().min() > 0


def test_uniform_weights() -> None:
    plain = StudentOutput(torch.zeros(N, 2), torch.zeros(N, 3))
    log_w = UniformTeacherWeights(M)(plain)
    torch.testing.assert_close(log_w.exp(), torch.full((M, N), 1 / M))


def test_gradients() -> None:
    weights, last_map, mask = example(4)
    last_map.requires_grad_()
    inputs = (last_map, weights.theta, weights.v)
    assert torch.autograd.gradcheck(lambda b, *_: weights(output_of(b, mask)), inputs)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_invariances(seed: int) -> None:
    weights, last_map, mask = example(seed)
    log_w = weights(output_of(last_map, mask)).detach()
    torch.testing.assert_close(log_w.exp().sum(0), torch.ones(N, dtype=torch.float64))
    generator = torch.Generator().manual_seed(seed)
    segments = torch.randperm(N, generator=generator)
    torch.testing.assert_close(
        weights(output_of(last_map[segments], mask[segments])), log_w[:, segments]
    )
    teachers = torch.randperm(M, generator=generator)
    with torch.no_grad():
        weights.theta.copy_(weights.theta[teachers].clone())
    torch.testing.assert_close(weights(output_of(last_map, mask)), log_w[teachers])
