"""Methods over several corpora: average ranks, and which of them do not differ significantly.

After Demšar, "Statistical Comparisons of Classifiers over Multiple Data Sets", *JMLR* 7, 2006:
Friedman's test over the ranks that methods have on each corpus, then Nemenyi's test of all pairs.
A corpus counts once, whatever its size. This field has few corpora, for which the asymptotic tests
are wrong (F is infinite if all corpora agree, even two). Friedman's test by permutation decides
therefore.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from serbench.api import StoreError
from serbench.errors import listed
from serbench.results.compare.records import ALPHA

EXACT_STATES = 50_000
"""Up to this number of states, rankings are counted; beyond it, they are drawn."""

DRAWS = 19_999
"""Number of rankings that are drawn if there are too many to count."""

TIE = 1e-9
"""Sums of squares that differ by less than this are equal: ranks have steps of a half."""


@dataclass(frozen=True, slots=True)
class Friedman:
    """Friedman's test of whether the methods differ at all.

    Attributes:
        chi2: Friedman's statistic.
        degrees: degrees of freedom of ``chi2``.
        p_chi2: asymptotic p of ``chi2``.
        f: Iman and Davenport's statistic; infinite if all corpora rank the methods alike.
        f_degrees: degrees of freedom of ``f``.
        p_f: asymptotic p of ``f``.
        p: p by permutation of the ranks within each corpus; verdicts are based on it.
        exact: whether all permutations were counted, and not a sample of them.
    """

    chi2: float
    degrees: int
    p_chi2: float
    f: float
    f_degrees: tuple[int, int]
    p_f: float
    p: float
    exact: bool


@dataclass(frozen=True, slots=True)
class Ranks:
    """Methods ranked over corpora; rank 1 is the best.

    Attributes:
        corpora: N names.
        methods: k names, the best average rank first.
        scores: ``(N, k)``.
        ranks: ``(N, k)``, ties share the average rank.
        average: ``(k,)``, average ranks over corpora.
        critical_difference: Nemenyi's critical difference of two average ranks, at ``alpha``.
        groups: the largest sets of methods that do not differ significantly, the best first; a
            method may be in several. It is one set of all if Friedman's test finds no difference.
        alpha: level of both tests.
    """

    corpora: tuple[str, ...]
    methods: tuple[str, ...]
    scores: NDArray[np.float64]
    ranks: NDArray[np.float64]
    average: NDArray[np.float64]
    friedman: Friedman
    critical_difference: float
    groups: tuple[tuple[str, ...], ...]
    alpha: float

    @property
    def differ(self) -> bool:
        """Whether Friedman's test finds a difference."""
        return self.friedman.p <= self.alpha

    @property
    def letters(self) -> dict[str, str]:
        """For each method the letters of its groups: methods with a shared letter do not differ.

        Beyond 26 groups letters are followed by numbers.
        """
        names = [
            chr(ord("a") + index % 26) + (str(index // 26) if index >= 26 else "")
            for index in range(len(self.groups))
        ]
        return {
            method: " ".join(
                name for name, group in zip(names, self.groups, strict=True) if method in group
            )
            for method in self.methods
        }


def rank_methods(
    scores: pd.DataFrame | Mapping[str, Mapping[str, float]], alpha: float = ALPHA
) -> Ranks:
    """Rank methods on every corpus and test whether they differ.

    Args:
        scores: corpora (rows, or outer keys) by methods (columns, or inner keys); higher is better.
        alpha: level of both tests.

    Raises:
        StoreError: there are fewer than two methods or corpora, a name occurs twice, or a score is
            missing or not finite; the message says which.
    """
    table = (
        scores
        if isinstance(scores, pd.DataFrame)
        else pd.DataFrame.from_dict({k: dict(v) for k, v in scores.items()}, orient="index")
    )
    _check_complete(table)
    values = table.to_numpy(dtype=np.float64)  # (N, k)
    ranks = stats.rankdata(-values, axis=1)
    order = np.argsort(ranks.mean(axis=0), kind="stable")
    values, ranks = values[:, order], ranks[:, order]
    methods = tuple(str(table.columns[place]) for place in order)
    average = ranks.mean(axis=0)
    friedman = friedman_test(ranks)
    difference = critical_difference(len(methods), len(ranks), alpha)
    groups = cliques(average, difference) if friedman.p <= alpha else ((0, len(methods)),)
    return Ranks(
        corpora=tuple(map(str, table.index)),
        methods=methods,
        scores=values,
        ranks=ranks,
        average=average,
        friedman=friedman,
        critical_difference=difference,
        groups=tuple(methods[first:last] for first, last in groups),
        alpha=alpha,
    )


def _check_complete(table: pd.DataFrame) -> None:
    """
    Raises:
        StoreError: see ``rank_methods``.
    """
    rows, columns = ([str(name) for name in axis] for axis in (table.index, table.columns))
    for what, names in (("corpora", rows), ("methods", columns)):
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise StoreError(f"{', '.join(twice)}: named twice among the {what} to rank")
        if len(names) < 2:
            raise StoreError(
                f"ranks need at least two {what}, not {len(names)}"
                + (f" ({names[0]})" if names else "")
            )
    values = table.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    missing = [f"{columns[j]} on {rows[i]}" for i, j in np.argwhere(~np.isfinite(values))]
    if missing:
        raise StoreError(
            f"ranks need a finite score of every method on every corpus; missing: {listed(missing)}"
        )


def friedman_statistics(
    ranks: NDArray[np.float64], *, correct_ties: bool = True
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Friedman's χ² and Iman and Davenport's F.

    ``χ² = 12 N / (k (k + 1)) (Σ R_j² − k (k + 1)² / 4)`` over the average ranks R_j, divided by
    ``1 − Σ (t³ − t) / (N (k³ − k))`` over the sizes t of ties (Conover, *Practical Nonparametric
    Statistics*, section 5.8), and ``F = (N − 1) χ² / (N (k − 1) − χ²)`` (Iman and Davenport, 1980).

    Args:
        ranks: ``(…, N, k)``, of N corpora and k methods.
        correct_ties: False for the formula as Demšar prints it.

    Returns:
        χ² and F, each ``(…)``; 0 if all methods are tied on every corpus.
    """
    corpora, methods = ranks.shape[-2:]
    average = ranks.mean(axis=-2)
    chi2 = (
        12 * corpora / (methods * (methods + 1))
        * ((average**2).sum(axis=-1) - methods * (methods + 1) ** 2 / 4)
    )  # fmt: skip
    if correct_ties:
        # With ties, a row's ranks vary less around their mean.
        spread = ((ranks - (methods + 1) / 2) ** 2).sum(axis=(-2, -1))
        untied = corpora * methods * (methods**2 - 1) / 12
        chi2 = np.divide(chi2 * untied, spread, out=np.zeros_like(chi2), where=spread > TIE)
    room = corpora * (methods - 1) - chi2
    f = np.divide((corpora - 1) * chi2, room, out=np.full_like(chi2, np.inf), where=room > TIE)
    return chi2, f


def friedman_test(ranks: NDArray[np.float64]) -> Friedman:
    """Friedman's test in three versions, corrected for ties.

    Args:
        ranks: ``(N, k)``, of at least two corpora and two methods.
    """
    corpora, methods = ranks.shape
    statistics = friedman_statistics(ranks)
    chi2, f = float(statistics[0]), float(statistics[1])
    degrees = (methods - 1, (methods - 1) * (corpora - 1))
    p, exact = permutation_p(ranks)
    return Friedman(
        chi2=chi2,
        degrees=degrees[0],
        p_chi2=float(stats.chi2.sf(chi2, degrees[0])),
        f=f,
        f_degrees=degrees,
        p_f=float(stats.f.sf(f, *degrees)),
        p=p,
        exact=exact,
    )


def permutation_p(ranks: NDArray[np.float64], seed: int = 0) -> tuple[float, bool]:
    """Share of random rankings, drawn for each corpus separately, whose rank sums are as far apart.

    Exact if the rankings can be counted. Otherwise it is computed over 19,999 draws and the
    observed ranking, which also counts (Phipson and Smyth, "Permutation p-values should never be
    zero", 2010).

    Args:
        ranks: ``(N, k)``.
        seed: seed of the draws.

    Returns:
        p, and whether it is exact.
    """
    observed = float((ranks.sum(axis=0) ** 2).sum()) - TIE
    counted = _counted(ranks)
    if counted is not None:
        sums, ways = counted
        reached = (sums**2).sum(axis=1) >= observed
        return float(ways[reached].sum() / ways.sum()), True
    random = np.random.default_rng(seed)
    drawn = np.zeros((DRAWS, ranks.shape[1]))
    for row in ranks:
        drawn += random.permuted(np.broadcast_to(row, drawn.shape), axis=1)
    reached = (drawn**2).sum(axis=1) >= observed
    return float((1 + reached.sum()) / (1 + DRAWS)), False


def _counted(ranks: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Every multiset of rank sums, and the number of ways to reach it; None if there are too many.

    The statistic does not depend on which method has which sum, and neither do the sums that the
    next corpus can add. Sums are therefore sorted, and equal multisets are counted together.
    """
    methods = ranks.shape[1]
    if math.factorial(methods) > EXACT_STATES:
        return None
    sums, ways = np.sort(ranks[:1], axis=1), np.ones(1)
    for row in ranks[1:]:
        orders = np.array(sorted(set(permutations(row.tolist()))))
        if len(sums) * len(orders) > EXACT_STATES:
            return None
        reached = np.sort((sums[:, None, :] + orders[None]).reshape(-1, methods), axis=1)
        # Ranks are multiples of a half, so sums are exact and equal ones are equal.
        sums, places = np.unique(reached, axis=0, return_inverse=True)
        ways = np.bincount(places.reshape(-1), weights=np.repeat(ways, len(orders)))
        ways = ways / ways.max()  # otherwise long tables would overflow
    return sums, ways


def critical_difference(methods: int, corpora: int, alpha: float = ALPHA) -> float:
    """The smallest difference of two average ranks that is significant by Nemenyi's test."""
    q = float(stats.studentized_range.ppf(1 - alpha, methods, np.inf)) / math.sqrt(2)
    return q * math.sqrt(methods * (methods + 1) / (6 * corpora))


def cliques(average: NDArray[np.float64], difference: float) -> tuple[tuple[int, int], ...]:
    """Maximal runs of neighbours on the rank line that are all nearer than ``difference``.

    Args:
        average: ``(k,)``, sorted.
        difference: ranks that differ by this much or more are not in the same run.

    Returns:
        The first place of each run and the place after its last; a method that is near no other is
        a run of its own.
    """
    found: list[tuple[int, int]] = []
    for first, rank in enumerate(average):
        last = int(np.searchsorted(average, rank + difference - TIE, side="left"))
        last = max(last, first + 1)
        if not found or last > found[-1][1]:
            found.append((first, last))
    return tuple(found)


def least_p(methods: int, corpora: int) -> float:
    """The smallest p that Friedman's exact test can give without ties: all corpora agree."""
    return float(math.factorial(methods)) ** (1 - corpora)
