"""Similarity of voices: between two utterances, between two speakers, and within one.

Emotion, words and voice all change the statistics of ``voice``. The mean of each class removes
emotion. Utterances are only compared with utterances of another emotion, and of another sentence if
sentences are repeated: what they still share is the voice, or the recording. Words get less weight
by the difference between the two halves of an utterance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.covariance import ledoit_wolf

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

COMPARED = 2_000
"""Utterances whose pairs are all compared; a larger corpus is sampled down to this number."""

SEED = 20_231

MOST_DIRECTIONS = 9
"""Number of directions for the search for two voices under one id, in which ids differ most."""

FEWEST_DIRECTIONS = 3

SMALLEST_PART = 0.2
"""Smallest share of an id's utterances that may be a second person; fewer are bad recordings or
shouts.
"""

ROWS = 1_000
"""Utterances whose distances from all ids are in memory at a time."""

ROUNDS = 50
"""Greatest number of 2-means iterations; a few suffice."""


@dataclass(frozen=True)
class Voices:
    """Utterances whose voices are compared.

    Attributes:
        values: ``(U, d)``, whitened: the effect of words has variance 1 in every direction.
        halves: ``(U, 2, d)``, the same for each half of an utterance.
        emotions, sentences: ``(U,)``, utterances that share one of these are not compared; an
        utterance without a sentence counts as having a different one from all others.
    """

    values: Array
    halves: Array
    emotions: Integers
    sentences: Integers


def make_voices(
    halves: NDArray[np.float32],
    labels: Sequence[str],
    cells: Sequence[str],
    texts: Sequence[str | None],
) -> Voices:
    """Remove the effect of emotions, and give words less weight.

    Args:
        halves: ``(U, 2, VALUES)``, results of ``voice``.
        labels: emotion of each utterance.
        cells: group of each utterance that is spoken in the same manner, such as emotion and
            intensity.
        texts: sentence of each utterance, if known.
    """
    own = [text if text is not None else f"\0{n}" for n, text in enumerate(texts)]
    centred = halves.astype(np.float64)
    manner = numbers(cells)
    for cell in range(int(manner.max()) + 1):
        here = manner == cell
        centred[here] -= centred[here].mean(axis=(0, 1))
    half_difference = (centred[:, 0] - centred[:, 1]) / 2
    white = whitening(half_difference)
    return Voices(centred.mean(axis=1) @ white, centred @ white, numbers(labels), numbers(own))


def whitening(noise: Array) -> Array:
    """The matrix ``(d, d)`` that gives ``noise (n, d)`` of mean 0 the covariance 1."""
    scale = np.sqrt(np.mean(np.square(noise), axis=0)) + 1e-9
    covariance, _ = ledoit_wolf(noise / scale, assume_centered=True)
    strength, direction = np.linalg.eigh(covariance)
    return direction / np.sqrt(np.maximum(strength, 1e-9)) / scale[:, None]


def numbers(names: Sequence[str]) -> Integers:
    """Numbers from 0 on; equal names have equal numbers."""
    _, number = np.unique(np.asarray(names, dtype=object).astype(str), return_inverse=True)
    return number.reshape(-1).astype(np.int64)


def area(same: Array, other: Array) -> float:
    """Share of pairs in which a value of ``same`` is above one of ``other``; 0.5 by chance."""
    ranks = rankdata(np.concatenate([same, other]))
    above = ranks[: len(same)].sum() - len(same) * (len(same) + 1) / 2
    return float(above / (len(same) * len(other)))


def same_voice_area(voices: Voices, ids: Integers) -> float | None:
    """How often two utterances of one id are more alike than two of different ids.

    Similarity is the cosine. None if no two utterances of one id may be compared.
    """
    chosen = _drawn(len(ids))
    unit = _unit(voices.values[chosen])
    one, other = np.triu_indices(len(chosen), 1)
    emotions, sentences = voices.emotions[chosen], voices.sentences[chosen]
    apart = (emotions[one] != emotions[other]) & (sentences[one] != sentences[other])
    one, other = one[apart], other[apart]
    likeness = (unit @ unit.T)[one, other]
    same = ids[chosen][one] == ids[chosen][other]
    if same.all() or not same.any():
        return None
    return area(likeness[same], likeness[~same])


def same_recording_area(voices: Voices) -> float:
    """How often halves of one utterance are more alike than those of two; low: voices are not
    measurable.
    """
    chosen = _drawn(len(voices.values))
    first, second = (_unit(voices.halves[chosen, half]) for half in (0, 1))
    likeness = first @ second.T
    own = np.eye(len(chosen), dtype=np.bool_)
    return area(likeness[own], likeness[~own])


def told_apart(voices: Voices, ids: Integers) -> Array:
    """How well two ids can be distinguished by the mean of each.

    An utterance is assigned to the nearer of the two means, which are taken over utterances of
    other emotions and sentences. The expected error of a mean is subtracted from its distance, so
    that ids with many utterances are no nearer than ids with few.

    Returns:
        ``(ids, ids)``, symmetric: the share of correct assignments, averaged over the two ids; 0.5
        is expected by chance, nan if there is nothing to compare.
    """
    size = int(ids.max()) + 1
    right, asked = np.zeros((size, size)), np.zeros((size, size))
    described = np.hstack(
        [voices.values, np.square(voices.values).sum(axis=1, keepdims=True), np.ones((len(ids), 1))]
    )
    # For a sentence that is said only once, leaving out its emotion is enough.
    said = np.where(np.bincount(voices.sentences)[voices.sentences] > 1, voices.sentences, -1)
    every = _sums(described, ids, size)
    for emotion, sentence in np.unique(np.stack([voices.emotions, said], axis=1), axis=0):
        left_out = (voices.emotions == emotion) | ((said == sentence) & (sentence >= 0))
        left = every - _sums(described[left_out], ids[left_out], size)
        rows = np.flatnonzero((voices.emotions == emotion) & (said == sentence))
        for some in np.array_split(rows, len(rows) // ROWS + 1):
            distance = _distances(voices.values[some], left)  # (some, ids)
            own = distance[np.arange(len(some)), ids[some]][:, None]
            known = np.isfinite(distance) & np.isfinite(own)
            np.add.at(right, ids[some], known & (own < distance))
            np.add.at(asked, ids[some], known)
    with np.errstate(invalid="ignore"):
        share = right / asked
    apart = (share + share.T) / 2
    np.fill_diagonal(apart, np.nan)
    return apart


def split_widths(voices: Voices, ids: Integers, judged: Integers) -> dict[int, tuple[float, Array]]:
    """How far apart two groups of each id's utterances are, in standard deviations of other ids.

    The groups come from 2-means in the directions in which other ids differ most, relative to the
    variation within them.

    Args:
        voices: voices of all ids.
        ids: id of each utterance.
        judged: ids that may have two voices.

    Returns:
        For each id the distance of the groups' means, and ``(utterances of the id,)``, each one's
        position on the line between them, 0 in the middle. An id has no entry if every
        split separates only a few of its utterances; the dictionary is empty if there are too few
        ids.
    """
    size = int(ids.max()) + 1
    sums = _sums(np.hstack([voices.values, np.ones((len(ids), 1))]), ids, size)
    means = sums[:, :-1] / np.maximum(sums[:, -1:], 1)
    several = np.flatnonzero(sums[:, -1] > 1)
    found = {}
    for which in judged.tolist():
        others = several[several != which]
        directions = min(MOST_DIRECTIONS, len(others) - 1)
        if directions < FEWEST_DIRECTIONS:
            continue
        rows = np.flatnonzero(np.isin(ids, others))
        rows = rows[_drawn(len(rows))]
        white = whitening(voices.values[rows] - means[ids[rows]])
        placed = (means[others] - means[others].mean(axis=0)) @ white
        most = np.linalg.svd(placed, full_matrices=False)[2][:directions]
        points = voices.values[ids == which] @ white @ most.T
        second = _two_means(points - points.mean(axis=0))
        if second.any():
            one, other = points[~second].mean(axis=0), points[second].mean(axis=0)
            width = float(np.linalg.norm(other - one))
            found[which] = width, (points - (one + other) / 2) @ (other - one) / width
    return found


def _two_means(points: Array) -> NDArray[np.bool_]:
    """Which of ``(n, d)`` points are in the second group, with the best of the first directions.

    No point is, if every split leaves a group of less than ``SMALLEST_PART``.
    """
    best, least = np.zeros(len(points), np.bool_), np.inf
    for direction in np.linalg.svd(points, full_matrices=False)[2][:FEWEST_DIRECTIONS]:
        second = points @ direction > 0
        for _ in range(ROUNDS):
            if second.all() or not second.any():
                break
            far, near = (
                np.square(points - points[group].mean(axis=0)).sum(axis=1)
                for group in (~second, second)
            )
            moved, second = second, near < far
            if np.array_equal(moved, second):
                break
        if SMALLEST_PART <= second.mean() <= 1 - SMALLEST_PART:
            loss = sum(
                float(np.square(points[g] - points[g].mean(axis=0)).sum())
                for g in (second, ~second)
            )
            if loss < least:
                best, least = second, loss
    return best


def _sums(rows: Array, ids: Integers, size: int) -> Array:
    """Sums of ``rows (n, d)`` by id: ``(size, d)``."""
    sums = np.zeros((size, rows.shape[1]))
    np.add.at(sums, ids, rows)
    return sums


def _distances(points: Array, sums: Array) -> Array:
    """Squared distances ``(points, ids)`` from means, without the means' own expected error.

    Args:
        points: ``(points, d)``.
        sums: ``(ids, d + 2)``: sums of values, sums of their squares, and counts.
    """
    count = np.maximum(sums[:, -1], 1)
    mean = sums[:, :-2] / count[:, None]
    spread = sums[:, -2] / count - np.square(mean).sum(axis=1)
    squared = np.square(points).sum(axis=1)[:, None] - 2 * points @ mean.T
    squared = squared + np.square(mean).sum(axis=1) - spread / np.maximum(count - 1, 1)
    return np.where(sums[:, -1] > 1, squared, np.nan)


def _unit(values: Array) -> Array:
    return values / (np.linalg.norm(values, axis=1, keepdims=True) + 1e-12)


def _drawn(count: int) -> Integers:
    if count <= COMPARED:
        return np.arange(count)
    return np.sort(np.random.default_rng(SEED).choice(count, COMPARED, replace=False))
