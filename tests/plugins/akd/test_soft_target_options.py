"""Standardised, corrected, decoupled and correlated soft targets, against loops in NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from serbench_akd.terms import (
    DecoupledDivergence,
    RelationDistance,
    SoftTargetDivergence,
    correct,
    integrate,
    standardise,
)

N, C = 7, 5
LABELS = torch.tensor([0, 4, 2, 1, 0, 3, 2])
SEEDS = st.integers(0, 2**32 - 1)
COUNTS = torch.tensor([True, True, False, True, False, True, True])

Term = Callable[[Tensor, Tensor], Tensor]


def decoupled(temperature: float = 2.0, non_target: float = 3.0) -> Term:
    module = DecoupledDivergence(temperature, non_target)
    return lambda log_target, logits: module(log_target, logits, LABELS[: len(logits)])


def relations(temperature: float = 2.0) -> Term:
    module = RelationDistance(temperature)
    return lambda log_target, logits: module(
        log_target, logits, torch.ones(len(logits), dtype=torch.bool)
    )


TERMS = {"decoupled": decoupled, "relations": relations}


def normal(seed: int, *sizes: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 2.0 * torch.randn(*sizes, generator=generator, dtype=torch.float64)


def softmax(row: np.ndarray) -> np.ndarray:
    powers = np.array([math.exp(z - row.max()) for z in row])
    return powers / math.fsum(powers)


def pearson(u: list[float], v: list[float]) -> float:
    mean_u, mean_v = math.fsum(u) / len(u), math.fsum(v) / len(v)
    covariance = math.fsum((a - mean_u) * (b - mean_v) for a, b in zip(u, v, strict=True))
    squares = [math.fsum((a - mean) ** 2 for a in w) for w, mean in ((u, mean_u), (v, mean_v))]
    return covariance / math.sqrt(squares[0] * squares[1])


# ── standardised logits ──────────────────────────────────────────────────────────────────────────


def test_standardise_matches_reference() -> None:
    logits = normal(0, 2, N, C)
    expected = np.zeros((2, N, C))
    for t in range(2):
        for i in range(N):
            row = logits[t, i].tolist()
            mean = math.fsum(row) / C
            deviation = math.sqrt(math.fsum((z - mean) ** 2 for z in row) / C)
            for c in range(C):
                expected[t, i, c] = (row[c] - mean) / deviation
    np.testing.assert_allclose(standardise(logits), expected, atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, scale=st.floats(0.1, 1e3), shift=st.floats(-50, 50))
def test_scale_and_shift_of_logits_do_not_matter(seed: int, scale: float, shift: float) -> None:
    logits = normal(seed, N, C)
    torch.testing.assert_close(standardise(scale * logits + shift), standardise(logits))
    torch.testing.assert_close(standardise(-logits), -standardise(logits))


def test_flat_logits_are_standardised_to_zero() -> None:
    logits = torch.full((1, C), 3.0, requires_grad=True)
    standardise(logits).square().sum().backward()
    assert standardise(logits).abs().max() == 0.0
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_gradient_of_standardise() -> None:
    assert torch.autograd.gradcheck(standardise, (normal(1, N, C).requires_grad_(),))


# ── targets corrected by the label ───────────────────────────────────────────────────────────────


def test_a_wrong_target_swaps_its_largest_with_the_labels() -> None:
    log_target = normal(2, N, C)
    log_target[::3] += 9.0 * torch.eye(C)[LABELS[::3]]  # right on every third
    log_target = log_target.log_softmax(-1)
    got = correct(log_target, LABELS)
    wrong = 0
    for i, label in enumerate(LABELS.tolist()):
        expected = log_target[i].tolist()
        largest = max(range(C), key=expected.__getitem__)
        wrong += largest != label
        expected[label], expected[largest] = expected[largest], expected[label]
        assert got[i].tolist() == expected
    assert 0 < wrong < N
    assert (got.argmax(-1) == LABELS).all()
    torch.testing.assert_close(correct(got, LABELS), got, rtol=0, atol=0)


def test_a_draw_between_label_and_another_stays() -> None:
    log_target = torch.tensor([[0.4, 0.4, 0.2]]).log()
    for label in (0, 1):
        assert correct(log_target, torch.tensor([label])).equal(log_target)


def test_gradient_of_correct() -> None:
    def loss(logits: Tensor) -> Tensor:
        return correct(logits.log_softmax(-1), LABELS)

    assert torch.autograd.gradcheck(loss, (normal(3, N, C).requires_grad_(),))


# ── decoupled ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("temperature", "non_target"), [(1.0, 1.0), (2.0, 8.0), (4.0, 0.0)])
def test_decoupled_matches_reference(temperature: float, non_target: float) -> None:
    log_target, student = normal(4, N, C).log_softmax(-1), normal(5, N, C)
    expected = np.zeros(N)
    for i, y in enumerate(LABELS.tolist()):
        p, q = log_target[i].exp().numpy(), softmax(student[i].numpy() / temperature)
        tckd = p[y] * math.log(p[y] / q[y])
        tckd += (1 - p[y]) * math.log((1 - p[y]) / (1 - q[y]))
        nckd = 0.0
        for c in range(C):
            if c != y:
                a, b = p[c] / (1 - p[y]), q[c] / (1 - q[y])
                nckd += a * math.log(a / b)
        expected[i] = temperature**2 * (tckd + non_target * nckd)
    got = decoupled(temperature, non_target)(log_target, student)
    np.testing.assert_allclose(got, expected, atol=1e-12)


def test_kl_is_decoupled_with_what_the_teacher_leaves_to_other_classes() -> None:
    """Zhao et al., Eq. 6."""
    log_target, student = normal(6, N, C).log_softmax(-1), normal(7, N, C)
    binary = DecoupledDivergence(2.0, 0.0)(log_target, student, LABELS)
    both = DecoupledDivergence(2.0, 1.0)(log_target, student, LABELS)
    left = 1.0 - log_target.exp().gather(1, LABELS[:, None]).squeeze(1)
    torch.testing.assert_close(
        binary + left * (both - binary), SoftTargetDivergence(2.0)(log_target, student)
    )


def test_two_classes_leave_nothing_to_tell_apart() -> None:
    log_target, student = normal(8, 4, 2).log_softmax(-1), normal(9, 4, 2)
    labels = torch.tensor([0, 1, 1, 0])
    torch.testing.assert_close(
        DecoupledDivergence(2.0, 5.0)(log_target, student, labels),
        SoftTargetDivergence(2.0)(log_target, student),
    )


# ── relations ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("temperature", [1.0, 4.0])
@pytest.mark.parametrize("counts", [COUNTS, torch.ones(N, dtype=torch.bool)])
def test_relations_match_reference(temperature: float, counts: Tensor) -> None:
    log_target, student = normal(10, N, C).log_softmax(-1), normal(11, N, C)
    p = log_target.exp().tolist()
    q = [softmax(row / temperature).tolist() for row in student.numpy()]
    kept = [i for i in range(N) if counts[i]]
    classes = [1 - pearson([p[i][c] for i in kept], [q[i][c] for i in kept]) for c in range(C)]
    expected = [
        temperature**2 * (1 - pearson(p[i], q[i]) + math.fsum(classes) / C) for i in range(N)
    ]
    got = RelationDistance(temperature)(log_target, student, counts)
    np.testing.assert_allclose(got, expected, atol=1e-12)


def test_relations_do_not_read_segments_that_do_not_count() -> None:
    log_target, student = normal(12, N, C).log_softmax(-1), normal(13, N, C)
    other = torch.where(COUNTS[:, None], log_target, normal(14, N, C).log_softmax(-1))
    distance = RelationDistance(2.0)
    one, two = (distance(target, student, COUNTS)[COUNTS] for target in (log_target, other))
    torch.testing.assert_close(one, two)


def test_relations_ask_for_no_match_of_certainty() -> None:
    """What kl punishes and relations do not: the same shape, less sure, as 0.7 p + 0.3 / C."""
    log_target = normal(15, N, C).log_softmax(-1)
    student = (0.7 * log_target.exp() + 0.3 / C).log()
    assert relations(1.0)(log_target, student).abs().max() < 1e-9
    assert SoftTargetDivergence(1.0)(log_target, student).min() > 1e-4


@pytest.mark.parametrize("counted", [0, 1])
def test_too_few_segments_have_no_relation_within_a_class(counted: int) -> None:
    log_target, student = normal(16, N, C).log_softmax(-1), normal(17, N, C).requires_grad_()
    counts = torch.arange(N) < counted
    got = RelationDistance(1.0)(log_target, student, counts)
    rows = zip(log_target.exp().tolist(), student.softmax(-1).tolist(), strict=True)
    np.testing.assert_allclose(got.detach(), [1 - pearson(*row) for row in rows], atol=1e-12)
    got.sum().backward()
    assert student.grad is not None
    assert student.grad.isfinite().all()


def test_a_flat_side_is_at_no_distance() -> None:
    flat = torch.zeros(N, C, dtype=torch.float64)
    student = normal(18, N, C).requires_grad_()
    for log_target, logits in ((flat.log_softmax(-1), student), (student.log_softmax(-1), flat)):
        assert relations()(log_target, logits).abs().max() == 0.0


# ── both ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("term", TERMS)
@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, shift=st.floats(-50, 50), temperature=st.floats(0.5, 8.0))
def test_zero_iff_equal(term: str, seed: int, shift: float, temperature: float) -> None:
    logits = normal(seed, N, C)
    measure = TERMS[term](temperature)
    log_target = (logits / temperature).log_softmax(-1)
    assert measure(log_target, logits + shift).abs().max() < 1e-9
    moved = logits.clone()
    moved[:, 0] += 1.0
    moved[:, 1] -= 1.0
    assert measure(log_target, moved).min() > 1e-7


@pytest.mark.parametrize("term", TERMS)
def test_gradients_through_standardised_integrated_corrected_targets(term: str) -> None:
    teacher = normal(19, 2, N, C).requires_grad_()
    scores = normal(20, 2, N).requires_grad_()
    student = normal(21, N, C).requires_grad_()

    def loss(z_t: Tensor, s: Tensor, z_s: Tensor) -> Tensor:
        log_target = integrate(standardise(z_t), s.log_softmax(0), 2.0)
        return TERMS[term](2.0)(correct(log_target, LABELS), standardise(z_s))

    assert torch.autograd.gradcheck(loss, (teacher, scores, student))


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("standardised", [False, True])
@pytest.mark.parametrize("teacher", [1e4, -1e4, 0.0])
@pytest.mark.parametrize("student", [1e4, -1e4, 0.0])
def test_extreme_logits_stay_finite(
    term: str, standardised: bool, teacher: float, student: float
) -> None:
    z_t = torch.zeros(2, N, C)
    z_t[0, :, 0] = teacher
    z_t[1, :, 1] = -teacher
    z_s = torch.zeros(N, C)
    z_s[:, 2] = student
    z_s.requires_grad_()
    scores = torch.zeros(2, N, requires_grad=True)
    prepare = standardise if standardised else lambda logits: logits
    log_target = correct(integrate(prepare(z_t), scores.log_softmax(0), 1.0), LABELS)
    value = TERMS[term](1.0)(log_target, prepare(z_s)).sum()
    value.backward()
    assert value.isfinite()
    assert z_s.grad is not None
    assert z_s.grad.isfinite().all()
    assert scores.grad is not None
    assert scores.grad.isfinite().all()
