"""Layer weights learnt jointly with a linear classifier.

The model is softmax(Σ_l a_l z_l W + b) with a = softmax(s): the weighted sum of layers of Yang et
al., *SUPERB: Speech processing universal performance benchmark* (Interspeech 2021), on
standardised utterance embeddings. Given the layer weights, W and b are a logistic regression, so
s minimises the objective that remains after fitting them (variable projection); by the envelope
theorem its gradient needs no derivative of W.

The problem is not convex, and averaging layers shrinks their norm, so the penalty on W favours
few layers: the weights are a local optimum and mostly settle on one layer and its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from serbench.learning.teach.logistic import Array, Solution, fit_logistic, row_space

_MAX_ITERATIONS = 20
_RELATIVE_TOLERANCE = 1e-4
"""Optimisation of layer weights stops when the objective, which is smooth in them, falls by less
than this share.
"""


class LayerMix:
    """The objective as a function of the layer scores s; remembers its last classifier.

    Args:
        standard: ``(N, L, P)`` standardised embeddings.
        labels: ``(N,)``, each class at least once.
        strength: inverse L2 penalty.
        samples: ``(N,)``, weight of each sample; None: 1 each.
    """

    def __init__(
        self,
        standard: Array,
        labels: NDArray[np.int64],
        strength: float,
        samples: Array | None = None,
    ) -> None:
        # Layers are the first axis: mixing is then one pass over memory. Single precision halves
        # the time of that pass and of the decomposition; the classifier is fitted in double.
        self.layers = np.ascontiguousarray(standard.transpose(1, 0, 2), dtype=np.float32)
        self.labels = labels
        self.num_classes = int(labels.max()) + 1
        self.strength = strength
        self.samples = np.ones(len(labels)) if samples is None else samples
        self.weight: Array | None = None  # (P, C)
        self.bias = np.zeros(self.num_classes)

    def classify(self, weights: Array) -> tuple[Solution, Array]:
        """Fit W and b for layer ``weights (L,)``; return the solution and its error ``(N, C)``,
        in which each sample is weighted by its share.
        """
        mixed = np.tensordot(weights.astype(np.float32), self.layers, axes=1)  # (N, P)
        space = row_space(mixed)
        start = None
        if self.weight is not None:
            start = Solution(space.basis.T @ self.weight, self.bias, np.inf)
        found = fit_logistic(
            space, self.labels, self.num_classes, self.strength, start, self.samples
        )
        self.weight, self.bias = space.basis @ found.weight, found.bias
        error = np.exp(log_softmax(space.coordinates @ found.weight + found.bias, axis=1))
        error[np.arange(len(error)), self.labels] -= 1.0
        return found, error * (self.samples / self.samples.sum())[:, None]

    def __call__(self, scores: Array) -> tuple[float, Array]:
        """Objective, and its gradient with respect to layer ``scores (L,)``."""
        weights = softmax(scores)
        found, error = self.classify(weights)
        assert self.weight is not None
        logits = self.layers @ self.weight.astype(np.float32)  # (L, N, C)
        slope = np.einsum("lnc,nc->l", logits, error, dtype=np.float64)
        return found.objective, weights * (slope - weights @ slope)


def fit_mix(
    standard: Array,
    labels: NDArray[np.int64],
    strengths: Sequence[float],
    samples: Array | None = None,
) -> list[tuple[Array, Array, Array]]:
    """Layer weights ``(L,)``, weight ``(P, C)`` and bias ``(C,)`` for each strength.

    Layer weights are uniform at first, and each strength starts from the result of the previous
    one. ``samples (N,)`` are weights of the samples; None: 1 each.
    """
    scores = np.zeros(standard.shape[1])
    objective = LayerMix(standard, labels, strengths[0], samples)
    fits: list[tuple[Array, Array, Array]] = []
    for strength in strengths:
        objective.strength = strength
        found = minimize(
            objective,
            scores,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": _MAX_ITERATIONS, "ftol": _RELATIVE_TOLERANCE},
        )
        scores = found.x - found.x.mean()
        weights = softmax(scores)
        objective.classify(weights)
        assert objective.weight is not None
        fits.append((weights, objective.weight, objective.bias))
    return fits
