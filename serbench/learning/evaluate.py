"""From window posteriors to utterance-level scores with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from serbench.api import SerbenchError

Metric = Literal["wa", "ua", "macro_f1"]


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Scores of some utterances.

    Attributes:
        wa: weighted accuracy, which is accuracy, 0 … 1.
        ua: unweighted accuracy: recall averaged over the classes that occur in the labels, 0 … 1.
        macro_f1: F1 averaged over the same classes, 0 … 1.
        confusion: ``(C, C)`` int64, true classes in rows, predicted ones in columns.
    """

    wa: float
    ua: float
    macro_f1: float
    confusion: NDArray[np.int64]


def utterance_posteriors(
    posteriors: ArrayLike, window_utterance: ArrayLike, num_utterances: int
) -> NDArray[np.float64]:
    """Mean posterior over each utterance's windows.

    Args:
        posteriors: ``(W, C)``, one row per window.
        window_utterance: ``(W,)`` int, the utterance of each window, 0 … U−1.
        num_utterances: U.

    Returns:
        ``(U, C)`` float64.

    Raises:
        SerbenchError: shapes do not fit, an utterance has no window, or posteriors are not finite
            because a fit has diverged.
    """
    rows = np.asarray(posteriors, dtype=np.float64)
    owner = np.asarray(window_utterance, dtype=np.int64)
    if rows.ndim != 2 or owner.shape != rows.shape[:1]:
        raise SerbenchError(
            f"window posteriors of shape {rows.shape} do not fit utterances of shape {owner.shape}"
        )
    if not np.isfinite(rows).all():
        damaged = int((~np.isfinite(rows)).any(axis=1).sum())
        raise SerbenchError(
            f"the posteriors of {damaged} of {len(rows)} windows are not finite: the fit has "
            "diverged; lower training.learning_rate or set training.precision=fp32"
        )
    if owner.size and not (owner.min() >= 0 and owner.max() < num_utterances):
        raise SerbenchError(f"windows belong to utterances outside 0 … {num_utterances - 1}")
    windows = np.bincount(owner, minlength=num_utterances)
    if (windows == 0).any():
        raise SerbenchError(
            f"{int((windows == 0).sum())} of {num_utterances} utterances have no window"
        )
    sums = np.zeros((num_utterances, rows.shape[1]))
    np.add.at(sums, owner, rows)
    return sums / windows[:, None]


def score(labels: ArrayLike, predicted: ArrayLike, num_classes: int) -> Scores:
    """WA, UA, macro-F1 and the confusion matrix of utterances.

    A class that no label has is left out of the UA and the macro-F1; predictions of it still
    count as errors.

    Args:
        labels: ``(U,)`` int, true classes, 0 … C−1.
        predicted: ``(U,)`` int, predicted classes, 0 … C−1.
        num_classes: C.

    Raises:
        SerbenchError: nothing to score, different lengths, or classes out of range.
    """
    true, guess = _checked(labels, predicted, num_classes)
    flat = np.bincount(true * num_classes + guess, minlength=num_classes**2)
    confusion = flat.reshape(num_classes, num_classes).astype(np.int64)
    return Scores(
        wa=float(confusion_metric(confusion, "wa")),
        ua=float(confusion_metric(confusion, "ua")),
        macro_f1=float(confusion_metric(confusion, "macro_f1")),
        confusion=confusion,
    )


def confusion_metric(confusion: ArrayLike, metric: Metric) -> NDArray[np.float64]:
    """A metric of each confusion matrix in a stack ``(…, C, C)``, as ``(…,)``.

    Recall is TP / (TP + FN) and F1 is 2 TP / (2 TP + FP + FN), averaged over the classes with
    TP + FN > 0 in that matrix. Counts may be weighted.

    Raises:
        SerbenchError: an unknown metric.
    """
    counts = np.asarray(confusion, dtype=np.float64)
    hits = np.diagonal(counts, axis1=-2, axis2=-1)  # (…, C)
    support = counts.sum(axis=-1)
    if metric == "wa":
        return hits.sum(axis=-1) / support.sum(axis=-1)
    present = support > 0
    if metric == "ua":
        per_class = hits / np.where(present, support, 1.0)
    elif metric == "macro_f1":
        # 2 TP + FP + FN is the row sum plus the column sum.
        per_class = 2.0 * hits / np.where(present, support + counts.sum(axis=-2), 1.0)
    else:
        raise SerbenchError(f"unknown metric {metric!r}: use wa, ua or macro_f1")
    return np.where(present, per_class, 0.0).sum(axis=-1) / present.sum(axis=-1)


def speaker_confusions(
    labels: ArrayLike, predicted: ArrayLike, speakers: Sequence[str], num_classes: int
) -> NDArray[np.int64]:
    """Confusion matrix of each speaker, ``(S, C, C)``, speakers in sorted order.

    Raises:
        SerbenchError: as ``score``, or the number of speakers is not that of the labels.
    """
    true, guess = _checked(labels, predicted, num_classes)
    if len(speakers) != len(true):
        raise SerbenchError(f"{len(speakers)} speakers given for {len(true)} utterances")
    names, speaker = np.unique(np.asarray(speakers, dtype=str), return_inverse=True)
    cell = (speaker.reshape(-1) * num_classes + true) * num_classes + guess
    flat = np.bincount(cell, minlength=len(names) * num_classes**2)
    return flat.reshape(len(names), num_classes, num_classes).astype(np.int64)


def resample_weights(num_speakers: int, repeats: int, seed: int) -> NDArray[np.int64]:
    """How often each speaker is drawn in each resample: ``(repeats, S)``, rows sum to S.

    The same arguments give the same resamples, so that methods can be compared in pairs.

    Raises:
        SerbenchError: fewer than two speakers; their interval would be too narrow.
    """
    if num_speakers < 2:
        raise SerbenchError("an interval by resampling speakers needs at least two speakers")
    generator = np.random.default_rng(seed)
    return generator.multinomial(num_speakers, np.full(num_speakers, 1 / num_speakers), repeats)


def resampled_metric(
    confusions: NDArray[np.int64], weights: NDArray[np.int64], metric: Metric
) -> NDArray[np.float64]:
    """The pooled metric of each resample.

    Args:
        confusions: ``(S, C, C)`` of ``speaker_confusions``.
        weights: ``(repeats, S)`` of ``resample_weights``.
        metric: the metric to compute.

    Returns:
        ``(repeats,)``.
    """
    speakers, classes, _ = confusions.shape
    # Counts are far below 2^53, so float64 (and with it BLAS) keeps them exact.
    flat = confusions.reshape(speakers, classes * classes).astype(np.float64)
    pooled = weights.astype(np.float64) @ flat
    return confusion_metric(pooled.reshape(-1, classes, classes), metric)


def _checked(
    labels: ArrayLike, predicted: ArrayLike, num_classes: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Labels and predictions as ``(U,)`` int64."""
    true = np.asarray(labels)
    guess = np.asarray(predicted)
    if true.ndim != 1 or true.shape != guess.shape or true.size == 0:
        raise SerbenchError(
            f"labels of shape {true.shape} and predictions of shape {guess.shape} cannot be "
            "scored: both need one class per utterance, and at least one utterance"
        )
    for name, classes in (("labels", true), ("predictions", guess)):
        if not np.issubdtype(classes.dtype, np.integer):
            raise SerbenchError(f"{name} must be class numbers, not {classes.dtype}")
        if classes.min() < 0 or classes.max() >= num_classes:
            raise SerbenchError(
                f"{name} run from {classes.min()} to {classes.max()}, outside 0 … {num_classes - 1}"
            )
    return true.astype(np.int64), guess.astype(np.int64)
