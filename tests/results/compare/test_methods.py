from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serbench.api import StoreError
from serbench.learning.evaluate import resample_weights
from serbench.results.compare.intervals import expanded_levels
from serbench.results.compare.methods import comparison
from serbench.results.compare.records import Difference, FoldTest, Significance

LABELS = ("anger", "neutral", "sadness")
SPEAKERS = ("03", "08", "09", "10")
LEVELS = expanded_levels(len(SPEAKERS))


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
        assert (ua.low, ua.high) == pytest.approx(np.percentile(draws[own.method], LEVELS))
    difference = result.methods[1].difference
    assert difference is not None
    paired = np.subtract(draws["kd"], draws["akd"])
    assert difference.value == pytest.approx(
        reference_ua(pairs(table, "kd")) - reference_ua(pairs(table, "akd"))
    )
    assert (difference.low, difference.high) == pytest.approx(np.percentile(paired, LEVELS))
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
    assert (difference.value, difference.low, difference.high) == (0.0, 0.0, 0.0)
    assert difference.significance is not None
    assert difference.significance.p == 1.0
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


def difference_of(value: float, p_holm: float) -> Difference:
    significance = Significance(0.01, p_holm, True, 0.002, 1, 9, -0.5, None)
    return Difference(value, value - 0.1, value + 0.1, significance)


@pytest.mark.parametrize(
    ("value", "p_holm", "verdict"),
    [
        (0.05, 0.05, "better"),
        (-0.05, 0.05, "worse"),
        (0.05, 0.051, "cannot tell apart"),
        (0.0, 0.01, "cannot tell apart"),
    ],
)
def test_a_test_decides_where_there_is_one(value: float, p_holm: float, verdict: str) -> None:
    assert difference_of(value, p_holm).verdict == verdict


def many_speakers(skill: dict[str, float], seeds: int = 1) -> pd.DataFrame:
    """As ``make_predictions``, over 12 speakers in 6 folds."""
    random = np.random.default_rng(2)
    rows = [
        (method, run, 1 + speaker // 2, f"{speaker}-{number}", f"s{speaker:02}", label, guess)
        for method, chance in skill.items()
        for run in range(seeds)
        for speaker in range(12)
        for number in range(12)
        for label in (LABELS[number % 3],)
        for guess in (label if random.random() < chance else str(random.choice(LABELS)),)
    ]
    columns = ["method", "seed", "outer", "utterance", "speaker", "label", "predicted"]
    return pd.DataFrame(rows, columns=columns)


def test_tests_are_made_and_corrected_over_the_table() -> None:
    table = many_speakers({"akd": 0.8, "kd": 0.4, "twin": 0.8, "third": 0.78}, seeds=2)
    others = comparison(table, LABELS, repeats=200).methods[1:]
    found = [own.difference.significance for own in others if own.difference]
    tests = [each for each in found if each is not None]
    assert len(tests) == 3
    smallest = min(tests, key=lambda test: test.p)
    assert smallest.p_holm == pytest.approx(3 * smallest.p)
    assert all(test.p_holm >= test.p and test.exact for test in tests)
    folds = [test.folds for test in tests]
    assert [fold.degrees for fold in folds if fold] == [11, 11, 11]
    first = min((fold for fold in folds if fold), key=lambda fold: fold.p)
    assert first.p_holm == pytest.approx(3 * first.p)
    worse = tests[0]
    assert worse.speakers_worse > 9
    assert worse.speakers_better < 3
    assert worse.effect_size < -0.8


def test_the_fold_test_is_of_fold_and_seed_differences() -> None:
    table = many_speakers({"akd": 0.7, "kd": 0.6}, seeds=2)
    difference = comparison(table, LABELS, repeats=50).methods[1].difference
    assert difference is not None
    assert difference.significance is not None
    values = np.array(
        [
            reference_ua(pairs(table, "kd", seed=seed, outer=outer))
            - reference_ua(pairs(table, "akd", seed=seed, outer=outer))
            for seed in (0, 1)
            for outer in range(1, 7)
        ]
    )
    t = values.mean() / np.sqrt((1 / 12 + 24 / 120) * values.var(ddof=1))
    found = difference.significance.folds
    assert isinstance(found, FoldTest)
    assert found.t == pytest.approx(t)


def test_other_numbers_of_seeds_are_paired_by_fold() -> None:
    table = many_speakers({"akd": 0.7, "kd": 0.6}, seeds=2)
    fewer = table[(table["method"] == "akd") | (table["seed"] == 0)]
    difference = comparison(fewer, LABELS, repeats=50).methods[1].difference
    assert difference is not None
    assert difference.significance is not None
    assert difference.significance.folds is not None
    assert difference.significance.folds.degrees == 5


def test_a_single_fold_has_no_spread_and_no_test_over_folds(table: pd.DataFrame) -> None:
    one = table.assign(outer=1)
    found = comparison(one, LABELS)
    for result in found.methods:
        assert result.spread["ua"].sd is None
        assert result.spread["ua"].mean == pytest.approx(result.folds[0].ua)
        assert len(result.folds) == 1
    compared = [each.difference for each in found.methods if each.difference is not None]
    assert compared
    for difference in compared:
        assert difference.significance is not None
        assert difference.significance.folds is None
        assert 0 < difference.significance.p_holm <= 1
