"""A teacher's head: multinomial logistic regression on its pooled embeddings.

Embeddings are standardised per layer and dimension. With several layers the head's input is their
weighted sum, and the layer weights (a softmax) are learnt jointly with the linear classifier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from serbench.api import TeacherError
from serbench.learning.teach.embeddings import TrainingEmbeddings
from serbench.learning.teach.logistic import Array, Solution, fit_logistic, row_space
from serbench.learning.teach.mix import fit_mix

Pooled = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Head:
    """A fitted head.

    Attributes:
        mean, scale: ``(L, P)``, of the utterances that the head was fitted on.
        layer_weights: ``(L,)``, positive, with sum 1.
        weight: ``(P, C')`` and bias ``(C',)`` over the classes of these utterances.
        classes: ``(C',)``, indices of those classes.
        num_classes: C.
        samples: N, number of utterances that the head was fitted on.
        strength: inverse L2 penalty.
    """

    mean: Array
    scale: Array
    layer_weights: Array
    weight: Array
    bias: Array
    classes: NDArray[np.int64]
    num_classes: int
    samples: int
    strength: float

    def predict(self, pooled: Pooled) -> NDArray[np.float32]:
        """Logits ``(M, C)`` of ``pooled (M, L, P)``.

        A class without training utterances gets the posterior 1 / (N + 1), as in the rule of
        succession: low and finite, so that soft targets stay usable.
        """
        standard = (pooled - self.mean) / self.scale
        mixed = np.einsum("l,mlp->mp", self.layer_weights, standard)
        seen = mixed @ self.weight + self.bias
        logits = np.empty((len(pooled), self.num_classes))
        logits[:] = logsumexp(seen, axis=1, keepdims=True) - np.log(self.samples)
        logits[:, self.classes] = seen
        return logits.astype(np.float32)


def fit_head(
    train: TrainingEmbeddings,
    num_classes: int,
    strength: float,
    standardise_over: TrainingEmbeddings | None = None,
) -> Head:
    """Fit one head: see ``fit_path``."""
    return fit_path(train, num_classes, (strength,), standardise_over)[0]


def fit_path(
    train: TrainingEmbeddings,
    num_classes: int,
    strengths: Sequence[float],
    standardise_over: TrainingEmbeddings | None = None,
) -> tuple[Head, ...]:
    """Fit one head per strength, each started from the previous one.

    Args:
        train: has labels in 0 … C-1; classes may be absent (see ``Head.predict``).
        num_classes: C.
        strengths: inverse L2 penalties, as scikit-learn's C; ascending order is fastest.
        standardise_over: gives mean and deviation instead of ``train``, in deliberately broken
            protocols only.

    Raises:
        TeacherError: there are fewer than two classes, shapes do not fit, or embeddings are not
            finite.
    """
    pooled, labels = train.pooled, train.labels
    _check(pooled, labels)
    classes, seen = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise TeacherError(
            f"a teacher's head needs at least two classes, but all of its {len(labels)} training "
            f"utterances are of class {classes[0]}"
        )
    basis = standardise_over or train
    mean, deviation = _moments(basis)
    # A dimension that varies only by rounding has no information: leave it unscaled.
    scale = np.where(deviation > 1e-6 * np.abs(mean) + 1e-12, deviation, 1.0)
    standard = (pooled - mean) / scale
    fit = fit_mix if pooled.shape[1] > 1 else _single_layer
    fits = fit(standard, seen.astype(np.int64), strengths, train.weights)
    return tuple(
        Head(mean, scale, layers, weight, bias, classes, num_classes, len(labels), float(strength))
        for (layers, weight, bias), strength in zip(fits, strengths, strict=True)
    )


def _moments(basis: TrainingEmbeddings) -> tuple[Array, Array]:
    """Mean and deviation ``(L, P)``, weighted if the utterances have weights."""
    if basis.weights is None:
        pooled = basis.pooled
        return pooled.mean(axis=0, dtype=np.float64), pooled.std(axis=0, dtype=np.float64)
    exact = basis.pooled.astype(np.float64)
    mean = np.average(exact, axis=0, weights=basis.weights)
    return mean, np.sqrt(np.average((exact - mean) ** 2, axis=0, weights=basis.weights))


def _single_layer(
    standard: Array,
    labels: NDArray[np.int64],
    strengths: Sequence[float],
    samples: Array | None = None,
) -> list[tuple[Array, Array, Array]]:
    """Layer weights, weight and bias for each strength, fitted on ``standard (N, 1, P)`` with the
    sample weights ``samples (N,)``.
    """
    space = row_space(standard[:, 0])
    fits: list[tuple[Array, Array, Array]] = []
    solution: Solution | None = None
    for strength in strengths:
        classes = int(labels.max()) + 1
        solution = fit_logistic(space, labels, classes, strength, solution, samples)
        fits.append((np.ones(1), space.basis @ solution.weight, solution.bias))
    return fits


def _check(pooled: Pooled, labels: NDArray[np.int64]) -> None:
    if pooled.ndim != 3 or len(pooled) != len(labels) or not len(labels):
        raise TeacherError(
            "a head needs embeddings (utterances, layers, dimensions) and one label for each "
            f"utterance, but got {pooled.shape} and {labels.shape}"
        )
    if not np.isfinite(pooled).all():
        raise TeacherError("the teacher's embeddings contain values that are not finite")
