"""One name in several spellings: what counts as such, and that it stops a run."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from serbench.api import LeakageError, UtteranceRecord
from serbench.data.corpus.derive import join
from serbench.data.corpus.table import CorpusTable
from serbench.protocol.spelling import check_spelling, folded, lonely, respelled
from serbench.running.harness.inputs import load_dataset
from serbench.running.harness.observer import Observer
from serbench.running.plan.dataset import DatasetPlan, PlannedCorpus
from serbench.running.registry.schema import DatasetSpec
from serbench_corpora.files import Files, FilesParams

SAME = [
    ("s03", "S03"), ("s03", "s3"), ("s03", "S 3.0"), ("3", "3.0"), ("3", "03"), ("3", "003.00"),
    ("Anna ", "anna"), ("Anna  Lena", "annalena"), ("anna\u00a0lena", "Anna Lena"),
    ("M\u00fcller", "Mu\u0308ller"), ("STRASSE", "straße"), ("ﬁn", "fin"), ("３", "3"), ("٣", "3"),
    ("a\u200bnna", "anna"), ("\ufeffanna", "anna"), ("10000000000000000", "1e+16"),
    ("15000000000000000", "1.5e+16"), ("3.0-1", "3-01"), ("spk_3.0", "spk_03"), ("0", "00.0"),
    ("3 .0", "3"),
]  # fmt: skip

OTHERS = [
    ("s03", "s30"), ("12", "1 2"), ("1.10", "1.1"), ("1.05", "1.5"), ("1.0.2", "1.2"), ("3", "-3"),
    ("a01", "a02"), ("Anna", "Ánna"), ("Muller", "Müller"), ("a-1", "a1"), ("a_1", "a-1"),
    ("1e5", "100000"), ("10", "1"), ("1.5e+00", "1"),
]  # fmt: skip

NAMES = st.text(st.characters(), max_size=8) | st.text("aZ0１3. \u0308\u200be+", max_size=8)


@pytest.mark.parametrize(("one", "other"), SAME)
def test_spellings_of_one_name(one: str, other: str) -> None:
    assert one != other
    assert folded(one) == folded(other)


@pytest.mark.parametrize(("one", "other"), OTHERS)
def test_names_that_are_different_ones(one: str, other: str) -> None:
    assert folded(one) != folded(other)


@given(NAMES)
def test_a_folded_name_is_its_own_spelling(name: str) -> None:
    assert folded(folded(name)) == folded(name)


@given(NAMES)
def test_case_and_composition_never_matter(name: str) -> None:
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert folded(unicodedata.normalize(form, name)) == folded(name)
    assert folded(name.casefold()) == folded(name)
    assert folded(f" {name}\t") == folded(name)


@given(st.from_regex(r"[a-z]{0,3}", fullmatch=True), st.integers(0, 10**20), st.integers(0, 3))
def test_zeros_before_and_after_a_number_never_matter(word: str, number: int, zeros: int) -> None:
    for written in (f"{'0' * zeros}{number}", f"{number}.0", f"{number}.{'0' * (zeros + 1)}"):
        assert folded(word + written) == folded(f"{word}{number}")


@given(st.lists(st.from_regex(r"[a-z]{1,3}_[1-9][0-9]{0,2}", fullmatch=True), unique=True))
def test_plain_names_are_never_taken_for_one(names: list[str]) -> None:
    assert len({*map(folded, names)}) == len(names)


def record(speaker: str, text: str | None = None, session: str | None = None) -> UtteranceRecord:
    return UtteranceRecord("id", Path("a.wav"), speaker, "anger", session, text)


def test_every_name_in_several_spellings_is_found_with_its_counts() -> None:
    records = [record("3"), record("3.0"), record("3.0"), record("03"), record("4", "A", "1")]
    records += [record("5", "a", "01"), record("6", "b", "2")]
    found = respelled(records)
    assert [(each.kind, dict(each.counts)) for each in found] == [
        ("speaker", {"03": 1, "3": 1, "3.0": 2}), ("session", {"01": 1, "1": 1}),
        ("text", {"A": 1, "a": 1}),
    ]  # fmt: skip
    assert (found[0].usual, str(found[0])) == ("3.0", "'03' = '3' = '3.0'")


def test_spellings_that_look_alike_are_told_apart_in_messages() -> None:
    (found,) = respelled([record("M\u00fcller"), record("Mu\u0308ller")])
    assert str(found) == r"'Mu\u0308ller' = 'M\xfcller'"
    (spaced,) = respelled([record("a b"), record("a\u00a0b")])
    assert str(spaced) == r"'a b' = 'a\xa0b'"


def test_names_that_a_card_declares_different_are_so_and_no_others() -> None:
    records = [record("x", "a"), record("x", "A"), record("y", "b"), record("y", "B")]
    assert respelled(records, {"text": ("a", "A", "b", "B")}) == ()
    assert [str(each) for each in respelled(records, {"text": ("a", "A")})] == ["'B' = 'b'"]
    third = [*records, record("x", " a")]
    assert [str(each) for each in respelled(third, {"text": ("a", "A", "b", "B")})] == [
        "' a' = 'A' = 'a'"
    ]
    assert lonely(["a", "A", "c"]) == ("c",)


@pytest.mark.parametrize(
    ("field", "first", "second", "code"),
    [
        ("speaker", "s1", "S1", "L1"),
        ("session", "session 1", "Session 01", "L1"),
        ("text", "a", " a", "L9"),
    ],
)
def test_a_table_with_two_spellings_is_refused_by_name(
    toy, field: str, first: str, second: str, code: str
) -> None:
    assert check_spelling(toy.table) == []
    table = toy.changed("s1-a-joy", **{field: second})
    with pytest.raises(LeakageError, match=f"{first!r}") as found:
        check_spelling(table)
    assert found.value.code == code
    assert repr(second) in str(found.value)
    assert f"different.{field} = [" in str(found.value)
    card = replace(table.card, different={field: (first, second)})
    assert check_spelling(replace(table, card=card)) == [repr(first), repr(second)]


def test_corpora_of_one_run_are_looked_at_one_by_one(toy) -> None:
    """Which one an utterance is of is no part of a speaker's name: corpus1/s1 and corpus01/s1."""
    one, other = replace(toy.table, name="corpus1"), replace(toy.table, name="corpus01")
    assert check_spelling(join("both", [one], other)) == []
    wrong = replace(toy.changed("s2-a-joy", speaker="S2"), name="corpus01")
    with pytest.raises(LeakageError, match=r"speakers of corpus01 whose names .*: 'S2' = 's2'"):
        check_spelling(join("both", [one], wrong))


def planned(folder: Path, **card: object) -> DatasetPlan:
    for speaker in ("s01", "S01", "s02"):
        for emotion in ("ang", "joy"):
            noise = np.random.default_rng([*f"{speaker}{emotion}".encode()]).normal(0, 0.1, 8000)
            (folder / speaker).mkdir(parents=True, exist_ok=True)
            soundfile.write(folder / speaker / f"{emotion}.wav", noise, 16_000)
    params = {
        "pattern": r"(?P<speaker>[sS]\d\d)/(?P<emotion>\w+)\.wav",
        "id": "{speaker}-{stem}",
        "labels": {"ang": "anger", "joy": "happiness"},
        "card": {
            "title": "Mine", "language": "none", "licence": "mine", "home": "here",
            "citation": "me", "elicitation": "acted", "layout": "SPEAKER/EMOTION.wav", **card,
        },
    }  # fmt: skip
    corpus = Files(FilesParams.model_validate(params))
    return DatasetPlan(PlannedCorpus("mine", DatasetSpec(corpus="files"), corpus))


def load(plan: DatasetPlan, folder: Path) -> CorpusTable:
    return load_dataset(plan, folder / "corpus", folder / "cache", Observer())


def test_a_run_on_a_corpus_with_two_spellings_stops_when_it_is_read(tmp_path: Path) -> None:
    plan = planned(tmp_path / "corpus")
    with pytest.raises(LeakageError, match=r"L1: speakers of mine whose names .*: 'S01' = 's01'"):
        load(plan, tmp_path)


def test_an_entry_may_declare_them_different_and_only_then_its_plan_says_so(tmp_path: Path) -> None:
    plain = planned(tmp_path / "corpus")
    declared = planned(tmp_path / "corpus", different={"speaker": ["s01", "S01"]})
    assert len(load(declared, tmp_path).units) == 3
    assert card_of(declared)["different"] == {"speaker": ["s01", "S01"]}
    assert "different" not in card_of(plain)


def card_of(plan: DatasetPlan) -> dict[str, object]:
    return json.loads(json.dumps(plan.describe()))["params"]["card"]
