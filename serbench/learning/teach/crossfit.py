"""Soft targets of training utterances from heads that were not fitted on their speakers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from serbench.api import SplitError
from serbench.learning.teach.embeddings import TrainingEmbeddings
from serbench.learning.teach.heads import fit_head, fit_path
from serbench.protocol.splits.groups import balanced_groups, natural_key
from serbench.settings import HeadSettings


@dataclass(frozen=True, slots=True)
class SoftTargets:
    """A teacher's soft targets for the N utterances of a training partition.

    Attributes:
        logits: ``(N, C)`` float32.
        strength: inverse L2 penalty of the head, chosen by cross-fitted log-likelihood.
        log_likelihood: mean cross-fitted log posterior of the true class, for each strength.
        layer_weights: ``(L,)``, mean over the heads that gave the logits.
        groups: units (speakers or sessions) that were left out together.
    """

    logits: NDArray[np.float32]
    strength: float
    log_likelihood: dict[float, float]
    layer_weights: NDArray[np.float64]
    groups: tuple[tuple[str, ...], ...]


def cross_fit(train: TrainingEmbeddings, settings: HeadSettings, num_classes: int) -> SoftTargets:
    """Soft targets for every utterance of a training partition.

    The partition's units are divided into ``settings.groups`` groups of similar size, or into one
    group per unit if there are fewer units. Each group's logits come from a head that is fitted
    on the other groups; the strength with the best mean log-likelihood of these logits is chosen.
    With ``soft_targets = "in-sample"`` the logits then come from one head that is fitted on all.

    Args:
        train: the partition.
        settings: groups and strengths.
        num_classes: C.

    Raises:
        SplitError: there is a single unit, which no head can leave out.
        TeacherError: without one of the groups, a single class is left.
    """
    groups = unit_groups(train.units, settings.groups)
    strengths = sorted(settings.strengths)
    logits, layer_weights = _held_out(train, groups, strengths, num_classes)
    posteriors = log_softmax(logits, axis=2)
    of_truth = posteriors[:, np.arange(len(train.labels)), train.labels]
    likelihood = np.average(of_truth, axis=1, weights=train.weights)  # (strengths,)
    best = int(likelihood.argmax())
    targets, weights = logits[best], layer_weights[best]
    if settings.soft_targets == "in-sample":
        head = fit_head(train, num_classes, strengths[best])
        targets, weights = head.predict(train.pooled), head.layer_weights
    return SoftTargets(
        logits=targets,
        strength=strengths[best],
        log_likelihood=dict(zip(strengths, likelihood.tolist(), strict=True)),
        layer_weights=weights,
        groups=groups,
    )


def cross_heard(
    train: TrainingEmbeddings,
    heard: TrainingEmbeddings,
    settings: HeadSettings,
    strength: float,
    num_classes: int,
) -> NDArray[np.float32]:
    """Logits of the heads of ``cross_fit`` for other embeddings of the same utterances.

    Each utterance's logits come again from a head that was not fitted on its speaker; with
    ``soft_targets = "in-sample"``, from the head that was fitted on all.

    Args:
        train: the partition that ``cross_fit`` was given.
        heard: M rows of embeddings of the same partition, for instance of crops of its utterances.
        settings: the settings that ``cross_fit`` was given.
        strength: the strength that ``cross_fit`` chose.
        num_classes: C.

    Returns:
        ``(M, C)``.

    Raises:
        SplitError, TeacherError: as ``cross_fit``.
    """
    if settings.soft_targets == "in-sample":
        return fit_head(train, num_classes, strength).predict(heard.pooled)
    # Each head starts from the one of the previous strength, as in the comparison of strengths.
    strengths = [each for each in sorted(settings.strengths) if each <= strength]
    logits = np.empty((len(heard.labels), num_classes), dtype=np.float32)
    for group in unit_groups(train.units, settings.groups):
        out, theirs = (np.isin(np.array(each.units), list(group)) for each in (train, heard))
        head = fit_path(train.only(~out), num_classes, strengths)[-1]
        logits[theirs] = head.predict(heard.pooled[theirs])
    return logits


def unit_groups(units: Sequence[str], groups: int) -> tuple[tuple[str, ...], ...]:
    """Divide the distinct ``units`` into at most ``groups`` groups of similar utterance count.

    Raises:
        SplitError: fewer than two units.
    """
    counts = Counter(units)
    names = sorted(counts, key=natural_key)
    if len(names) < 2:
        raise SplitError(
            "soft targets and linear probes are cross-fitted over the speakers or sessions of a "
            f"training partition, but this one has only {', '.join(names) or 'none'}; use folds "
            "that train on at least two"
        )
    dealt = balanced_groups([counts[name] for name in names], min(groups, len(names)))
    return tuple(tuple(names[position] for position in group) for group in dealt)


def _held_out(
    train: TrainingEmbeddings,
    groups: Sequence[Sequence[str]],
    strengths: Sequence[float],
    num_classes: int,
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Held-out logits ``(strengths, N, C)`` and mean layer weights ``(strengths, L)``."""
    logits = np.empty((len(strengths), len(train.labels), num_classes), dtype=np.float32)
    weights = np.zeros((len(strengths), train.pooled.shape[1]))
    units = np.array(train.units)
    for group in groups:
        out = np.isin(units, list(group))
        for row, head in enumerate(fit_path(train.only(~out), num_classes, strengths)):
            logits[row, out] = head.predict(train.pooled[out])
            weights[row] += head.layer_weights / len(groups)
    return logits, weights
