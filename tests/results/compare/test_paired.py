"""Tests of the tests: against SciPy, published examples, definitions, and by simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from serbench.errors import SerbenchError
from serbench.learning.evaluate import confusion_metric
from serbench.results.compare.paired import (
    EXACT_SPEAKERS,
    corrected_t,
    hedges_dz,
    holm,
    sign_flip_test,
    smallest_p,
    ua_contributions,
)


def confusions(random: np.random.Generator, speakers: int = 6, classes: int = 4) -> np.ndarray:
    """``(S, C, C)``; some speakers lack a class."""
    return random.integers(0, 9, (speakers, classes, classes))


def same_support(counts: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Other predictions of the same utterances."""
    support = counts.sum(axis=2)
    even = np.full(counts.shape[1], 1 / counts.shape[1])
    return np.array([[random.multinomial(n, even) for n in row] for row in support])


def test_contributions_add_up_to_the_difference_of_ua() -> None:
    random = np.random.default_rng(0)
    for _ in range(20):
        own = confusions(random)
        reference = same_support(own, random)
        found = ua_contributions(own, reference)
        expected = confusion_metric(own.sum(0), "ua") - confusion_metric(reference.sum(0), "ua")
        assert found.sum() == pytest.approx(float(expected))
        # Seeds may differ in number: the same predictions three times weigh no more.
        np.testing.assert_allclose(ua_contributions(3 * own, reference), found)


def test_swapping_a_speaker_between_methods_flips_its_sign() -> None:
    random = np.random.default_rng(1)
    own = confusions(random)
    reference = same_support(own, random)
    swapped, other = own.copy(), reference.copy()
    swapped[2], other[2] = reference[2], own[2]
    found = ua_contributions(own, reference)
    found[2] *= -1
    np.testing.assert_allclose(ua_contributions(swapped, other), found)


def test_other_speakers_cannot_be_paired() -> None:
    random = np.random.default_rng(1)
    with pytest.raises(SerbenchError, match="cannot be paired"):
        ua_contributions(confusions(random, 4), confusions(random, 5))


@pytest.mark.parametrize("units", [2, 5, 10, 13])
def test_the_exact_test_is_scipys(units: int) -> None:
    values = np.random.default_rng(units).normal(0.4, 1.0, units)
    expected = stats.permutation_test(
        (values,), lambda x, axis: x.sum(axis=axis), permutation_type="samples", vectorized=True
    )
    p, exact = sign_flip_test(values)
    assert exact
    assert p == pytest.approx(expected.pvalue)


def test_the_exact_test_is_its_definition() -> None:
    values = np.array([0.3, -0.1, 0.25, 0.4])
    sums = [
        abs(sum(sign * value for sign, value in zip(signs, values, strict=True)))
        for signs in itertools.product((1, -1), repeat=4)
    ]
    expected = sum(total >= abs(values.sum()) - 1e-9 for total in sums) / 16
    assert sign_flip_test(values) == (pytest.approx(expected), True)


def test_fishers_darwin_example() -> None:
    # Fisher, The Design of Experiments, 1935, section 21: heights of 15 pairs of plants in eighths
    # of an inch; 1726 of 32768 assignments give a sum as far from 0, so p = 0.05267.
    eighths = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
    assert sum(eighths) == 314
    p, exact = sign_flip_test(np.array(eighths, dtype=np.float64))
    assert exact
    assert p == pytest.approx(1726 / 32768)


def test_a_sample_of_signs_agrees_with_the_exact_test(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(7).normal(0.5, 1.0, 14)
    exact, _ = sign_flip_test(values)
    monkeypatch.setattr("serbench.results.compare.paired.EXACT_SPEAKERS", 13)
    sampled, is_exact = sign_flip_test(values)
    assert not is_exact
    assert sampled == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 65_536))
    assert sign_flip_test(values) == sign_flip_test(values)


def test_p_is_never_zero_nor_below_what_units_allow() -> None:
    for units in (3, 10, EXACT_SPEAKERS, EXACT_SPEAKERS + 4):
        p, _ = sign_flip_test(np.full(units, 0.5))
        assert p >= smallest_p(units) > 0
    assert smallest_p(10) == 2 / 1024
    assert sign_flip_test(np.ones(5))[0] == smallest_p(5) == 0.0625


def test_no_difference_at_all_has_p_1() -> None:
    assert sign_flip_test(np.zeros(8))[0] == 1.0
    assert sign_flip_test(np.array([0.1, -0.1]))[0] == 1.0


def test_false_positives_of_the_permutation_test_are_5_percent() -> None:
    """Two methods of the same skill on 10 speakers whose difficulty differs, 4,000 times."""
    random = np.random.default_rng(20)
    found = rejections(random, skill=0.0)
    assert found == pytest.approx(0.05, abs=0.01)


def test_the_permutation_test_finds_a_difference() -> None:
    assert rejections(np.random.default_rng(21), skill=0.8, trials=500) > 0.9


def rejections(random: np.random.Generator, skill: float, trials: int = 4000) -> float:
    """How often p ≤ 0.05: 10 speakers, 5 classes, 3 to 15 utterances each."""
    speakers, classes, found = 10, 5, 0
    for _ in range(trials):
        ease = random.normal(1.0, 0.8, (speakers, 1)) + random.normal(0, 0.5, (speakers, classes))
        support = random.integers(3, 16, (speakers, classes))
        pair = []
        for gain in (skill, 0.0):
            own = ease + gain + random.normal(0, 0.4, (speakers, classes))
            hits = random.binomial(support, 1 / (1 + np.exp(-own)))
            counts = np.zeros((speakers, classes, classes), dtype=np.int64)
            counts[:, range(classes), range(classes)] = hits
            counts[:, range(classes), [*range(1, classes), 0]] += support - hits
            pair.append(counts)
        p, _ = sign_flip_test(ua_contributions(*pair))
        found += p <= 0.05
    return found / trials


def test_without_overlap_the_corrected_test_is_students() -> None:
    values = np.random.default_rng(4).normal(0.3, 1.0, 9)
    found = corrected_t(values, test_share=0.0)
    expected = stats.ttest_1samp(values, 0.0)
    assert (found.t, found.p) == pytest.approx((expected.statistic, expected.pvalue))
    assert found.degrees == 8


def test_the_correction_widens_by_the_published_factor() -> None:
    # Nadeau & Bengio, 2003: 1/J is replaced by 1/J + n2/n1. For 10-fold cross-validation repeated
    # 10 times that is 1/100 + 1/9, so t shrinks by sqrt((1/100) / (1/100 + 1/9)) = 0.2873.
    values = np.random.default_rng(5).normal(0.1, 1.0, 100)
    plain, found = corrected_t(values, 0.0), corrected_t(values, 1 / 9)
    assert found.t / plain.t == pytest.approx(0.2873, abs=5e-5)


def test_false_positives_of_the_corrected_test_are_5_percent() -> None:
    """Under its own assumption: fold scores correlated by n2 / (n1 + n2) = 1/5, 20,000 times."""
    random = np.random.default_rng(6)
    share, folds, trials = 1 / 4, 5, 20_000
    rho = share / (1 + share)
    shared = math.sqrt(rho) * random.normal(size=(trials, 1))
    values = shared + math.sqrt(1 - rho) * random.normal(size=(trials, folds))
    found = np.mean([corrected_t(row, share).p <= 0.05 for row in values[:4000]])
    assert found == pytest.approx(0.05, abs=0.01)
    plain = np.mean([corrected_t(row, 0.0).p <= 0.05 for row in values[:4000]])
    assert plain > 0.08  # uncorrected, it would claim too much


def test_folds_that_all_agree() -> None:
    found = corrected_t(np.full(5, 0.02), 0.25)
    assert (found.t, found.p) == (math.inf, 0.0)
    assert corrected_t(np.zeros(5), 0.25).p == 1.0
    with pytest.raises(SerbenchError, match="at least two"):
        corrected_t(np.array([0.1]), 0.25)


def test_effect_size_by_hand_and_by_its_definition() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    plain = 3.0 / math.sqrt(2.5)
    # Hedges's exact factor for 4 degrees of freedom: sqrt(2/4) Γ(2) / Γ(3/2) = 0.797885
    assert hedges_dz(values) == pytest.approx(plain * 0.7978846)
    assert hedges_dz(np.full(4, -0.1)) == -math.inf
    assert hedges_dz(np.zeros(4)) == 0.0


def test_the_effect_size_is_unbiased() -> None:
    random = np.random.default_rng(9)
    draws = random.normal(0.6, 1.0, (20_000, 8))
    assert np.mean([hedges_dz(row) for row in draws]) == pytest.approx(0.6, abs=0.015)


def test_holm_on_a_worked_example() -> None:
    # Ordered 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1, each no smaller than the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([]) == ()
    assert holm([0.6, 0.7]) == (1.0, 1.0)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=12))
@settings(max_examples=60)
def test_holm_rejects_as_the_stepwise_procedure(values: list[float]) -> None:
    """Holm's procedure: go up from the smallest, stop at the first that is too large."""
    adjusted = holm(values)
    rejected: set[int] = set()
    order = sorted(range(len(values)), key=values.__getitem__)
    for step, place in enumerate(order):
        if values[place] * (len(values) - step) > 0.05:
            break
        rejected.add(place)
    assert {place for place, p in enumerate(adjusted) if p <= 0.05} == rejected
    assert all(own <= corrected for own, corrected in zip(values, adjusted, strict=True))
