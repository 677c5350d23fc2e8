from __future__ import annotations

from dataclasses import replace

import pytest
from tests_support.surveyed import cells, table, unit_names, utterance, utterances

from serbench.api import UtteranceRecord
from serbench.checks.survey.copies import check_copies
from serbench.checks.survey.counts import check_balance, check_counts, check_names
from serbench.checks.survey.folds import (
    check_folds,
    check_sentence_overlap,
    check_units,
    outer_folds,
)
from serbench.protocol.guard.near.search import NearPair

LABELS = ("anger", "neutral")
EVEN = {(speaker, label): 3 for speaker in ("s1", "s2", "s3") for label in LABELS}


def records(counts: dict[tuple[str, str], int]) -> list[UtteranceRecord]:
    return [UtteranceRecord(u.id, u.path, u.speaker, u.label) for u in utterances(counts)]


def test_counts_of_the_card() -> None:
    declared = {
        "utterances": 18,
        "per_label": {"anger": 9, "neutral": 9},
        "per_speaker": {"s1": 6, "s2": 6, "s3": 6},
    }
    card = table([], LABELS, **declared).card
    assert check_counts(card, records(EVEN)).outcome == "passed"
    short = records(EVEN | {("s1", "anger"): 2})
    finding = check_counts(card, short, ["s1-anger-None-2"])
    assert finding.outcome == "failed"
    assert unit_names(finding) == ("s1-anger-None-2",)
    assert cells(finding.tables[0]) == [
        ("utterances", "18", "17", "−1"),
        ("label anger", "9", "8", "−1"),
        ("speaker s1", "6", "5", "−1"),
    ]
    assert check_counts(card, short, [], allow_incomplete=True).outcome == "warning"
    lost = check_counts(card, records(EVEN), lost=["cannot be read: s05"])
    assert lost.outcome == "failed"
    assert "others may exist: cannot be read: s05." in lost.message
    more = records(EVEN | {("s4", "anger"): 1})
    finding = check_counts(card, more, [], allow_incomplete=True)
    assert finding.outcome == "failed"
    assert ("speaker s4", "0", "1", "+1") in cells(finding.tables[0])


def test_names_in_several_spellings_are_listed() -> None:
    card = table([], LABELS).card
    assert check_names(card, records(EVEN)).outcome == "passed"
    found = check_names(card, records(EVEN | {("S1 ", "anger"): 1}))
    assert found.outcome == "failed"
    assert found.message.startswith("1 speaker in several spellings: names that differ only in ")
    (unit,) = found.units
    assert str(unit) == "speaker 'S1 ' = 's1' (1 + 6 utterances)"
    apart = table([], LABELS, different={"speaker": ("S1 ", "s1")}).card
    assert check_names(apart, records(EVEN | {("S1 ", "anger"): 1})).outcome == "passed"


def test_a_card_without_counts_is_a_note() -> None:
    finding = check_counts(table([], LABELS).card, records(EVEN))
    assert finding.outcome == "note"
    assert "18 utterances of 3 speakers" in finding.message


@pytest.mark.parametrize(
    ("sizes", "outcome"),
    [((9, 9), "passed"), ((9, 3), "note"), ((30, 3), "warning"), ((9, 0), "failed")],
)
def test_balance(sizes: tuple[int, int], outcome: str) -> None:
    labels = ["anger"] * sizes[0] + ["neutral"] * sizes[1]
    assert check_balance(table([], LABELS).card, labels).outcome == outcome


def test_one_speaker_makes_no_folds() -> None:
    finding = check_units(table(utterances({("a", c): 3 for c in LABELS}), LABELS))
    assert (finding.outcome, unit_names(finding)) == ("failed", ("a",))


def test_a_class_of_one_speaker_makes_no_folds() -> None:
    finding = check_units(table(utterances(EVEN | {("s1", "fear"): 3}), ("anger", "fear")))
    assert finding.outcome == "failed"
    assert unit_names(finding) == ("fear",)


@pytest.mark.parametrize(("speakers", "outcome"), [(2, "warning"), (5, "note"), (6, "passed")])
def test_few_speakers_carry_no_interval(speakers: int, outcome: str) -> None:
    counts = {(f"s{n}", label): 2 for n in range(speakers) for label in LABELS}
    assert check_units(table(utterances(counts), LABELS)).outcome == outcome


def test_a_test_side_without_a_class_is_a_note() -> None:
    whole = table(utterances(EVEN), LABELS)
    assert check_folds(whole, "loso", outer_folds(whole, "loso")).outcome == "passed"
    lacking = table(utterances({k: v for k, v in EVEN.items() if k != ("s2", "anger")}), LABELS)
    finding = check_folds(lacking, "loso", outer_folds(lacking, "loso"))
    assert finding.outcome == "note"
    assert unit_names(finding) == ("outer-2",)
    assert cells(finding.tables[0])[1] == ("outer-2", "s2", "0", "3", "3", "12")


def test_sentences_that_training_has_too() -> None:
    own = [utterance(s, c, 0, f"{s} {n}") for s in ("s1", "s2") for c in LABELS for n in range(3)]
    shared = [replace(u, text="a" if u.speaker == "s1" else u.text) for u in own]
    shared = [replace(u, text="a") if u.text == "s2 0" else u for u in shared]
    for spoken, outcome, told in ((own, "passed", "0.0 %"), (shared, "note", "(8 of 12)")):
        found = [replace(u, id=f"{u.id}{n}") for n, u in enumerate(spoken)]
        whole = table(found, LABELS)
        finding = check_sentence_overlap(whole, outer_folds(whole, "loso"))
        assert finding is not None
        assert finding.outcome == outcome
        assert told in finding.message
    none = table(utterances(EVEN), LABELS)
    assert check_sentence_overlap(none, outer_folds(none, "loso")) is None


def test_copies_are_told_by_what_they_cross() -> None:
    every = utterances(EVEN)
    same, speaker, label = every[1], every[6], every[3]
    first = every[0]
    assert check_copies(every, ()).outcome == "passed"
    pairs = [NearPair(first.id, other.id, 0.9, 0.0) for other in (same, speaker, label)]
    assert check_copies(every, pairs[:1]).outcome == "warning"
    assert "duplicates=drop" in check_copies(every, pairs[:1]).remedy
    assert check_copies(every, pairs[1:2]).outcome == "failed"
    finding = check_copies(every, pairs)
    assert finding.outcome == "failed"
    assert "1 under two classes, 1 under two speakers and 1 under one speaker" in finding.message
    assert "0 of them identical in every sample" in finding.message
    assert unit_names(finding)[0] == f"{first.id} = {label.id}"
    assert "wrong" in finding.remedy
