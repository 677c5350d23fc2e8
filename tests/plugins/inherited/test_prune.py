from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from serbench_inherited.prune import (
    Moments,
    eliminate,
    leading_rows,
    least_squares,
    match_products,
)

Array = NDArray[np.float64]


def drawn(seed: int, rows: int, size: int) -> Array:
    """Rows of correlated features with a mean."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, size)) @ rng.normal(size=(size, size)) + rng.normal(size=size)


def loss(x: Array, t: Array, penalty: float = 0.0) -> float:
    """Of the best linear map of x to t, by NumPy's own solver on the explicit rows."""
    stacked = np.concatenate([x, np.sqrt(penalty) * np.eye(x.shape[1])])
    targets = np.concatenate([t, np.zeros((x.shape[1], t.shape[1]))])
    weight = np.linalg.lstsq(stacked, targets, rcond=None)[0]
    return float(np.square(targets - stacked @ weight).sum())


def test_moments_are_numpys_covariances() -> None:
    x, t = drawn(0, 90, 5), drawn(1, 90, 3)
    moments = Moments(5, 3)
    for part in (slice(0, 40), slice(40, 90)):
        moments.add(torch.from_numpy(x[part]), torch.from_numpy(t[part]))
    together = np.cov(np.hstack([x, t]).T, bias=True)
    gram, cross = moments.centred
    np.testing.assert_allclose(gram, together[:5, :5], atol=1e-12)
    np.testing.assert_allclose(cross, together[:5, 5:], atol=1e-12)
    np.testing.assert_allclose(moments.means[0], x.mean(axis=0))
    np.testing.assert_allclose(moments.means[1], t.mean(axis=0))
    assert moments.rows == 90


@pytest.mark.parametrize("ridge", [0.0, 0.3])
def test_least_squares_is_the_minimum(ridge: float) -> None:
    x, t = drawn(2, 60, 6), drawn(3, 60, 4)
    gram, cross = torch.from_numpy(x.T @ x), torch.from_numpy(x.T @ t)
    weight = least_squares(gram, cross, ridge).numpy()
    penalty = ridge * np.trace(x.T @ x) / 6
    found = np.square(t - x @ weight).sum() + penalty * np.square(weight).sum()
    assert found == pytest.approx(loss(x, t, penalty), rel=1e-9)


@pytest.mark.parametrize("group", [1, 3])
@pytest.mark.parametrize("ridge", [0.0, 0.05])
def test_elimination_leaves_out_what_costs_least_by_brute_force(group: int, ridge: float) -> None:
    groups, keep = 12, 4
    x, t = drawn(4, 400, groups * group), drawn(5, 400, 3)
    t = t + x[:, ::4] @ np.random.default_rng(6).normal(size=(len(x[0, ::4]), 3))
    penalty = ridge * float(np.square(x).sum()) / x.shape[1]
    left = list(range(groups))
    while len(left) > keep:

        def cost(without: int) -> float:
            at = [g * group + i for g in left if g != without for i in range(group)]
            return loss(x[:, at], t, penalty)

        left.remove(min(left, key=cost))
    gram, cross = torch.from_numpy(x.T @ x), torch.from_numpy(x.T @ t)
    assert eliminate(gram, cross, keep, group, ridge).tolist() == left


def test_elimination_is_the_same_in_one_go_or_in_several(monkeypatch: pytest.MonkeyPatch) -> None:
    x, t = drawn(7, 300, 40), drawn(8, 300, 5)
    gram, cross = torch.from_numpy(x.T @ x), torch.from_numpy(x.T @ t)
    kept = eliminate(gram, cross, 7, 2).tolist()
    monkeypatch.setattr("serbench_inherited.prune.TOGETHER", 3)
    assert eliminate(gram, cross, 7, 2).tolist() == kept
    assert len(kept) == 7


def test_elimination_finds_the_best_set_where_features_are_independent() -> None:
    rng = np.random.default_rng(9)
    x = np.linalg.qr(rng.normal(size=(200, 8)))[0]
    t = x @ rng.normal(size=(8, 3))
    best = min(combinations(range(8), 3), key=lambda at: loss(x[:, list(at)], t))
    kept = eliminate(torch.from_numpy(x.T @ x), torch.from_numpy(x.T @ t), 3)
    assert kept.tolist() == list(best)


def product_error(q: Array, k: Array, approximation: Array) -> float:
    """Mean over all pairs of the squared error of qᵀ A k."""
    return float(np.square(q @ k.T - q @ approximation @ k.T).mean())


def test_products_of_queries_and_keys_have_the_least_error() -> None:
    """Eckart & Young on the explicit matrix of all products."""
    q, k, rank = drawn(10, 50, 8), drawn(11, 70, 8), 3
    p, r = match_products(
        torch.from_numpy(q.T @ q)[None] / 50, torch.from_numpy(k.T @ k)[None] / 70, rank
    )
    assert p.shape == r.shape == (1, 8, rank)
    left, values, right = np.linalg.svd(q @ k.T)
    best = np.square(values[rank:]).sum() / (50 * 70)
    found = product_error(q, k, (p[0] @ r[0].T).numpy())
    assert found == pytest.approx(best, rel=1e-8)
    np.testing.assert_allclose(
        (q @ p[0].numpy()) @ (k @ r[0].numpy()).T,
        (left[:, :rank] * values[:rank]) @ right[:rank],
        atol=1e-8,
    )


def test_products_of_full_rank_are_kept_though_keys_are_degenerate() -> None:
    q, k = drawn(12, 50, 4), drawn(13, 50, 4)
    k[:, 3] = k[:, 0] - k[:, 1]  # a direction that no key has
    p, r = match_products(torch.from_numpy(q.T @ q)[None], torch.from_numpy(k.T @ k)[None], 4)
    assert product_error(q, k, (p[0] @ r[0].T).numpy()) < 1e-12


def test_leading_rows_are_the_best_of_their_rank() -> None:
    """By alternating least squares from many starts."""
    rng = np.random.default_rng(14)
    x, weight, rank = drawn(15, 80, 6), rng.normal(size=(9, 6)), 2
    rows = leading_rows(
        torch.from_numpy(weight)[None], torch.from_numpy(x.T @ x)[None], rank
    ).numpy()[0]
    target = x @ weight.T
    found = loss(x @ rows.T, target)
    tried = []
    for _ in range(5):
        u = rng.normal(size=(9, rank))
        for _ in range(200):
            v = np.linalg.lstsq(x, target @ np.linalg.pinv(u).T, rcond=None)[0]
            u = np.linalg.lstsq(x @ v, target, rcond=None)[0].T
        tried.append(float(np.square(target - x @ v @ u.T).sum()))
    assert found == pytest.approx(min(tried), rel=1e-6)
    assert rows.shape == (rank, 6)
