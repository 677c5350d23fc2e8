from __future__ import annotations

from dataclasses import replace

import pytest
from tests_support.surveyed import table, utterance, utterances

from serbench.api import UtteranceRecord
from serbench.checks.survey.copies import check_copies
from serbench.checks.survey.counts import check_balance, check_counts
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
    assert check_counts(card, records(EVEN)).severity == "ok"
    short = records(EVEN | {("s1", "anger"): 2})
    finding = check_counts(card, short, ["s1-anger-None-2"])
    assert finding.severity == "error"
    assert finding.names == ("s1-anger-None-2",)
    assert finding.evidence[0].rows == (
        ("utterances", "18", "17", "−1"),
        ("label anger", "9", "8", "−1"),
        ("speaker s1", "6", "5", "−1"),
    )
    assert check_counts(card, short, [], allow_incomplete=True).severity == "warning"
    more = records(EVEN | {("s4", "anger"): 1})
    finding = check_counts(card, more, [], allow_incomplete=True)
    assert finding.severity == "error"
    assert ("speaker s4", "0", "1", "+1") in finding.evidence[0].rows


def test_a_card_without_counts_is_a_note() -> None:
    finding = check_counts(table([], LABELS).card, records(EVEN))
    assert finding.severity == "note"
    assert "18 utterances of 3 speakers" in finding.what


@pytest.mark.parametrize(
    ("sizes", "severity"),
    [((9, 9), "ok"), ((9, 3), "note"), ((30, 3), "warning"), ((9, 0), "error")],
)
def test_balance(sizes: tuple[int, int], severity: str) -> None:
    labels = ["anger"] * sizes[0] + ["neutral"] * sizes[1]
    assert check_balance(table([], LABELS).card, labels).severity == severity


def test_one_speaker_makes_no_folds() -> None:
    finding = check_units(table(utterances({("a", c): 3 for c in LABELS}), LABELS))
    assert (finding.severity, finding.names) == ("error", ("a",))


def test_a_class_of_one_speaker_makes_no_folds() -> None:
    finding = check_units(table(utterances(EVEN | {("s1", "fear"): 3}), ("anger", "fear")))
    assert finding.severity == "error"
    assert finding.names == ("fear (s1)",)


@pytest.mark.parametrize(("speakers", "severity"), [(2, "warning"), (5, "note"), (6, "ok")])
def test_few_speakers_carry_no_interval(speakers: int, severity: str) -> None:
    counts = {(f"s{n}", label): 2 for n in range(speakers) for label in LABELS}
    assert check_units(table(utterances(counts), LABELS)).severity == severity


def test_a_test_side_without_a_class_is_a_note() -> None:
    whole = table(utterances(EVEN), LABELS)
    assert check_folds(whole, "loso", outer_folds(whole, "loso")).severity == "ok"
    lacking = table(utterances({k: v for k, v in EVEN.items() if k != ("s2", "anger")}), LABELS)
    finding = check_folds(lacking, "loso", outer_folds(lacking, "loso"))
    assert finding.severity == "note"
    assert finding.names == ("outer-2 lacks anger",)
    assert finding.evidence[0].rows[1] == ("outer-2", "s2", "0", "3", "3", "12")


def test_sentences_that_training_has_too() -> None:
    own = [utterance(s, c, 0, f"{s} {n}") for s in ("s1", "s2") for c in LABELS for n in range(3)]
    shared = [replace(u, text="a" if u.speaker == "s1" else u.text) for u in own]
    shared = [replace(u, text="a") if u.text == "s2 0" else u for u in shared]
    for spoken, severity, told in ((own, "ok", "0.0 %"), (shared, "note", "(8 of 12)")):
        found = [replace(u, id=f"{u.id}{n}") for n, u in enumerate(spoken)]
        whole = table(found, LABELS)
        finding = check_sentence_overlap(whole, outer_folds(whole, "loso"))
        assert finding is not None
        assert finding.severity == severity
        assert told in finding.what
    none = table(utterances(EVEN), LABELS)
    assert check_sentence_overlap(none, outer_folds(none, "loso")) is None


def test_copies_are_told_by_what_they_cross() -> None:
    every = utterances(EVEN)
    same, speaker, label = every[1], every[6], every[3]
    first = every[0]
    assert check_copies(every, ()).severity == "ok"
    pairs = [NearPair(first.id, other.id, 0.9, 0.0) for other in (same, speaker, label)]
    assert check_copies(every, pairs[:1]).severity == "warning"
    assert "duplicates=drop" in check_copies(every, pairs[:1]).advice
    assert check_copies(every, pairs[1:2]).severity == "error"
    finding = check_copies(every, pairs)
    assert finding.severity == "error"
    assert "1 under two classes, 1 under two speakers and 1 under one speaker" in finding.what
    assert "0 of them sample by sample" in finding.what
    assert finding.names[0] == f"{first.id} = {label.id}"
    assert "wrong" in finding.advice
