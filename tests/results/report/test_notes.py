from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests_support.run_maker import make_run

from serbench.results.compare.records import FoldDesign
from serbench.results.report.notes import (
    compared_notes,
    difference_note,
    folds_note,
    interval_note,
)
from serbench.results.report.results import Results, load_results

METHOD = FoldDesign("method", 5, 0.25, assumed=False)
ONE_FOLD = FoldDesign("models", 1, 0.0, assumed=False)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """4 folds of 40 test and 120 training utterances, 8 speakers."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    return load_results([make_run(folder, {"akd": 0.9, "kd": 0.6})])


def test_a_report_takes_training_sides_from_the_certificate(results: Results) -> None:
    assert results.runs[0].train_counts == dict.fromkeys((1, 2, 3, 4), 120)
    share: float = pytest.approx(40 / 120)  # pyright: ignore[reportAssignmentType]
    assert results.comparison.design == FoldDesign("method", 4, share, assumed=False)


@pytest.mark.parametrize(
    ("design", "said", "unsaid"),
    [
        (METHOD, "for methods trained again on other speakers, by Nadeau", "assuming"),
        (replace(METHOD, assumed=True), "assuming training on all other utterances", "permutation"),
        (ONE_FOLD, "A single test fold cannot test methods that are trained again.", "Nadeau"),
        (None, "for these trained models on unseen speakers. Interval: over", "single test fold"),
    ],
)
def test_a_note_says_which_question_p_answers(
    design: FoldDesign | None, said: str, unsaid: str
) -> None:
    note = difference_note("UA", 3, 10, design)
    assert said in note
    assert unsaid not in note
    assert "corrected for 3 comparisons (Holm)" in note
    assert "corrected for" not in difference_note("UA", 1, 10, design)


def test_few_speakers_are_said_where_speakers_are_tested() -> None:
    assert "p is at least 0.062" in difference_note("UA", 1, 5)
    assert "p is at least" not in difference_note("UA", 1, 6)
    assert "p is at least" not in difference_note("UA", 1, 5, METHOD)
    assert "too narrow" in interval_note(1000, 5)
    assert "on unseen speakers." in interval_note(1000, 6)


def test_leave_one_speaker_out_is_offered_where_it_shows_more(results: Results) -> None:
    note = folds_note(results)
    assert note.startswith(
        "With 4 folds, only large differences are significant. Leave-one-speaker-out"
    )
    assert "(--set protocol.folds=loso) has 8 folds" in note
    assert note in compared_notes(results)
    many = replace(results.comparison, design=replace(METHOD, folds=8, test_share=1 / 7))
    assert folds_note(replace(results, comparison=many)) == ""
    two = replace(results.comparison, design=replace(METHOD, folds=2, test_share=1.0))
    pair = [{"name": "outer-1", "test_units": ["a"]}, {"name": "outer-2", "test_units": ["b"]}]
    run = replace(results.runs[0], plan={**results.runs[0].plan, "outer": pair})
    assert folds_note(replace(results, comparison=two, runs=(run,))) == (
        "With 2 folds, only large differences are significant: at least 22 times their standard "
        "error."
    )
    few = replace(results.comparison, design=ONE_FOLD)
    assert folds_note(replace(results, comparison=few)) == ""


def test_a_method_alone_has_no_note_on_differences(tmp_path: Path) -> None:
    alone = load_results([make_run(tmp_path / "run", {"akd": 0.9})])
    assert len(compared_notes(alone)) == 1
