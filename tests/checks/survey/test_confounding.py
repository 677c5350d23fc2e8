from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency
from tests_support.surveyed import unit_names, utterance, utterances

from serbench.checks.survey.confounding import (
    check_sentences,
    check_speakers,
    check_trait,
    cross,
    guess_by_value,
    shortcut_outcome,
)

LABELS = ("anger", "happiness", "neutral", "sadness")

PAIRS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.sampled_from("pq")),
    min_size=2,
    max_size=40,
)


def urdu() -> list:
    """26 of 29 speakers have one emotion only."""
    counts = {(f"s{n:02}", LABELS[n % 4]): 13 for n in range(26)}
    counts |= {(f"s{n:02}", label): 5 for n in range(26, 29) for label in LABELS}
    return utterances(counts)


def test_speakers_with_one_emotion_are_an_error() -> None:
    found = check_speakers(urdu())
    assert found.outcome == "failed"
    assert "26 of 29 speakers have one emotion only" in found.message
    assert unit_names(found) == tuple(f"s{n:02}" for n in range(26))
    assert "voice" in found.remedy


def test_balanced_speakers_are_fine() -> None:
    found = check_speakers(utterances({(s, c): 5 for s in "abcdef" for c in LABELS}))
    assert found.outcome == "passed"
    assert "None of 6 speakers" in found.message
    assert "reaches 25.0 % UA" in found.message


def test_many_small_speakers_are_not_taken_for_confounded() -> None:
    random = np.random.default_rng(3)
    counts = {(f"s{n}", LABELS[random.integers(4)]): 1 for n in range(200)}
    few = {(f"t{n}", LABELS[random.integers(4)]): 1 for n in range(100)}
    again = {(f"t{n}", LABELS[random.integers(4)]): 1 for n in range(100)}
    found = check_speakers(utterances(counts) + utterances(few) + utterances(again))
    assert found.outcome in {"passed", "note"}, found


def test_one_speaker_tells_nothing() -> None:
    assert check_speakers(utterances({("a", c): 3 for c in LABELS})).outcome == "passed"


@settings(max_examples=30, deadline=None)
@given(PAIRS)
def test_strength_is_that_of_the_chi_square(rows: list[tuple[str, str, str]]) -> None:
    keys, labels = [k for k, _, _ in rows], [c for _, c, _ in rows]
    table = cross(keys, labels)
    assert table.counts.sum() == len(rows)
    if min(table.counts.shape) < 2:
        assert table.cramers_v == 0
        return
    chi2 = chi2_contingency(table.counts, correction=False).statistic
    expected = np.sqrt(chi2 / len(rows) / (min(table.counts.shape) - 1))
    assert table.cramers_v == pytest.approx(expected, abs=1e-9)


def reference(rows: list[tuple[str, str, str]]) -> float:
    """``guess_across`` by going through all utterances."""
    classes = sorted({c for _, c, _ in rows})
    right: dict[str, list[float]] = {c: [] for c in classes}
    for key, label, group in rows:
        others = [(k, c) for k, c, g in rows if g != group]
        share = {
            c: sum(k == key and o == c for k, o in others) / max(1, sum(o == c for _, o in others))
            for c in classes
        }
        best = [c for c in classes if share[c] >= max(share.values()) - 1e-12]
        right[label].append((label in best) / len(best))
    return float(np.mean([np.mean(each) for each in right.values()]))


@settings(max_examples=40, deadline=None)
@given(PAIRS)
def test_a_guess_across_groups_is_what_it_says(rows: list[tuple[str, str, str]]) -> None:
    table = cross([k for k, _, _ in rows], [c for _, c, _ in rows])
    assert table.guess_across([g for _, _, g in rows]) == pytest.approx(reference(rows), abs=1e-9)


def test_a_guess_across_groups_of_a_balanced_design_is_chance() -> None:
    rows = [(k, c, g) for k in "ab" for c in "xyz" for g in "pqr"]
    table = cross([k for k, _, _ in rows], [c for _, c, _ in rows])
    assert table.guess_across([g for _, _, g in rows]) == pytest.approx(1 / 3)


def test_sentences_of_one_emotion_are_an_error() -> None:
    found = check_sentences(
        [utterance(s, c, n, f"{c}{n}") for s in "abcd" for c in LABELS for n in range(4)]
    )
    assert found.outcome == "failed"
    assert "16 of 16 sentences are spoken in one emotion only" in found.message
    assert "reaches 100.0 % UA" in found.message
    assert "group_by=text" in found.remedy


def test_shared_sentences_are_fine_and_unknown_ones_a_note() -> None:
    shared = [utterance(s, c, 0, f"t{n}") for s in "abcd" for c in LABELS for n in range(4)]
    assert check_sentences(shared).outcome == "passed"
    assert check_sentences([replace(u, text=None) for u in shared]).outcome == "note"


def test_gender_that_tells_the_emotion() -> None:
    every = utterances({(s, c): 4 for s in "ab" for c in LABELS[:2]})
    every += utterances({(s, c): 4 for s in "cd" for c in LABELS[2:]})
    values = {u.id: "female" if u.speaker in "ab" else "male" for u in every}
    found = check_trait("gender-label", "gender", values, every)
    assert found.outcome == "warning"
    assert "reaches 50.0 % UA" in found.message
    assert "Missing: neutral (female), sadness (female), anger (male)" in found.message
    assert found.remedy == "Report scores by gender too, and look at them before the total."
    assert "Cramér's V 1.00" in found.message
    even = utterances({(s, c): 4 for s in "abcd" for c in LABELS})
    values = {u.id: "female" if u.speaker in "ab" else "male" for u in even}
    assert check_trait("gender-label", "gender", values, even).outcome == "passed"


def test_an_emotion_without_an_intensity_is_a_note() -> None:
    every = [
        utterance(s, c, n) for s in "abcd" for c in LABELS for n in range(8)
    ]  # the neutral one is always normal
    values = {u.id: "normal" if u.label == "neutral" else f"{hash(u.id[-1]) % 1}" for u in every}
    values |= {
        u.id: "strong" if int(u.id[-1]) % 2 else "normal" for u in every if u.label != "neutral"
    }
    found = check_trait("intensity-label", "intensity", values, every)
    assert found.outcome in {"note", "warning"}
    assert "Missing: neutral (strong)" in found.message


def test_a_number_that_tells_the_class() -> None:
    random = np.random.default_rng(0)
    labels = [c for _ in range(50) for c in "xy"]
    groups = [str(n // 20) for n in range(100)]
    told = [random.normal(5 if c == "x" else 0) for c in labels]
    assert guess_by_value(told, labels, groups) > 0.9
    assert guess_by_value(random.normal(size=100).tolist(), labels, groups) < 0.7
    assert guess_by_value([1.0] * 100, labels, groups) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("ua", "outcome"), [(0.25, "passed"), (0.3, "note"), (0.4, "warning"), (0.7, "failed")]
)
def test_outcome_is_counted_from_chance(ua: float, outcome: str) -> None:
    assert shortcut_outcome(ua, 4) == outcome
