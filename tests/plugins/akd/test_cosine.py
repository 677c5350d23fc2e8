"""The cosine term, against loops in NumPy."""

from __future__ import annotations

import math

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from serbench_akd.terms import EmbeddingCosine

N, E, WIDTHS = 4, 3, (5, 6)


def example(
    seed: int,
) -> tuple[EmbeddingCosine, torch.Tensor, tuple[torch.Tensor, ...], torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    term = EmbeddingCosine(E, WIDTHS).double()
    with torch.no_grad():
        for parameter in term.parameters():
            parameter.copy_(normal(*parameter.shape))
    return term, normal(N, E), tuple(normal(N, p) for p in WIDTHS), normal(2, N).log_softmax(0)


def test_matches_reference() -> None:
    term, embedding, pooled, log_weights = example(0)
    weights = log_weights.exp().numpy()
    expected = np.zeros(N)
    for t, project in enumerate(term.projections):
        matrix, bias = (p.detach().numpy() for p in project.parameters())
        for i in range(N):
            made = [
                math.fsum(matrix[d, e] * embedding[i, e].item() for e in range(E)) + bias[d]
                for d in range(WIDTHS[t])
            ]
            told = pooled[t][i].tolist()
            dot = math.fsum(a * b for a, b in zip(made, told, strict=True))
            lengths = math.sqrt(math.fsum(a * a for a in made) * math.fsum(b * b for b in told))
            expected[i] += weights[t, i] * (1 - dot / lengths)
    got = term(embedding, pooled, log_weights).detach()
    np.testing.assert_allclose(got, expected, atol=1e-10)


def test_gradients() -> None:
    term, embedding, pooled, log_weights = example(1)
    inputs = (embedding.requires_grad_(), log_weights.requires_grad_(), *term.parameters())
    assert torch.autograd.gradcheck(lambda e, w, *_: term(e, pooled, w), inputs)


def test_a_silent_teacher_or_student_stays_finite() -> None:
    term, embedding, pooled, log_weights = example(2)
    embedding = torch.zeros_like(embedding).requires_grad_()
    value = term(embedding, (torch.zeros_like(pooled[0]), pooled[1]), log_weights)
    value.sum().backward()
    assert value.isfinite().all()
    assert embedding.grad is not None
    assert embedding.grad.isfinite().all()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(0.1, 100))
def test_invariances(seed: int, scale: float) -> None:
    term, embedding, pooled, log_weights = example(seed)
    value = term(embedding, pooled, log_weights)
    assert value.min() > -1e-9
    assert value.max() < 2 + 1e-9
    louder = tuple(scale * u for u in pooled)
    torch.testing.assert_close(term(embedding, louder, log_weights), value)
    order = torch.randperm(N, generator=torch.Generator().manual_seed(seed))
    shuffled = term(embedding[order], tuple(u[order] for u in pooled), log_weights[:, order])
    torch.testing.assert_close(shuffled, value[order])
