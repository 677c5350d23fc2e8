"""Tests over speakers and over folds: is one method better than another?

Pooled UA is a mean of class recalls, so the difference of two methods is a sum of what each
speaker contributes to it: the speaker's additional hits in each class, over the class's test
utterances and the number of classes. Two questions can be asked of it:

- Do these trained models differ on new speakers? If not, each speaker's contribution could as well
  have the other sign.
- Do the methods differ if they are trained again on other speakers? Speakers of a fold share a
  trained model, so the folds are the independent units. They are only nearly independent, because
  any two of them share training data.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from serbench.errors import SerbenchError
from serbench.results.compare.records import ALPHA, FoldTest

EXACT_SPEAKERS = 16
"""Up to this number of speakers, all assignments of signs are tried: 65,536 of them."""

SAMPLED = 65_535
"""Number of assignments of signs that are drawn if there are more speakers."""

TIE = 1e-12
"""Sums that differ by less than this are equal: UA in 0 … 1 has much larger steps."""


def ua_contributions(own: NDArray[np.int64], reference: NDArray[np.int64]) -> NDArray[np.float64]:
    """What each speaker contributes to the difference of pooled UA; their sum is the difference.

    Args:
        own: ``(S, C, C)`` confusions of each speaker, summed over seeds.
        reference: the same of the other method; its number of seeds may differ.

    Returns:
        Contributions ``(S,)``.

    Raises:
        SerbenchError: the two do not have the same speakers and classes.
    """
    if own.shape != reference.shape:
        raise SerbenchError(f"confusions of {own.shape} and {reference.shape} cannot be paired")
    recalls = []
    for confusions in (own, reference):
        hits = np.diagonal(confusions, axis1=1, axis2=2).astype(np.float64)  # (S, C)
        support = confusions.sum(axis=(0, 2))  # (C,)
        present = support > 0
        recalls.append((hits[:, present] / support[present]).sum(axis=1) / present.sum())
    return recalls[0] - recalls[1]


def sign_flip_test(contributions: NDArray[np.float64], seed: int = 0) -> tuple[float, bool]:
    """Two-sided p: probability that a sum of contributions is as far from 0 with random signs.

    Exact up to 16 contributions. For more, it is computed over 65,535 drawn assignments and the
    observed one, which also counts (Phipson & Smyth, "Permutation p-values should never be zero",
    2010).

    Args:
        contributions: ``(S,)``, one for each independent unit.
        seed: seed of the drawn assignments.

    Returns:
        p, and whether it is exact.
    """
    units = len(contributions)
    observed = abs(contributions.sum()) - TIE
    if units <= EXACT_SPEAKERS:
        assignments = np.arange(2**units)[:, None] >> np.arange(units) & 1  # (2^S, S)
        sums = (1 - 2 * assignments) @ contributions
        return float(np.mean(np.abs(sums) >= observed)), True
    draws = np.random.default_rng(seed).integers(0, 2, (SAMPLED, units), dtype=np.int8)
    sums = contributions.sum() - 2.0 * (draws @ contributions)
    return float((1 + np.sum(np.abs(sums) >= observed)) / (1 + SAMPLED)), False


def smallest_p(units: int) -> float:
    """The smallest p that ``sign_flip_test`` can give for this number of units."""
    return 2.0 / 2**units if units <= EXACT_SPEAKERS else 1.0 / (1 + SAMPLED)


def fold_residuals(own: NDArray[np.int64], reference: NDArray[np.int64]) -> NDArray[np.float64]:
    """How much each fold differs from the pooled difference of UA, as contributions that sum to 0.

    A fold's additional hits in each class, minus what the pooled recalls would give for as many
    utterances, divided by the class's utterances and by the number of classes. This is the
    linearised residual of a mean of ratios (Cochran, *Sampling Techniques*, 1977, chapter 6). If
    folds have the same size and the same distribution of classes, it is (fold's difference − mean
    difference) / J.

    Args:
        own: ``(J, C, C)`` confusions of each fold, summed over seeds.
        reference: the same of the other method; its number of seeds may differ.

    Returns:
        Residuals ``(J,)``.

    Raises:
        SerbenchError: the two do not have the same folds and classes.
    """
    if own.shape != reference.shape:
        raise SerbenchError(f"confusions of {own.shape} and {reference.shape} cannot be paired")
    residuals = []
    for confusions in (own, reference):
        hits = np.diagonal(confusions, axis1=1, axis2=2).astype(np.float64)  # (J, C)
        support = confusions.sum(axis=2).astype(np.float64)  # (J, C)
        present = support.sum(axis=0) > 0
        hits, support = hits[:, present], support[:, present]
        recall = hits.sum(axis=0) / support.sum(axis=0)
        residuals.append(((hits - support * recall) / support.sum(axis=0)).mean(axis=1))
    return residuals[0] - residuals[1]


def corrected_t(value: float, residuals: NDArray[np.float64], test_share: float) -> FoldTest:
    """Two-sided t test of a pooled difference over folds whose training sides overlap.

    Any two folds share training data, so the variance of their mean is assumed to be
    ``(1 / J + test / train) s²`` (Nadeau & Bengio, "Inference for the Generalization Error",
    *Machine Learning* 52, 2003, section 5), over J folds. Seeds are averaged first, because
    repetitions on the same folds are not additional folds.

    Args:
        value: the difference.
        residuals: ``(J,)``, the result of ``fold_residuals``, at least two.
        test_share: test utterances divided by training utterances, averaged over folds.

    Raises:
        SerbenchError: there are fewer than two folds.
    """
    count = len(residuals)
    if count < 2:
        raise SerbenchError("a t test over folds needs at least two folds")
    variance = count / (count - 1) * float(residuals @ residuals)
    error = math.sqrt((1 + count * test_share) * variance)
    t = _ratio(value, error)
    p = float(2 * stats.t.sf(abs(t), count - 1))
    return FoldTest(t, count - 1, error, p, p)


def needed_errors(folds: int, test_share: float) -> float:
    """The number of plain standard errors of its mean that a difference needs to be significant."""
    return float(stats.t.ppf(1 - ALPHA / 2, folds - 1)) * math.sqrt(1 + folds * test_share)


def hedges_dz(contributions: NDArray[np.float64]) -> float:
    """Standardised paired difference: mean divided by standard deviation, corrected for few units.

    Cohen's d_z times Hedges's exact ``J = Γ(m / 2) / (sqrt(m / 2) Γ((m − 1) / 2))`` with
    m = n − 1 (Hedges, 1981; Lakens, *Frontiers in Psychology* 4:863, 2013).

    Args:
        contributions: ``(S,)``; 0 for fewer than three.
    """
    half = (len(contributions) - 1) / 2
    if half <= 0.5:  # one or two units: nothing to divide by, or the correction would give 0
        return 0.0
    mean, deviation = float(contributions.mean()), float(contributions.std(ddof=1))
    factor = math.exp(math.lgamma(half) - math.lgamma(half - 0.5)) / math.sqrt(half)
    return factor * _ratio(mean, deviation)


def _ratio(mean: float, deviation: float) -> float:
    """``mean / deviation``; infinite if all values are the same and not 0."""
    if deviation > TIE:
        return mean / deviation
    return math.copysign(math.inf, mean) if abs(mean) > TIE else 0.0


def holm(values: Sequence[float]) -> tuple[float, ...]:
    """Correct p values for several tests (Holm, *Scandinavian Journal of Statistics* 6, 1979).

    The k-th smallest of n is multiplied by n − k + 1, made at least as large as the ones before,
    and cut at 1.
    """
    order = np.argsort(values, kind="stable")
    scaled = np.asarray(values, dtype=np.float64)[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return tuple(float(value) for value in adjusted)


def holm_levels(values: Sequence[float]) -> tuple[float, ...]:
    """The level with which Holm's correction compares each p, so that ``holm(p) ≤ α ⇔ p ≤ level``.

    α / n for the smallest of n, α / (n − 1) for the next, and so on up to the first that is not
    significant; the others are compared with its level.
    """
    levels = np.empty(len(values))
    level, stopped = ALPHA, False
    for step, place in enumerate(np.argsort(values, kind="stable")):
        if not stopped:
            level = ALPHA / (len(values) - step)
            stopped = bool(values[place] > level)
        levels[place] = level
    return tuple(float(level) for level in levels)
