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
from serbench.results.compare.records import (
    Comparison,
    Difference,
    FoldDesign,
    FoldTest,
    Question,
    Significance,
    SpeakerTest,
)

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
    difference = comparison(table, LABELS, None, 200, 3, question="models").methods[1].difference
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
    assert difference.verdict == "no significant difference"


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.01, 0.2, "significantly better"),
        (-0.2, -0.01, "significantly worse"),
        (0.0, 0.2, "no significant difference"),
        (-0.2, 0.0, "no significant difference"),
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


@pytest.mark.parametrize("question", ["method", "models"])
def test_the_interval_of_a_difference_is_paired(question: Question) -> None:
    """A method that errs on the same utterances has a narrower difference than one of its own."""
    table = many_speakers({"akd": 0.6})
    twin = table.assign(method="twin")
    twin.loc[twin.index[0], "predicted"] = "anger"
    own = many_speakers({"other": 0.6, "stranger": 0.6})
    own = own.loc[own["method"] == "stranger"]
    result = comparison(pd.concat([table, twin, own]), LABELS, repeats=500, question=question)
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
        ("absent", "no predictions of kd; finish it with the same command"),
    ],
)
def test_unpaired_predictions_are_refused(table: pd.DataFrame, how: str, message: str) -> None:
    with pytest.raises(StoreError, match=message):
        comparison(corrupt(table, how), LABELS, ("akd", "kd"))


def difference_of(value: float, p_holm: float) -> Difference:
    """By folds, whatever speakers say."""
    speakers = SpeakerTest(0.9, 0.9, True, 0.002)
    folds = FoldTest(2.0, 4, 0.02, 0.01, p_holm)
    significance = Significance(speakers, folds, 1, 9, -0.5)
    return Difference(value, value - 0.1, value + 0.1, significance)


@pytest.mark.parametrize(
    ("value", "p_holm", "verdict"),
    [
        (0.05, 0.05, "significantly better"),
        (-0.05, 0.05, "significantly worse"),
        (0.05, 0.051, "no significant difference"),
        (0.0, 0.01, "no significant difference"),
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


def significance_of(found: Comparison, place: int = 1) -> Significance:
    difference = found.methods[place].difference
    assert difference is not None
    assert difference.significance is not None
    return difference.significance


def design_of(folds: int, test_share: float, *, assumed: bool) -> FoldDesign:
    share: float = pytest.approx(test_share)  # pyright: ignore[reportAssignmentType]
    return FoldDesign("method", folds, share, assumed)


def folds_of(found: Comparison, place: int = 1) -> FoldTest:
    folds = significance_of(found, place).folds
    assert folds is not None
    return folds


def test_tests_are_made_and_corrected_over_the_table() -> None:
    table = many_speakers({"akd": 0.8, "kd": 0.4, "twin": 0.8, "third": 0.78}, seeds=2)
    compared = comparison(table, LABELS, repeats=200)
    tests = [significance_of(compared, place) for place in (1, 2, 3)]
    speakers = [test.speakers for test in tests]
    smallest = min(speakers, key=lambda test: test.p)
    assert smallest.p_holm == pytest.approx(3 * smallest.p)
    assert all(test.p_holm >= test.p and test.exact for test in speakers)
    folds = [folds_of(compared, place) for place in (1, 2, 3)]
    assert [fold.degrees for fold in folds] == [5, 5, 5]
    first = min(folds, key=lambda fold: fold.p)
    assert first.p_holm == pytest.approx(3 * first.p)
    worse = tests[0]
    assert (worse.p, worse.p_holm) == (folds[0].p, folds[0].p_holm)
    assert worse.speakers_worse > 9
    assert worse.speakers_better < 3
    assert worse.effect_size < -0.8


@pytest.mark.parametrize("skill", [0.4, 0.55, 0.62, 0.7])
def test_intervals_by_folds_agree_with_verdicts(skill: float) -> None:
    table = many_speakers({"akd": 0.8, "kd": skill, "twin": 0.78, "third": 0.6})
    for own in comparison(table, LABELS, repeats=10).methods[1:]:
        assert own.difference is not None
        outside = own.difference.low > 0 or own.difference.high < 0
        assert outside == (own.difference.verdict != "no significant difference")


def test_the_fold_test_is_of_fold_differences_averaged_over_seeds() -> None:
    table = many_speakers({"akd": 0.7, "kd": 0.6}, seeds=2)
    values = np.array(
        [
            [
                reference_ua(pairs(table, "kd", seed=seed, outer=outer))
                - reference_ua(pairs(table, "akd", seed=seed, outer=outer))
                for outer in range(1, 7)
            ]
            for seed in (0, 1)
        ]
    ).mean(axis=0)
    t = values.mean() / np.sqrt((1 / 6 + 24 / 120) * values.var(ddof=1))
    found = comparison(table, LABELS, repeats=50)
    assert found.design == design_of(6, 24 / 120, assumed=True)
    assert folds_of(found).t == pytest.approx(t)


def test_training_sides_that_are_known_are_taken() -> None:
    table = many_speakers({"akd": 0.7, "kd": 0.6})
    counts = {1: 60, 2: 60, 3: 60, 4: 60, 5: 60, 6: 120}
    found = comparison(table, LABELS, repeats=50, train_counts=counts)
    assert found.design == design_of(6, (5 * 24 / 60 + 24 / 120) / 6, assumed=False)
    assumed = comparison(table, LABELS, repeats=50)
    ratio = np.sqrt((1 / 6 + 11 / 30) / (1 / 6 + 1 / 5))
    assert folds_of(found).error == pytest.approx(ratio * folds_of(assumed).error)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_order_of_seeds_and_folds_is_nothing(seed: int) -> None:
    table = many_speakers({"akd": 0.7, "kd": 0.6}, seeds=3)
    random = np.random.default_rng(seed)
    folds = dict(zip(range(1, 7), random.permutation(6) + 1, strict=True))
    seeds = dict(zip(range(3), random.permutation(3), strict=True))
    renamed = table.assign(
        outer=[folds[outer] for outer in table["outer"]],
        seed=[seeds[own] for own in table["seed"]],
    )
    here = folds_of(comparison(table, LABELS, repeats=10))
    there = folds_of(comparison(renamed, LABELS, repeats=10))
    assert (there.t, there.p, there.error) == pytest.approx((here.t, here.p, here.error))


@settings(max_examples=5, deadline=None)
@given(st.integers(2, 5))
def test_seeds_that_are_the_same_change_nothing(times: int) -> None:
    table = many_speakers({"akd": 0.7, "kd": 0.6})
    again = pd.concat([table.assign(seed=seed) for seed in range(times)])
    once, often = (comparison(rows, LABELS, repeats=10) for rows in (table, again))
    assert folds_of(often).t == pytest.approx(folds_of(once).t)
    assert folds_of(often).p == pytest.approx(folds_of(once).p)
    assert significance_of(often).speakers.p == significance_of(once).speakers.p


def test_other_numbers_of_seeds_are_paired_by_fold() -> None:
    table = many_speakers({"akd": 0.7, "kd": 0.6}, seeds=2)
    fewer = table.loc[(table["method"] == "akd") | (table["seed"] == 0)]
    assert folds_of(comparison(fewer, LABELS, repeats=50)).degrees == 5


def test_folds_that_test_the_same_speakers_are_one() -> None:
    """As under ``protocol.group_by = "text"``: each speaker is tested in two folds."""
    table = many_speakers({"akd": 0.8, "kd": 0.5})
    second = table["utterance"].str.split("-").str[1].astype(int) >= 6
    split = table.assign(outer=2 * table["outer"] - second.astype(int))
    counts = dict.fromkeys(range(1, 13), 60)
    found = comparison(split, LABELS, repeats=10, train_counts=counts)
    assert found.design == design_of(6, 12 / 60, assumed=False)
    whole = comparison(table, LABELS, repeats=10, train_counts=dict.fromkeys(range(1, 7), 120))
    assert folds_of(found).p == pytest.approx(folds_of(whole).p)


@pytest.mark.parametrize("question", ["method", "models"])
def test_of_a_single_fold_only_its_models_are_judged(
    table: pd.DataFrame, question: Question
) -> None:
    one = table.assign(outer=1)
    found = comparison(one, LABELS, question=question)
    for result in found.methods:
        assert result.spread["ua"].sd is None
        assert result.spread["ua"].mean == pytest.approx(result.folds[0].ua)
        assert len(result.folds) == 1
    assert found.design.question == "models"
    test = significance_of(found)
    assert test.folds is None
    assert (test.p, test.p_holm) == (test.speakers.p, test.speakers.p_holm)


def test_where_models_are_asked_about_speakers_decide() -> None:
    found = comparison(many_speakers({"akd": 0.8, "kd": 0.5}), LABELS, question="models")
    test = significance_of(found)
    assert test.folds is None
    assert test.p == test.speakers.p < 0.01
