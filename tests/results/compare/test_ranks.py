from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from serbench.api import StoreError
from serbench.results.compare.ranks import (
    EXACT_STATES,
    cliques,
    critical_difference,
    friedman_statistics,
    friedman_test,
    least_p,
    permutation_p,
    rank_methods,
)

C45 = ("C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf")

DEMSAR = """
adult 0.763 0.768 0.771 0.798
breast-cancer 0.599 0.591 0.590 0.569
breast-cancer-wisconsin 0.954 0.971 0.968 0.967
cmc 0.628 0.661 0.654 0.657
ionosphere 0.882 0.888 0.886 0.898
iris 0.936 0.931 0.916 0.931
liver-disorders 0.661 0.668 0.609 0.685
lung-cancer 0.583 0.583 0.563 0.625
lymphography 0.775 0.838 0.866 0.875
mushroom 1.000 1.000 1.000 1.000
primary-tumor 0.940 0.962 0.965 0.962
rheum 0.619 0.666 0.614 0.669
voting 0.972 0.981 0.9754 0.9752
wine 0.957 0.978 0.946 0.970
"""
"""AUCs of Demšar (2006), Table 6. On voting it prints 0.975 twice, with the ranks 2 and 3."""


def demsar() -> pd.DataFrame:
    rows = [line.split() for line in DEMSAR.strip().splitlines()]
    return pd.DataFrame(
        [[float(cell) for cell in row[1:]] for row in rows],
        index=[row[0] for row in rows],
        columns=list(C45),
    )


def test_demsars_example() -> None:
    found = rank_methods(demsar())
    assert found.methods == ("C4.5+m+cf", "C4.5+m", "C4.5+cf", "C4.5")
    assert found.average == pytest.approx([1.964, 2.000, 2.893, 3.143], abs=5e-4)
    chi2, f = friedman_statistics(found.ranks, correct_ties=False)
    assert float(chi2) == pytest.approx(9.28, abs=5e-3)
    assert float(f) == pytest.approx(3.69, abs=5e-3)
    assert found.friedman.f_degrees == (3, 39)
    assert found.critical_difference == pytest.approx(1.25, abs=5e-3)
    # "even the difference between the best and the worst performing algorithm is already smaller"
    assert found.differ
    assert found.groups == (found.methods,)


def test_demsars_example_at_ten_per_cent() -> None:
    found = rank_methods(demsar(), alpha=0.1)
    # The paper's 1.12 comes from the same q = 2.291; C4.5 is then worse than the first two.
    assert found.critical_difference == pytest.approx(1.12, abs=5e-3)
    assert found.groups == (("C4.5+m+cf", "C4.5+m", "C4.5+cf"), ("C4.5+cf", "C4.5"))
    assert found.letters == {"C4.5+m+cf": "a", "C4.5+m": "a", "C4.5+cf": "a b", "C4.5": "b"}


@pytest.mark.parametrize(
    ("methods", "alpha", "q"),
    [(2, 0.05, 1.960), (3, 0.05, 2.343), (4, 0.05, 2.569), (10, 0.05, 3.164), (5, 0.10, 2.459)],
)
def test_critical_values_of_demsars_table_5(methods: int, alpha: float, q: float) -> None:
    corpora = 7
    found = critical_difference(methods, corpora, alpha)
    assert found / math.sqrt(methods * (methods + 1) / (6 * corpora)) == pytest.approx(q, abs=1e-3)


@given(
    st.integers(3, 12).flatmap(
        lambda corpora: st.integers(3, 6).flatmap(
            lambda methods: st.lists(
                st.lists(st.integers(0, 5), min_size=methods, max_size=methods),
                min_size=corpora,
                max_size=corpora,
            )
        )
    )
)
@settings(max_examples=40, deadline=None)
def test_chi2_is_scipys_with_and_without_ties(rows: list[list[int]]) -> None:
    scores = np.array(rows, dtype=np.float64)
    ranks = stats.rankdata(-scores, axis=1)
    found = friedman_test(ranks)
    if (scores == scores[:, :1]).all():
        assert (found.chi2, found.p) == (0.0, 1.0)
        return
    expected = stats.friedmanchisquare(*scores.T)
    assert found.chi2 == pytest.approx(expected.statistic, abs=1e-9)
    assert found.p_chi2 == pytest.approx(expected.pvalue, abs=1e-9)


def brute_force(ranks: np.ndarray) -> float:
    """Every permutation of every row, one by one."""
    observed = (ranks.sum(axis=0) ** 2).sum()
    reached = [
        (np.sum(rows, axis=0) ** 2).sum() >= observed - 1e-9
        for rows in itertools.product(*(list(itertools.permutations(row)) for row in ranks))
    ]
    return float(np.mean(reached))


@given(st.lists(st.lists(st.integers(0, 2), min_size=3, max_size=3), min_size=2, max_size=4))
@settings(max_examples=20, deadline=None)
def test_the_exact_p_is_that_of_all_permutations(rows: list[list[int]]) -> None:
    ranks = stats.rankdata(np.array(rows), axis=1)
    p, exact = permutation_p(ranks)
    assert exact
    assert p == pytest.approx(brute_force(ranks))


@pytest.mark.parametrize(
    ("ranks", "p"),
    [
        ([[1, 2, 3]] * 3, 1 / 36),  # Friedman's own table: χ² = 6 at N = 3, k = 3 has 0.028
        ([[1, 2, 3]] * 4, 1 / 216),
        ([[1, 2, 3]] * 3 + [[2, 1, 3]], 0.0417),  # χ² = 6.5 at N = 4, k = 3: 0.042
        ([[1, 2]] * 5, 1 / 16),
    ],
)
def test_the_exact_p_of_published_tables(ranks: list[list[int]], p: float) -> None:
    assert permutation_p(np.array(ranks, dtype=float)) == (pytest.approx(p, abs=1e-3), True)


def test_the_drawn_p_is_near_the_asymptotic_one() -> None:
    random = np.random.default_rng(11)
    ranks = stats.rankdata(random.normal(size=(30, 9)) + np.linspace(0, 0.9, 9), axis=1)
    found = friedman_test(ranks)
    assert not found.exact
    assert math.factorial(9) > EXACT_STATES
    assert found.p == pytest.approx(found.p_f, abs=0.012)
    assert found.p == friedman_test(ranks).p
    best = friedman_test(np.tile(np.arange(1.0, 10.0), (30, 1)))
    assert best.p == 1 / 20_000


def test_false_positives_of_the_asymptotic_tests_on_null_data() -> None:
    """4000 tables of 15 corpora and 5 equal methods; seed 20061."""
    random = np.random.default_rng(20_061)
    ranks = stats.rankdata(random.normal(size=(4000, 15, 5)), axis=2)
    chi2, f = friedman_statistics(ranks)
    assert np.mean(stats.f.sf(f, 4, 4 * 14) < 0.05) == pytest.approx(0.05, abs=0.01)
    assert np.mean(stats.chi2.sf(chi2, 4) < 0.05) == pytest.approx(0.05, abs=0.015)


@pytest.mark.parametrize(("corpora", "methods"), [(3, 3), (4, 3), (3, 4), (6, 2)])
def test_false_positives_of_the_exact_test_never_exceed_5_per_cent(
    corpora: int, methods: int
) -> None:
    """Every table that N corpora can give, each as likely: F alone would cry wolf."""
    rows = np.array(list(itertools.permutations(range(1, methods + 1))), dtype=float)
    tables = np.array(list(itertools.product(*([rows[:1]] + [rows] * (corpora - 1)))))
    by_statistic: dict[float, float] = {}
    found = 0
    for table, chi2 in zip(tables, friedman_statistics(tables)[0].round(9), strict=True):
        if chi2 not in by_statistic:
            by_statistic[chi2] = permutation_p(table)[0]
        found += by_statistic[chi2] <= 0.05
    assert found / len(tables) <= 0.05
    assert least_p(methods, corpora) == pytest.approx(min(by_statistic.values()))


def test_two_corpora_that_agree_prove_nothing() -> None:
    found = rank_methods({"x": {"a": 0.9, "b": 0.5, "c": 0.1}, "y": {"a": 0.8, "b": 0.7, "c": 0.6}})
    assert found.friedman.f == math.inf
    assert found.friedman.p_f == 0
    assert found.friedman.p == pytest.approx(1 / 6)
    assert not found.differ
    assert found.groups == (("a", "b", "c"),)


def test_methods_far_apart_are_told_apart() -> None:
    names = ("good", "fair", "bad")
    scores = {f"corpus-{n}": dict(zip(names, (0.9, 0.6, 0.3), strict=True)) for n in range(12)}
    found = rank_methods(scores)
    assert found.groups == (("good",), ("fair",), ("bad",))
    assert found.letters == {"good": "a", "fair": "b", "bad": "c"}
    assert found.average.tolist() == [1.0, 2.0, 3.0]


def test_ties_share_the_average_rank() -> None:
    found = rank_methods({"x": {"a": 0.5, "b": 0.5, "c": 0.1}, "y": {"a": 0.5, "b": 0.5, "c": 0.5}})
    assert found.ranks.tolist() == [[1.5, 1.5, 3.0], [2.0, 2.0, 2.0]]


def test_a_frame_and_a_mapping_give_the_same() -> None:
    frame = demsar()
    one, other = rank_methods(frame), rank_methods(frame.T.to_dict())
    assert one.methods == other.methods
    assert one.friedman == other.friedman
    assert (one.ranks == other.ranks).all()


@given(st.lists(st.floats(1, 9), min_size=1, max_size=8), st.floats(0.1, 5))
@settings(max_examples=60, deadline=None)
def test_cliques_are_the_maximal_sets_of_near_neighbours(ranks: list[float], far: float) -> None:
    average = np.sort(np.array(ranks))
    found = cliques(average, far)
    near = {
        frozenset(range(i, j + 1))
        for i in range(len(ranks))
        for j in range(i, len(ranks))
        if i == j or average[j] - average[i] < far - 1e-9
    }
    maximal = {one for one in near if not any(one < other for other in near)}
    assert {frozenset(range(first, last)) for first, last in found} == maximal


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ({"x": {"a": 1.0}, "y": {"a": 1.0}}, r"at least two methods, not 1 \(a\)"),
        ({"x": {"a": 1.0, "b": 2.0}}, r"at least two corpora, not 1 \(x\)"),
        ({}, "at least two corpora, not 0"),
        ({"x": {"a": 1.0, "b": 2.0}, "y": {"a": 1.0}}, "missing: b on y"),
        ({"x": {"a": 1.0, "b": math.nan}, "y": {"a": 1.0, "b": math.inf}}, "b on x, b on y"),
    ],
)
def test_incomplete_scores_are_refused(scores: dict[str, dict[str, float]], message: str) -> None:
    with pytest.raises(StoreError, match=message):
        rank_methods(scores)


def test_a_corpus_or_a_method_named_twice_is_refused() -> None:
    table = pd.DataFrame([[1.0, 2.0], [2.0, 1.0]], index=["x", "x"], columns=["a", "b"])
    with pytest.raises(StoreError, match="x: named twice among the corpora"):
        rank_methods(table)
    with pytest.raises(StoreError, match="x: named twice among the methods"):
        rank_methods(table.T)


def test_many_missing_cells_are_counted() -> None:
    table = pd.DataFrame(np.full((3, 4), np.nan), index=list("xyz"), columns=list("abcd"))
    with pytest.raises(StoreError, match=r"d on y and 4 more"):
        rank_methods(table)
