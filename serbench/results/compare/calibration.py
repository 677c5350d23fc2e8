"""Reliability curves and expected calibration error: whether posteriors agree with accuracy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from serbench.errors import SerbenchError

BINS = 15


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """Confidence and accuracy of predictions, by confidence.

    Attributes:
        edges: ``(B + 1,)``, edges of bins of equal width from 0 to 1; a bin includes its right
            edge.
        count: ``(B,)`` predictions.
        confidence: ``(B,)`` mean posterior of the predicted class; NaN in an empty bin.
        accuracy: ``(B,)`` share of right predictions; NaN in an empty bin.
        ece: expected calibration error, 0 … 1: the mean over predictions of the distance between
            their bin's accuracy and confidence.
        overconfidence: mean confidence minus accuracy over all predictions: above 0 if posteriors
            are too high.
        brier: mean over predictions of the squared distance between the posteriors and the true
            class, summed over classes, 0 … 2.
    """

    edges: NDArray[np.float64]
    count: NDArray[np.int64]
    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    ece: float
    overconfidence: float
    brier: float


def reliability(posteriors: ArrayLike, labels: ArrayLike, bins: int = BINS) -> Reliability:
    """Bin predictions by the posterior of the predicted class.

    Bins and ECE as in Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, eq. 1-3;
    the Brier score as in its first definition (1950), summed over classes.

    Args:
        posteriors: ``(N, C)``, rows sum to 1.
        labels: ``(N,)`` int, true classes, 0 … C−1.
        bins: B.

    Raises:
        SerbenchError: there is nothing to bin, shapes do not fit, or rows are not posteriors.
    """
    rows = np.asarray(posteriors, dtype=np.float64)
    true = np.asarray(labels)
    if rows.ndim != 2 or not len(rows) or true.shape != rows.shape[:1] or bins < 1:
        raise SerbenchError(
            f"posteriors of shape {rows.shape} and labels of shape {true.shape} in {bins} bins "
            "cannot be calibrated: one row and one label for each prediction are needed"
        )
    if not (np.isfinite(rows).all() and rows.min() >= -1e-6 and rows.max() <= 1 + 1e-6):
        raise SerbenchError("posteriors must lie between 0 and 1")
    confidence = np.clip(rows.max(axis=1), 0.0, 1.0)
    right = rows.argmax(axis=1) == true
    edges = np.linspace(0.0, 1.0, bins + 1)
    place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    held = np.where(count > 0, count, np.nan)
    mean_confidence = np.bincount(place, weights=confidence, minlength=bins) / held
    accuracy = np.bincount(place, weights=right, minlength=bins) / held
    gaps = np.abs(accuracy - mean_confidence)[count > 0]
    target = np.zeros_like(rows)
    target[np.arange(len(true)), true] = 1.0
    return Reliability(
        edges=edges,
        count=count.astype(np.int64),
        confidence=mean_confidence,
        accuracy=accuracy,
        ece=float((gaps * count[count > 0]).sum() / len(true)),
        overconfidence=float(confidence.mean() - right.mean()),
        brier=float(((rows - target) ** 2).sum(axis=1).mean()),
    )
