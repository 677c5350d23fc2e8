from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, recall_score

from serbench.api import SerbenchError
from serbench.learning.evaluate import (
    Metric,
    confusion_metric,
    resample_weights,
    resampled_metric,
    score,
    speaker_confusions,
    utterance_posteriors,
)

METRICS: tuple[Metric, ...] = ("wa", "ua", "macro_f1")
CLASSES = 5


@st.composite
def judged(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Labels and predictions of up to 5 classes; often some class occurs on one side only."""
    number = draw(st.integers(1, 40))
    labels = st.sampled_from(draw(st.lists(st.integers(0, CLASSES - 1), min_size=1, max_size=5)))
    true = draw(st.lists(labels, min_size=number, max_size=number))
    guess = draw(st.lists(st.integers(0, CLASSES - 1), min_size=number, max_size=number))
    return np.array(true), np.array(guess)


@given(judged())
@hypothesis_settings(max_examples=60, deadline=None)
def test_scores_equal_sklearn(case: tuple[np.ndarray, np.ndarray]) -> None:
    labels, predicted = case
    scores = score(labels, predicted, CLASSES)
    present = np.unique(labels)
    over = {"labels": present, "average": "macro", "zero_division": 0}
    assert scores.wa == pytest.approx(accuracy_score(labels, predicted), abs=1e-12)
    assert scores.ua == pytest.approx(recall_score(labels, predicted, **over), abs=1e-12)
    assert scores.macro_f1 == pytest.approx(f1_score(labels, predicted, **over), abs=1e-12)
    expected = confusion_matrix(labels, predicted, labels=np.arange(CLASSES))
    np.testing.assert_array_equal(scores.confusion, expected)


@given(judged(), st.permutations(range(CLASSES)))
@hypothesis_settings(max_examples=30, deadline=None)
def test_scores_do_not_depend_on_class_numbers(
    case: tuple[np.ndarray, np.ndarray], order: list[int]
) -> None:
    labels, predicted = case
    renamed = np.array(order)
    before = score(labels, predicted, CLASSES)
    after = score(renamed[labels], renamed[predicted], CLASSES)
    for metric in METRICS:
        assert getattr(after, metric) == pytest.approx(getattr(before, metric), abs=1e-12)


def test_an_absent_class_counts_only_as_an_error() -> None:
    scores = score([0, 0, 1, 1], [0, 2, 1, 1], 3)
    assert scores.wa == 0.75
    assert scores.ua == 0.75
    assert scores.macro_f1 == pytest.approx((2 / 3 + 1.0) / 2)


@pytest.mark.parametrize(
    ("labels", "predicted", "message"),
    [
        ([], [], "cannot be scored"),
        ([0, 1], [0], "cannot be scored"),
        ([[0]], [[0]], "cannot be scored"),
        ([0, 3], [0, 1], "labels run from 0 to 3, outside 0 … 2"),
        ([0, 1], [0, -1], "predictions run from -1 to 0"),
        ([0, 1], [0.0, 1.0], "predictions must be class numbers, not float64"),
    ],
)
def test_what_cannot_be_scored_is_refused(labels: list, predicted: list, message: str) -> None:
    with pytest.raises(SerbenchError, match=message):
        score(labels, predicted, 3)


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(SerbenchError, match="'uar': use wa, ua or macro_f1"):
        confusion_metric(np.eye(2), "uar")  # pyright: ignore[reportArgumentType]


def test_utterance_posteriors_are_window_means() -> None:
    generator = np.random.default_rng(3)
    windows = generator.dirichlet(np.ones(4), size=9)
    owner = np.array([2, 0, 0, 1, 2, 2, 0, 3, 1])
    expected = np.stack([windows[owner == u].mean(axis=0) for u in range(4)])
    actual = utterance_posteriors(windows.astype(np.float32), owner, 4)
    assert actual.dtype == np.float64
    np.testing.assert_allclose(actual, expected, atol=1e-7)


@pytest.mark.parametrize(
    ("posteriors", "owner", "message"),
    [
        (np.ones((2, 3)), [0, 0], "1 of 2 utterances have no window"),
        (np.ones((2, 3)), [0, 2], "outside 0 … 1"),
        (np.ones((2, 3)), [-1, 1], "outside 0 … 1"),
        (np.ones((2, 3)), [0], "do not fit"),
        (np.ones(2), [0, 1], "do not fit"),
        (np.array([[0.5, np.nan], [1.0, 0.0]]), [0, 1], "1 of 2 windows are not finite"),
    ],
)
def test_posteriors_that_make_no_sense_are_refused(
    posteriors: np.ndarray, owner: list[int], message: str
) -> None:
    with pytest.raises(SerbenchError, match=message):
        utterance_posteriors(posteriors, owner, 2)


def simulated(seed: int, speakers: int, each: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Speakers of different difficulty: each has its own probability of being recognised."""
    generator = np.random.default_rng(seed)
    labels = np.tile(np.arange(CLASSES), speakers * each // CLASSES)
    ease = np.repeat(generator.beta(6, 3, speakers), each)
    wrong = (labels + generator.integers(1, CLASSES, labels.size)) % CLASSES
    predicted = np.where(generator.random(labels.size) < ease, labels, wrong)
    return labels, predicted, [f"s{n}" for n in np.repeat(np.arange(speakers), each)]


def test_speaker_confusions_are_those_of_each_speaker() -> None:
    labels, predicted, speakers = simulated(0, 6, 20)
    confusions = speaker_confusions(labels, predicted, speakers, CLASSES)
    for number, name in enumerate(sorted(set(speakers))):
        own = np.array(speakers) == name
        expected = confusion_matrix(labels[own], predicted[own], labels=np.arange(CLASSES))
        np.testing.assert_array_equal(confusions[number], expected)


@pytest.mark.parametrize("metric", METRICS)
def test_resampled_metrics_equal_scores_of_the_drawn_utterances(metric: Metric) -> None:
    labels, predicted, speakers = simulated(1, 5, 15)
    weights = resample_weights(5, 7, seed=2)
    assert (weights.sum(axis=1) == 5).all()
    confusions = speaker_confusions(labels, predicted, speakers, CLASSES)
    values = resampled_metric(confusions, weights, metric)
    names = sorted(set(speakers))
    for row, value in zip(weights, values, strict=True):
        drawn = np.concatenate(
            [
                np.flatnonzero(np.array(speakers) == name)
                for name, times in zip(names, row, strict=True)
                for _ in range(times)
            ]
        )
        expected = getattr(score(labels[drawn], predicted[drawn], CLASSES), metric)
        assert value == pytest.approx(expected, abs=1e-12)


def interval(
    labels: np.ndarray,
    predicted: np.ndarray,
    speakers: list[str],
    metric: Metric,
    repeats: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """95 % of what draws of speakers give."""
    confusions = speaker_confusions(labels, predicted, speakers, CLASSES)
    weights = resample_weights(len(confusions), repeats, seed)
    low, high = np.percentile(resampled_metric(confusions, weights, metric), (2.5, 97.5))
    return float(low), float(high)


def test_the_interval_is_the_same_under_a_seed_and_whatever_the_order() -> None:
    labels, predicted, speakers = simulated(2, 10, 50)
    first = interval(labels, predicted, speakers, "ua", seed=5)
    order = np.random.default_rng(0).permutation(labels.size)
    moved = [speakers[p] for p in order]
    assert interval(labels[order], predicted[order], moved, "ua", seed=5) == first
    assert interval(labels, predicted, speakers, "ua", seed=6) != first
    assert first[0] < score(labels, predicted, CLASSES).ua < first[1]


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    truth = 6 / (6 + 3)  # the mean of the speakers' ease, and so the expected WA
    covered = 0
    for seed in range(150):
        labels, predicted, speakers = simulated(seed, 25, 10)
        low, high = interval(labels, predicted, speakers, "wa", 400, seed)
        covered += low <= truth <= high
    assert 0.86 <= covered / 150 <= 0.99


def test_an_interval_of_utterances_would_be_too_narrow() -> None:
    labels, predicted, speakers = simulated(4, 10, 200)
    by_speaker = interval(labels, predicted, speakers, "wa")
    alone = [f"u{n}" for n in range(labels.size)]
    by_utterance = interval(labels, predicted, alone, "wa", 300)
    assert np.ptp(by_speaker) > 2 * np.ptp(by_utterance)


def test_one_speaker_has_no_interval() -> None:
    with pytest.raises(SerbenchError, match="at least two speakers"):
        resample_weights(1, 10, 0)


def test_speakers_must_be_as_many_as_labels() -> None:
    with pytest.raises(SerbenchError, match="1 speakers given for 2 utterances"):
        speaker_confusions([0, 1], [0, 1], ["s1"], 2)
