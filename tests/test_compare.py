from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serbench.api import StoreError
from serbench.compare import Difference, comparison
from serbench.evaluate import resample_weights

LABELS = ("anger", "neutral", "sadness")
SPEAKERS = ("03", "08", "09", "10")


def make_predictions(skill: dict[str, float], seeds: int = 1, seed: int = 0) -> pd.DataFrame:
    """Speaker 08 has no sadness."""
    random = np.random.default_rng(seed)
    rows = []
    for method, chance in skill.items():
        for run in range(seeds):
            for place, speaker in enumerate(SPEAKERS):
                labels = LABELS[:2] if speaker == "08" else LABELS
                for number in range(12):
                    label = labels[number % len(labels)]
                    guess = label if random.random() < chance else str(random.choice(LABELS))
                    rows.append(
                        (method, run, 1 + place // 2, f"{speaker}-{number}", speaker, label, guess)
                    )
    columns = ["method", "seed", "outer", "utterance", "speaker", "label", "predicted"]
    return pd.DataFrame(rows, columns=columns)


def reference_ua(rows: list[tuple[str, str]]) -> float:
    """UA of (label, predicted) pairs, from its definition."""
    recalls = []
    for label in LABELS:
        own = [guess for true, guess in rows if true == label]
        if own:
            recalls.append(sum(guess == label for guess in own) / len(own))
    return sum(recalls) / len(recalls)


def pairs(table: pd.DataFrame, method: str, **where: object) -> list[tuple[str, str]]:
    own = table[table["method"] == method]
    for column, value in where.items():
        own = own[own[column] == value]
    return list(zip(own["label"], own["predicted"], strict=True))


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return make_predictions({"akd": 0.9, "kd": 0.5}, seeds=2)


def test_pooled_scores_and_intervals_against_a_reference(table: pd.DataFrame) -> None:
    result = comparison(table, LABELS, repeats=200, seed=3)
    weights = resample_weights(len(SPEAKERS), 200, 3)
    draws: dict[str, list[float]] = {"akd": [], "kd": []}
    for method, values in draws.items():
        by_speaker = [pairs(table, method, speaker=speaker) for speaker in SPEAKERS]
        for draw in weights:
            resample = [
                pair
                for times, own in zip(draw, by_speaker, strict=True)
                for _ in range(times)
                for pair in own
            ]
            values.append(reference_ua(resample))
    for own in result.methods:
        ua = own.pooled["ua"]
        assert ua.value == pytest.approx(reference_ua(pairs(table, own.method)))
        assert (ua.low, ua.high) == pytest.approx(np.percentile(draws[own.method], [2.5, 97.5]))
    difference = result.methods[1].difference
    assert difference is not None
    paired = np.subtract(draws["kd"], draws["akd"])
    assert difference.value == pytest.approx(
        reference_ua(pairs(table, "kd")) - reference_ua(pairs(table, "akd"))
    )
    assert (difference.low, difference.high) == pytest.approx(np.percentile(paired, [2.5, 97.5]))
    assert difference.verdict == "worse"
    assert result.methods[0].difference is None


def test_folds_and_spread_are_taken_per_seed_then_averaged(table: pd.DataFrame) -> None:
    own = comparison(table, LABELS, repeats=10).methods[1]
    by_seed = np.array(
        [
            [reference_ua(pairs(table, "kd", seed=seed, outer=outer)) for outer in (1, 2)]
            for seed in (0, 1)
        ]
    )
    assert [fold.outer for fold in own.folds] == [1, 2]
    assert [fold.ua for fold in own.folds] == pytest.approx(by_seed.mean(axis=0))
    assert own.spread["ua"].mean == pytest.approx(by_seed.mean())
    assert own.spread["ua"].sd == pytest.approx(np.std(by_seed, axis=1, ddof=1).mean())
    assert own.seeds == 2


def test_speakers_are_scored_over_the_classes_they_have(table: pd.DataFrame) -> None:
    result = comparison(table, LABELS, repeats=10)
    for own in result.methods:
        assert own.speaker_ua == pytest.approx(
            {
                speaker: reference_ua(pairs(table, own.method, speaker=speaker))
                for speaker in SPEAKERS
            }
        )
    assert result.speaker_counts == dict.fromkeys(SPEAKERS, 12)
    assert result.fold_counts == {1: 24, 2: 24}
    assert result.methods[0].confusion.sum() == 2 * 48


def test_teachers_are_told_apart_and_come_last() -> None:
    result = comparison(make_predictions({"teacher:w": 1.0, "akd": 0.5}), LABELS, repeats=10)
    assert result.reference == "akd"
    assert [each.method for each in result.students] == ["akd"]
    assert [each.method for each in result.teachers] == ["teacher:w"]


def test_a_method_cannot_be_told_from_itself() -> None:
    table = make_predictions({"akd": 0.7})
    twin = table.assign(method="twin")
    difference = comparison(pd.concat([table, twin]), LABELS).methods[1].difference
    assert difference is not None
    assert difference == Difference(0.0, 0.0, 0.0)
    assert difference.verdict == "cannot tell apart"


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.01, 0.2, "better"),
        (-0.2, -0.01, "worse"),
        (0.0, 0.2, "cannot tell apart"),
        (-0.2, 0.0, "cannot tell apart"),
    ],
)
def test_verdicts_at_the_boundaries(low: float, high: float, verdict: str) -> None:
    assert Difference((low + high) / 2, low, high).verdict == verdict


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_order_of_rows_is_nothing_and_swapping_methods_turns_the_sign(seed: int) -> None:
    table = make_predictions({"one": 0.8, "two": 0.6}, seed=seed)
    there = comparison(table, LABELS, repeats=50)
    shuffled = table.sample(frac=1, random_state=seed)
    back = comparison(shuffled, LABELS, ("two", "one"), repeats=50)
    forth, turned = there.methods[1].difference, back.methods[1].difference
    assert forth is not None
    assert turned is not None
    assert (forth.value, forth.low, forth.high) == pytest.approx(
        (-turned.value, -turned.high, -turned.low)
    )
    assert there.methods[0].pooled == back.methods[1].pooled
    assert there.methods[0].folds == back.methods[1].folds


def test_the_interval_of_a_difference_is_paired() -> None:
    """A method that errs on the same utterances has a narrower difference than one of its own."""
    table = make_predictions({"akd": 0.6})
    twin = table.assign(method="twin")
    twin.loc[twin.index[0], "predicted"] = "anger"
    own = make_predictions({"akd": 0.6}, seed=9).assign(method="stranger")
    result = comparison(pd.concat([table, twin, own]), LABELS, repeats=500)
    widths = [
        each.difference.high - each.difference.low for each in result.methods if each.difference
    ]
    assert widths[0] < 0.3 * widths[1]


def corrupt(table: pd.DataFrame, how: str) -> pd.DataFrame:
    kd = table.index[table["method"] == "kd"]
    changed = table.copy()
    match how:
        case "missing":
            return changed.drop(index=kd[0])
        case "fold":
            changed.loc[kd[0], "outer"] = 2
        case "label":
            changed.loc[kd[0], "label"] = "sadness"
        case "twice":
            return pd.concat([changed, changed.loc[[kd[0]]]])
        case "unknown":
            changed.loc[kd[0], "predicted"] = "joy"
        case _:
            return changed[changed["method"] != "kd"]
    return changed


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (
            "missing",
            r"kd \(seed 0\) and akd were not tested on the same .*: 1 differ, such as 03-0",
        ),
        ("fold", "not tested on the same utterances in the same folds"),
        ("label", "not tested on the same utterances"),
        ("twice", r"kd \(seed 0\) predicts an utterance more than once: 03-0"),
        ("unknown", r"predicted column holds unknown classes: \['joy'\]"),
        ("absent", "no predictions of kd; the run has not finished it"),
    ],
)
def test_unpaired_predictions_are_refused(table: pd.DataFrame, how: str, message: str) -> None:
    with pytest.raises(StoreError, match=message):
        comparison(corrupt(table, how), LABELS, ("akd", "kd"))
