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
    fold_residuals,
    hedges_dz,
    holm,
    holm_levels,
    needed_errors,
    sign_flip_test,
    smallest_p,
    ua_contributions,
)
from serbench.results.compare.records import ALPHA, FoldTest


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


def t_over(differences: np.ndarray, test_share: float) -> FoldTest:
    """Of folds of one size: their mean difference, and residuals as parts of it."""
    value = float(differences.mean())
    return corrected_t(value, (differences - value) / len(differences), test_share)


def test_without_overlap_the_corrected_test_is_students() -> None:
    values = np.random.default_rng(4).normal(0.03, 0.1, 9)
    found = t_over(values, test_share=0.0)
    expected = stats.ttest_1samp(values, 0.0)
    assert (found.t, found.p) == pytest.approx((expected.statistic, expected.pvalue))  # pyright: ignore[reportAttributeAccessIssue]
    assert found.degrees == 8
    interval = expected.confidence_interval(0.99)
    assert found.interval(values.mean(), 0.01) == pytest.approx((interval.low, interval.high))


def test_the_correction_widens_by_the_published_factor() -> None:
    # Nadeau & Bengio, 2003: 1/J is replaced by 1/J + n2/n1. For 100 folds of a tenth of the data
    # each that is 1/100 + 1/9, so t shrinks by sqrt((1/100) / (1/100 + 1/9)) = 0.2873.
    values = np.random.default_rng(5).normal(0.1, 1.0, 100)
    plain, found = t_over(values, 0.0), t_over(values, 1 / 9)
    assert found.t / plain.t == pytest.approx(0.2873, abs=5e-5)


def test_an_interval_by_folds_leaves_out_0_where_p_is_small_enough() -> None:
    random = np.random.default_rng(7)
    for _ in range(200):
        values = random.normal(0.05, 0.05, 6)
        found = t_over(values, 0.2)
        for alpha in (0.05, 0.0125):
            low, high = found.interval(values.mean(), alpha)
            assert (low > 0 or high < 0) == (found.p < alpha)
    assert t_over(np.array([-0.9, 0.99]), 1.0).interval(0.045, 0.05) == (-1.0, 1.0)


def test_a_difference_of_as_many_errors_as_needed_is_just_significant() -> None:
    values = np.array([-1.0, 0.0, 1.0, 0.5, -0.5]) / 10
    error = values.std(ddof=1) / math.sqrt(5)
    found = t_over(values + needed_errors(5, 0.25) * error, 0.25)
    assert found.p == pytest.approx(ALPHA)


def test_false_positives_of_the_corrected_test_are_5_percent() -> None:
    """Under its own assumption: fold scores correlated by n2 / (n1 + n2) = 1/5, 20,000 times."""
    random = np.random.default_rng(6)
    share, folds, trials = 1 / 4, 5, 20_000
    rho = share / (1 + share)
    shared = math.sqrt(rho) * random.normal(size=(trials, 1))
    values = shared + math.sqrt(1 - rho) * random.normal(size=(trials, folds))
    found = np.mean([t_over(row, share).p <= 0.05 for row in values[:4000]])
    assert found == pytest.approx(0.05, abs=0.01)
    plain = np.mean([t_over(row, 0.0).p <= 0.05 for row in values[:4000]])
    assert plain > 0.08  # uncorrected, it would claim too much


def test_folds_that_all_agree() -> None:
    found = corrected_t(0.02, np.zeros(5), 0.25)
    assert (found.t, found.p) == (math.inf, 0.0)
    assert found.interval(0.02, 0.05) == (0.02, 0.02)
    assert corrected_t(0.0, np.zeros(5), 0.25).p == 1.0
    with pytest.raises(SerbenchError, match="at least two"):
        corrected_t(0.1, np.zeros(1), 0.25)


def test_residuals_against_their_definition() -> None:
    """Fold by fold and class by class; a class that nobody says counts nowhere."""
    random = np.random.default_rng(8)
    own = confusions(random)
    own[:, 2] = 0
    reference = same_support(own, random)
    expected = []
    for fold in range(len(own)):
        parts = []
        for label in (0, 1, 3):
            total = own[:, label].sum()
            said = own[fold, label].sum()
            gap = [
                (counts[fold, label, label] - said * counts[:, label, label].sum() / total) / total
                for counts in (own, reference)
            ]
            parts.append(gap[0] - gap[1])
        expected.append(sum(parts) / 3)
    found = fold_residuals(own, reference)
    np.testing.assert_allclose(found, expected, atol=1e-15)
    assert found.sum() == pytest.approx(0.0, abs=1e-15)
    # The same predictions three times weigh no more, whatever the other method's seeds.
    np.testing.assert_allclose(fold_residuals(3 * own, reference), found)
    with pytest.raises(SerbenchError, match="cannot be paired"):
        fold_residuals(own, reference[:2])


def test_folds_of_one_size_give_the_plain_mean_and_deviation() -> None:
    random = np.random.default_rng(9)
    support = np.full((5, 4), 12)
    pair = []
    for chance in (0.7, 0.6):
        hits = random.binomial(support, chance)
        counts = np.zeros((5, 4, 4), dtype=np.int64)
        counts[:, range(4), range(4)] = hits
        counts[:, range(4), [1, 2, 3, 0]] = support - hits
        pair.append(counts)
    uas = [np.diagonal(counts, axis1=1, axis2=2).mean(axis=1) / 12 for counts in pair]
    differences = uas[0] - uas[1]
    found = corrected_t(differences.mean(), fold_residuals(*pair), 0.25)
    error = math.sqrt((1 / 5 + 0.25) * differences.var(ddof=1))
    assert found.error == pytest.approx(error)
    assert found.t == pytest.approx(differences.mean() / error)


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


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=12))
@settings(max_examples=100)
def test_levels_decide_as_holm_does(values: list[float]) -> None:
    levels = holm_levels(values)
    adjusted = holm(values)
    for p, level, corrected in zip(values, levels, adjusted, strict=True):
        if abs(corrected - ALPHA) > 1e-12:
            assert (p <= level) == (corrected <= ALPHA)
        assert ALPHA / len(values) <= level <= ALPHA
    assert holm_levels([]) == ()
    assert holm_levels([0.01, 0.3, 0.04]) == pytest.approx((0.05 / 3, 0.05 / 2, 0.05 / 2))
