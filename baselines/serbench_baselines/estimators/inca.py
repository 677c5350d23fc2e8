"""INCA and a cubic SVM; see ``serbench_baselines.tsp_inca``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.svm import SVC

Floats = NDArray[np.floating]


Ints = NDArray[np.int64]


def objective(
    X: Floats, y: Ints, weights: Floats, width: float, penalty: float
) -> tuple[float, Floats]:
    """Share of neighbours of the same class minus the penalty, and its gradient by the weights.

    ``mean_i Σ_{j of the class of i} p_ij − penalty / (U d) Σ_r w_r²``, where ``p_ij`` is the
    softmax over j ≠ i of ``−Σ_r w_r² (x_ir − x_jr)² / width``.

    Args:
        X: ``(U, d)``.
        y: ``(U,)`` classes.
        weights: w, ``(d,)``.
        width: width of the kernel.
        penalty: see ``TspIncaParams``.
    """
    count, dims = X.shape
    distances = squared_distances(X * weights) / width
    near = np.exp(distances.min(axis=1, keepdims=True) - distances)
    near /= near.sum(axis=1, keepdims=True)
    same = y[:, None] == y[None, :]
    right = (near * same).sum(axis=1)
    pull = near * (right[:, None] - same) / (width * count)
    pull = pull + pull.T
    # Σ_ij pull_ij (x_ir − x_jr)² / 2, for every r at once
    spread = pull.sum(axis=1) @ np.square(X) - ((pull @ X) * X).sum(axis=0)
    held = penalty / (count * dims)
    value = float(right.mean()) - held * float(np.square(weights).sum())
    return value, 2 * weights * (spread - held)


def squared_distances(rows: Floats) -> Floats:
    """``(U, U)``, infinite on the diagonal, so that no row is its own neighbour."""
    squares = np.square(rows).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares[None, :] - 2 * rows @ rows.T, 0)
    np.fill_diagonal(distances, np.inf)
    return distances


def feature_weights(X: Floats, y: Ints, steps: int, penalty: float) -> Floats:
    """Weights ``(d,)`` that maximise ``objective``, by gradient ascent from 1.

    The kernel's width is the mean squared distance of the nearest neighbours at the start. If a
    step raises the objective, it is kept, and the next is 1.5 times as long. Otherwise it is
    undone, and the next is 0.4 times as long.
    """
    weights = np.ones(X.shape[1], X.dtype)
    width = float(squared_distances(X).min(axis=1).mean()) or 1.0
    value, gradient = objective(X, y, weights, width, penalty)
    rate = 0.1 / (float(np.abs(gradient).max()) or 1.0)
    for _ in range(steps):
        moved = (weights + rate * gradient).astype(X.dtype)
        reached, there = objective(X, y, moved, width, penalty)
        if reached > value:
            weights, value, gradient, rate = moved, reached, there, 1.5 * rate
        else:
            rate *= 0.4
    return np.abs(weights)


def neighbour_errors(X: Floats, y: Ints, groups: NDArray[Any], numbers: range) -> Floats:
    """Error rate of the nearest neighbour from another group, with the first n features, for each n
    of ``numbers``.
    """
    apart = groups[:, None] != groups[None, :]
    distances = np.zeros((len(X), len(X)), X.dtype)
    errors, used = [], 0
    for number in numbers:
        added = X[:, used:number]
        squares = np.square(added).sum(axis=1)
        distances += squares[:, None] + squares[None, :] - 2 * added @ added.T
        used = number
        nearest = np.where(apart, distances, np.inf).argmin(axis=1)
        errors.append(float(np.mean(y[nearest] != y)))
    return np.array(errors)


class Inca(ClassifierMixin, BaseEstimator):
    """INCA and a cubic SVM; see the module's docstring.

    Attributes:
        chosen_: the features that the SVM uses, best first.
    """

    def __init__(
        self, least: int = 100, most: int = 1000, steps: int = 60, penalty: float = 1.0,
        C: float = 1.0,
    ) -> None:  # fmt: skip
        self.least, self.most, self.steps, self.penalty, self.C = least, most, steps, penalty, C

    def fit(self, X: Floats, y: Ints, groups: NDArray[Any]) -> Inca:
        """
        Raises:
            ValueError: all rows belong to one group.
        """
        if len(np.unique(groups)) < 2:
            msg = "the number of features is chosen over speakers, but there is only one"
            raise ValueError(msg)
        single = X.astype(np.float32)  # twice as fast, and precise enough for a ranking
        order = np.argsort(-feature_weights(single, y, self.steps, self.penalty), kind="stable")
        most = min(self.most, X.shape[1])
        numbers = range(min(self.least, most), most + 1)
        errors = neighbour_errors(X[:, order], y, groups, numbers)
        self.chosen_ = order[: numbers[int(errors.argmin())]]
        self.svm_ = SVC(
            C=self.C, kernel="poly", degree=3, coef0=1.0, gamma="scale", break_ties=True
        ).fit(X[:, self.chosen_], y)
        self.classes_ = self.svm_.classes_
        return self

    def decision_function(self, X: Floats) -> Floats:
        """``(N, K)``; with two classes ``(N,)``, above 0 for the second."""
        return self.svm_.decision_function(X[:, self.chosen_])

    def predict(self, X: Floats) -> Ints:
        """The class with the greatest decision value."""
        return self.svm_.predict(X[:, self.chosen_])
