"""How alike voices are: between two utterances, two speakers, and within one.

Emotion, words and voice all change the statistics of ``voice``. Emotion is taken off by the mean of
its class, and utterances are only ever compared with others of another emotion, and of another
sentence where sentences come more than once: what agrees then is the voice, or the recording. Words
are weighed down by how much the two halves of an utterance differ.
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
"""Utterances of which all pairs are compared; of a larger corpus so many are drawn."""

SEED = 20_231

MOST_DIRECTIONS = 9
"""Directions in which two voices are looked for under one id: those in which ids differ most."""

FEWEST_DIRECTIONS = 3

SMALLEST_PART = 0.2
"""Of an id's utterances: fewer are a shout or a bad recording, not a second person."""

ROWS = 1_000
"""Utterances whose distances from all ids are held at a time."""

ROUNDS = 50
"""Of 2-means at most; a few suffice."""


@dataclass(frozen=True)
class Voices:
    """Utterances whose voices are compared.

    Attributes:
        values: ``(U, d)``, whitened: what words change has variance 1 in every direction.
        halves: ``(U, 2, d)``, the same of each half.
        emotions, sentences: ``(U,)``, what two utterances must not share to be compared; an
            utterance without a sentence has one of its own.
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
    """Take off what emotions change, weigh down what words change.

    Args:
        halves: ``(U, 2, VALUES)`` of ``voice``.
        labels: emotion of each utterance.
        cells: what it shares its manner with, such as emotion and intensity.
        texts: its sentence, where known.
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
    """``(d, d)``: what ``noise (n, d)`` of mean 0 is to be multiplied with to have covariance 1."""
    scale = np.sqrt(np.mean(np.square(noise), axis=0)) + 1e-9
    covariance, _ = ledoit_wolf(noise / scale, assume_centered=True)
    strength, direction = np.linalg.eigh(covariance)
    return direction / np.sqrt(np.maximum(strength, 1e-9)) / scale[:, None]


def numbers(names: Sequence[str]) -> Integers:
    """Equal names, equal numbers from 0 on."""
    _, number = np.unique(np.asarray(names, dtype=object).astype(str), return_inverse=True)
    return number.reshape(-1).astype(np.int64)


def area(same: Array, other: Array) -> float:
    """How often a value of ``same`` is above one of ``other``; 0.5 by chance."""
    ranks = rankdata(np.concatenate([same, other]))
    above = ranks[: len(same)].sum() - len(same) * (len(same) + 1) / 2
    return float(above / (len(same) * len(other)))


def same_voice_area(voices: Voices, ids: Integers) -> float | None:
    """How often two utterances of one id are more alike than two of different ids.

    Likeness is the cosine. None where no two of one id may be compared.
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
    """The same for the two halves of one utterance and of two: whether voices are heard at all."""
    chosen = _drawn(len(voices.values))
    first, second = (_unit(voices.halves[chosen, half]) for half in (0, 1))
    likeness = first @ second.T
    own = np.eye(len(chosen), dtype=np.bool_)
    return area(likeness[own], likeness[~own])


def told_apart(voices: Voices, ids: Integers) -> Array:
    """How well two ids are told from one another by the mean of each.

    An utterance goes to the nearer of the two means, which are taken over utterances of other
    emotions and sentences than its own. The expected error of a mean is taken off its distance, so
    that ids of many utterances are no nearer than ids of few.

    Returns:
        ``(ids, ids)``, symmetric: the share of right answers, the mean of both ids' own; 0.5 by
        chance, nan where there is nothing to compare.
    """
    size = int(ids.max()) + 1
    right, asked = np.zeros((size, size)), np.zeros((size, size))
    described = np.hstack(
        [voices.values, np.square(voices.values).sum(axis=1, keepdims=True), np.ones((len(ids), 1))]
    )
    # A sentence that nobody else says is left out with its emotion.
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
    """How far apart two groups of each id's utterances lie, in deviations of other ids.

    The groups are those of 2-means in the directions in which other ids differ most, relative to
    what varies within them.

    Args:
        voices: of all ids.
        ids: of each utterance.
        judged: ids that may hold two voices.

    Returns:
        For each id the distance of the groups' means, and ``(utterances of the id,)``, where each
        lies on the line between them, 0 in the middle. None for an id of which only a few
        utterances lie apart, and none at all where there are too few ids.
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
    """Which of ``(n, d)`` are in the second group, from the best of the first directions.

    None of them where every split leaves a group of less than ``SMALLEST_PART``.
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
    """``(size, d)``, sums of ``rows (n, d)`` by id."""
    sums = np.zeros((size, rows.shape[1]))
    np.add.at(sums, ids, rows)
    return sums


def _distances(points: Array, sums: Array) -> Array:
    """``(points, ids)`` squared distances from means whose own expected error is taken off.

    Args:
        points: ``(points, d)``.
        sums: ``(ids, d + 2)``: of values, of their squares, and how many.
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
