"""The linear SVM of ``classical``; see ``serbench_baselines.classical``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

Floats = NDArray[np.float64]

STEPS = 200
"""Greatest number of Newton steps; five to twenty are usually enough."""


class LinearSvm(ClassifierMixin, BaseEstimator):
    """The solution of scikit-learn's ``LinearSVC`` with balanced classes, found exactly and
    quickly.

    With more features than rows, the best weights are sums of the rows. So the SVM is fitted on the
    rows' coordinates within their own span, at most U of them, which changes no decision. Then the
    weights are transformed back.
    """

    def __init__(self, C: float = 1.0) -> None:
        self.C = C

    def fit(self, X: Floats, y: NDArray[np.int64]) -> LinearSvm:
        """Fit ``coef_ (K, d)``, one row for two classes, and ``intercept_ (K,)``.

        Raises:
            ValueError: all rows belong to one class.
        """
        self.classes_, own, counts = np.unique(y, return_inverse=True, return_counts=True)
        if len(counts) < 2:
            msg = "all training utterances are of one class"
            raise ValueError(msg)
        span, rows = np.linalg.qr(X.T) if X.shape[1] > len(X) else (None, X.T)
        padded = np.concatenate([rows, np.ones((1, len(X)))]).T
        weights = len(X) / (len(counts) * counts)  # "balanced"
        found = []
        for k in range(1, 2) if len(counts) == 2 else range(len(counts)):
            # With several classes, the rest is not weighted, as in LinearSVC.
            others = weights[0] if len(counts) == 2 else 1.0
            costs = self.C * np.where(own == k, weights[k], others)
            found.append(squared_hinge(padded, np.where(own == k, 1, -1), costs))
        found = np.stack(found)
        self.coef_ = found[:, :-1] if span is None else found[:, :-1] @ span.T
        self.intercept_ = found[:, -1]
        return self

    def decision_function(self, X: Floats) -> Floats:
        """``(N, K)``; with two classes ``(N,)``, above 0 for the second."""
        scores = X @ self.coef_.T + self.intercept_
        return scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X: Floats) -> NDArray[np.int64]:
        """The class with the greatest decision value."""
        scores = self.decision_function(X)
        best = scores.argmax(axis=1) if scores.ndim == 2 else (scores > 0).astype(int)
        return self.classes_[best]


def squared_hinge(rows: Floats, signs: NDArray[np.int64], costs: Floats) -> Floats:
    """Weights w ``(e,)`` that minimise ½ ‖w‖² + Σ cost · max(0, 1 − sign · w·row)², by Newton.

    If the same rows are within the margin before and after a step, it has reached the optimum
    (Keerthi and DeCoste, JMLR 6, 2005).

    Args:
        rows: ``(U, e)``, the last value of a row 1 for an intercept.
        signs: ``(U,)``, 1 for the class and -1 for the rest.
        costs: ``(U,)``.
    """

    def value(weights: Floats) -> float:
        short = np.maximum(0, 1 - signs * (rows @ weights))
        return float(weights @ weights / 2 + costs @ np.square(short))

    weights = np.zeros(rows.shape[1])
    for _ in range(STEPS):
        within = signs * (rows @ weights) < 1
        near, cost = rows[within], 2 * costs[within]
        curved = np.eye(len(weights)) + (near.T * cost) @ near
        step = np.linalg.solve(curved, near.T @ (cost * signs[within])) - weights
        length, before = 1.0, value(weights)
        while value(weights + length * step) > before and length > 1e-6:
            length /= 2
        weights = weights + length * step
        if length == 1.0 and np.array_equal(signs * (rows @ weights) < 1, within):
            break
    return weights
