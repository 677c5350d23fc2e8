"""Multinomial logistic regression with an L2 penalty, fast on few wide embeddings.

The minimiser of an L2-penalised linear model lies in the row space of its inputs (representer
theorem), so N utterances of P dimensions are first rotated into their at most min(N, P) principal
coordinates, without any loss. In these coordinates the curvature is known well enough to
precondition L-BFGS, which then needs some tens of iterations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

Array = NDArray[np.float64]

_CURVATURE = 0.1
"""Typical p (1 − p) of a posterior; it affects only the preconditioner, never the solution."""

_GRADIENT_TOLERANCE = 1e-6
_MAX_ITERATIONS = 500


@dataclass(frozen=True, slots=True)
class RowSpace:
    """Inputs in the principal coordinates of their own row space.

    Attributes:
        coordinates: ``(N, r)``, so that inputs = coordinates @ basis.T.
        basis: ``(P, r)``, orthonormal columns.
        energy: ``(r,)``, sum of squares of each coordinate.
    """

    coordinates: Array
    basis: Array
    energy: Array


def row_space(inputs: NDArray[np.floating]) -> RowSpace:
    """Rotate ``inputs (N, P)`` into their row space; exact except for directions without energy.

    Directions below the rounding error of ``inputs``' own precision are left out.
    """
    samples, dims = inputs.shape
    wide = dims > samples
    gram = inputs @ inputs.T if wide else inputs.T @ inputs
    energy, vectors = np.linalg.eigh(gram)
    smallest = max(samples, dims) * np.finfo(inputs.dtype).eps * max(float(energy[-1]), 1e-30)
    kept = energy > smallest
    energy, vectors = energy[kept], vectors[:, kept]
    if wide:
        root = np.sqrt(energy)
        basis, coordinates = inputs.T @ (vectors / root), vectors * root
    else:
        basis, coordinates = vectors, inputs @ vectors
    return RowSpace(
        coordinates=np.asarray(coordinates, dtype=np.float64),
        basis=np.asarray(basis, dtype=np.float64),
        energy=np.asarray(energy, dtype=np.float64),
    )


@dataclass(frozen=True, slots=True)
class Solution:
    """A fitted linear classifier in row-space coordinates.

    Attributes:
        weight: ``(r, C)``.
        bias: ``(C,)``, unpenalised, with mean 0.
        objective: mean cross-entropy + ‖weight‖² / (2 · strength · N).
    """

    weight: Array
    bias: Array
    objective: float


def fit_logistic(
    space: RowSpace,
    labels: NDArray[np.int64],
    num_classes: int,
    strength: float,
    start: Solution | None = None,
    weights: Array | None = None,
) -> Solution:
    """Minimise mean cross-entropy + ‖W‖² / (2 · strength · N) over W and an unpenalised bias.

    This is scikit-learn's ``LogisticRegression(C=strength)`` divided by ``strength · N``.
    With ``weights``, the mean is weighted and N is their sum, as with scikit-learn's
    ``sample_weight``.

    Args:
        space: the inputs.
        labels: ``(N,)``, with each of 0 … C-1 at least once (else the bias has no minimiser).
        num_classes: C.
        strength: inverse of the L2 penalty.
        start: solution to start from, for instance that of a neighbouring strength.
        weights: ``(N,)``, weight of each sample; None: 1 each.
    """
    rank = space.coordinates.shape[1]
    counted = np.ones(len(labels)) if weights is None else weights
    samples = counted.sum()
    share = (counted / samples)[:, None]
    penalty = 1.0 / (strength * samples)
    # Parameters are divided by these scales, so that the curvature is alike in all directions.
    scale = 1.0 / np.sqrt(_CURVATURE * space.energy / samples + penalty)[:, None]
    bias_scale = 1.0 / np.sqrt(_CURVATURE)
    target = np.zeros((len(labels), num_classes))
    target[np.arange(len(labels)), labels] = 1.0

    def unpack(flat: Array) -> tuple[Array, Array]:
        weight = flat[: rank * num_classes].reshape(rank, num_classes) * scale
        return weight, flat[rank * num_classes :] * bias_scale

    def value_and_gradient(flat: Array) -> tuple[float, Array]:
        weight, bias = unpack(flat)
        log_posterior = log_softmax(space.coordinates @ weight + bias, axis=1)
        error = (np.exp(log_posterior) - target) * share  # (N, C)
        value = -np.sum(log_posterior * target * share) + 0.5 * penalty * np.sum(weight**2)
        slope = space.coordinates.T @ error + penalty * weight
        bias_slope = error.sum(axis=0) * bias_scale
        return float(value), np.concatenate([(slope * scale).ravel(), bias_slope])

    first = np.zeros(rank * num_classes + num_classes)
    if start is not None:
        first = np.concatenate([(start.weight / scale).ravel(), start.bias / bias_scale])
    found = minimize(
        value_and_gradient,
        first,
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": _MAX_ITERATIONS, "gtol": _GRADIENT_TOLERANCE, "ftol": 1e-12},
    )
    weight, bias = unpack(found.x)
    return Solution(weight, bias - bias.mean(), float(found.fun))
