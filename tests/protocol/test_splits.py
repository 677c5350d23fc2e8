from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from serbench.api import CorpusCard, LeakageError, SplitError
from serbench.data.corpus.table import CorpusTable, Utterance
from serbench.protocol.guard.checks import check_coverage, check_nested, check_split
from serbench.protocol.splits.groups import balanced_groups, linked_groups, natural_key
from serbench.protocol.splits.inner import inner_splits
from serbench.protocol.splits.outer import outer_splits, random_splits, trained_only
from serbench.protocol.splits.records import Partition, utterances_of

LABELS = ("anger", "joy")


def make_table(
    sizes: dict[str, int],
    fold_sets: dict[str, tuple[tuple[str, ...], ...]] | None = None,
    only: dict[str, str] | None = None,
    sessions: dict[str, str] | None = None,
) -> CorpusTable:
    """``sizes`` utterances per speaker, labels in turn; ``only`` fixes a speaker's single label."""
    utterances = []
    for speaker, size in sizes.items():
        for number in range(size):
            name = f"{speaker}-{number:03d}"
            utterances.append(
                Utterance(
                    id=name,
                    path=Path(f"{name}.wav"),
                    speaker=speaker,
                    session=(sessions or {}).get(speaker),
                    label=(only or {}).get(speaker, LABELS[number % 2]),
                    text=None,
                    duration_s=2.0,
                    sample_rate_hz=16_000,
                    channels=1,
                    pcm_sha256=f"pcm of {name}",
                )
            )
    card = CorpusCard(
        title="toy",
        language="none",
        licence="CC0",
        home="",
        citation="",
        elicitation="synthetic",
        labels=LABELS,
        unit="session" if sessions else "speaker",
        fold_sets=fold_sets or {},
    )
    ordered = tuple(sorted(utterances, key=lambda u: u.id))
    return CorpusTable("toy", card, Path(), ordered, "digest")


def speakers(count: int, size: int = 4) -> dict[str, int]:
    return {f"s{number}": size for number in range(1, count + 1)}


PAIRS = {"paper": (("s1", "s2"), ("s3", "s4"), ("s5", "s6"))}


def test_a_named_fold_set_tests_its_units_in_its_order() -> None:
    splits = outer_splits(make_table(speakers(6), PAIRS), "paper", 5)
    assert [s.name for s in splits] == ["outer-1", "outer-2", "outer-3"]
    assert [s.test.units for s in splits] == list(PAIRS["paper"])
    assert splits[0].train.units == ("s3", "s4", "s5", "s6")
    assert splits[0].train.name == "outer-1/train"
    assert splits[0].test.name == "outer-1/test"
    assert splits[0].test.sealed
    assert not splits[0].train.sealed


def test_loso_leaves_one_unit_out_in_natural_order() -> None:
    splits = outer_splits(make_table(speakers(11)), "loso", 5)
    assert [s.test.units for s in splits] == [(f"s{n}",) for n in range(1, 12)]


def test_sessions_are_the_unit_where_the_card_says_so() -> None:
    sessions = {"s1": "A", "s2": "A", "s3": "B", "s4": "B"}
    splits = outer_splits(make_table(speakers(4), sessions=sessions), "loso", 5)
    assert [s.test.units for s in splits] == [("A",), ("B",)]
    assert {i[:2] for i in splits[0].test.ids} == {"s1", "s2"}


def test_kfold_deals_units_evenly() -> None:
    table = make_table({"a": 9, "b": 8, "c": 3, "d": 2, "e": 2, "f": 2})
    splits = outer_splits(table, "kfold", 3)
    assert sorted(len(s.test.ids) for s in splits) == [8, 9, 9]
    assert splits == outer_splits(table, "kfold", 3)


@given(
    sizes=st.lists(st.integers(2, 9), min_size=3, max_size=9),
    folds=st.sampled_from(["loso", "kfold"]),
    data=st.data(),
)
@hypothesis_settings(max_examples=25, deadline=None)
def test_splits_partition_the_ids_and_are_tested_once(
    sizes: list[int], folds: str, data: st.DataObject
) -> None:
    table = make_table({f"s{n}": size for n, size in enumerate(sizes)})
    kfold = data.draw(st.integers(2, len(sizes)))
    splits = outer_splits(table, folds, kfold)
    assert len(splits) == (kfold if folds == "kfold" else len(sizes))
    for split in splits:
        assert sorted(split.train.ids + split.test.ids) == list(table.ids)
        assert split.test.ids
        assert not set(split.train.units) & set(split.test.units)
        check_split(split, table)
    assert sorted(i for s in splits for i in s.test.ids) == list(table.ids)
    check_coverage(splits, table)


@given(
    sizes=st.lists(st.integers(2, 9), min_size=4, max_size=8),
    inner=st.sampled_from(["units", 2, 3]),
    data=st.data(),
)
@hypothesis_settings(max_examples=25, deadline=None)
def test_inner_folds_stay_inside_and_validate_once(
    sizes: list[int], inner: str | int, data: st.DataObject
) -> None:
    table = make_table({f"s{n}": size for n, size in enumerate(sizes)})
    outer = outer_splits(table, "kfold", data.draw(st.integers(4, len(sizes))))
    index = data.draw(st.integers(0, len(outer) - 1))
    splits = inner_splits(table, outer, index, inner)  # pyright: ignore[reportArgumentType]
    parent = outer[index]
    assert len(splits) == (len(outer) - 1 if inner == "units" else inner)
    assert sorted(i for s in splits for i in s.test.ids) == list(parent.train.ids)
    for split in splits:
        assert not set(split.test.units) & set(parent.test.units)
        assert sorted(split.train.ids + split.test.ids) == list(parent.train.ids)
        assert split.test.role == "validation"
        check_split(split, table)
        check_nested(split, parent)


def test_inner_units_are_the_other_outer_folds() -> None:
    outer = outer_splits(make_table(speakers(6), PAIRS), "paper", 5)
    splits = inner_splits(make_table(speakers(6), PAIRS), outer, 1, "units")
    assert [s.test.units for s in splits] == [("s1", "s2"), ("s5", "s6")]
    assert splits[1].name == "outer-2/inner-2"
    assert splits[1].test.name == "outer-2/inner-2/validation"
    assert splits[1].train.name == "outer-2/inner-2/train"


def test_a_number_of_inner_folds_keeps_outer_groups_together() -> None:
    folds = {"paper": (("s1", "s2"), ("s3", "s4"), ("s5", "s6"), ("s7", "s8"), ("s9", "s10"))}
    table = make_table(speakers(10), folds)
    splits = inner_splits(table, outer_splits(table, "paper", 5), 0, 2)
    assert [s.test.units for s in splits] == [
        ("s3", "s4", "s7", "s8"),
        ("s5", "s6", "s9", "s10"),
    ]


@pytest.mark.parametrize("inner", [1, 0, 3, -1])
def test_a_wrong_number_of_inner_folds_is_refused(inner: int) -> None:
    table = make_table(speakers(6), PAIRS)
    with pytest.raises(SplitError, match=rf"protocol\.inner = {inner}: .* here 2;"):
        inner_splits(table, outer_splits(table, "paper", 5), 0, inner)


def test_two_outer_folds_leave_no_inner_ones() -> None:
    table = make_table(speakers(4))
    with pytest.raises(SplitError, match="here 1; change"):
        inner_splits(table, outer_splits(table, "kfold", 2), 0, "units")


@pytest.mark.parametrize("folds", ["loso", "kfold", "paper"])
def test_one_speaker_makes_no_folds(folds: str) -> None:
    with pytest.raises(
        SplitError, match="folds by speaker need at least two speakers, and it has s1"
    ):
        outer_splits(make_table({"s1": 6}, PAIRS), folds, 5)


@pytest.mark.parametrize(
    ("fold_set", "message"),
    [
        ((("s1",), ("s2",)), "in no fold: s3"),
        ((("s1",), ("s2", "s3", "s4")), "not in the corpus: s4"),
        ((("s1",), ("s2", "s3", "s1")), "more than once: s1"),
        ((("s1", "s2", "s3"),), "at least two folds"),
        ((("s1", "s2", "s3"), ()), "none of them empty"),
    ],
)
def test_a_fold_set_must_fit_the_corpus(
    fold_set: tuple[tuple[str, ...], ...], message: str
) -> None:
    with pytest.raises(SplitError, match=message):
        outer_splits(make_table(speakers(3), {"paper": fold_set}), "paper", 5)


@pytest.mark.parametrize("kfold", [1, 4])
def test_kfold_must_fit_the_units(kfold: int) -> None:
    with pytest.raises(
        SplitError, match=r"protocol\.kfold = .* 3 speakers, so choose a number from 2 to 3"
    ):
        outer_splits(make_table(speakers(3)), "kfold", kfold)


def test_unknown_folds_name_the_known_ones() -> None:
    with pytest.raises(SplitError, match="'papier': toy has paper, loso, kfold"):
        outer_splits(make_table(speakers(6), PAIRS), "papier", 5)


def test_a_class_without_training_utterance_is_refused_and_named() -> None:
    table = make_table(speakers(3), only={"s1": "anger", "s2": "anger"})
    with pytest.raises(SplitError, match="outer-3/train of toy has no utterance of joy"):
        outer_splits(table, "loso", 5)


def test_a_class_without_test_utterance_is_legal() -> None:
    splits = outer_splits(make_table(speakers(4), only={"s1": "anger"}), "loso", 5)
    assert splits[0].test.units == ("s1",)


def test_a_class_missing_from_an_inner_training_side_is_refused() -> None:
    table = make_table(speakers(4), only={"s2": "anger", "s3": "anger"})
    outer = outer_splits(table, "loso", 5)
    with pytest.raises(SplitError, match="outer-1/inner-3/train of toy has no utterance of joy"):
        inner_splits(table, outer, 0, "units")


def write_folds(path: Path, rows: list[str], header: str = "utterance,fold") -> str:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return str(path)


def test_a_fold_file_says_which_fold_tests_an_utterance(tmp_path: Path) -> None:
    table = make_table(speakers(3))
    fold_of = {"s1": "10", "s2": "2", "s3": "2"}
    rows = [f"{u.id},{fold_of[u.speaker]},note" for u in reversed(table.utterances)]
    file = write_folds(tmp_path / "folds.csv", rows, "utterance,fold,remark")
    splits = outer_splits(table, file, 5)
    assert [s.test.units for s in splits] == [("s2", "s3"), ("s1",)]


def test_a_fold_file_that_splits_a_speaker_is_left_to_the_guard(tmp_path: Path) -> None:
    table = make_table(speakers(3))
    rows = [f"{u.id},{n // 2 % 2}" for n, u in enumerate(table.utterances)]
    splits = outer_splits(table, write_folds(tmp_path / "folds.csv", rows), 5)
    with pytest.raises(LeakageError, match="s1, s2, s3") as caught:
        check_split(splits[0], table)
    assert caught.value.code == "L1"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[1:], "without a fold: s1-000"),
        (lambda rows: [*rows, "stranger,1"], "not in toy: stranger"),
        (lambda rows: [*rows, "s1-000,2"], r"more than once: s1-000 \(line 14\)"),
        (lambda rows: [r.split(",")[0] + ",1" for r in rows], "at least two folds"),
        (lambda rows: [*rows[:2], "s1-002,", *rows[3:]], "line 4 has no utterance or no fold"),
        (lambda rows: [*rows[:2], "s1-002", *rows[3:]], "line 4 has no utterance"),
    ],
)
def test_a_fold_file_must_fit_the_corpus(tmp_path: Path, change, message: str) -> None:
    table = make_table(speakers(3))
    rows = [f"{u.id},{u.speaker}" for u in table.utterances]
    with pytest.raises(SplitError, match=message):
        outer_splits(table, write_folds(tmp_path / "folds.csv", change(rows)), 5)


def test_a_fold_file_needs_its_columns(tmp_path: Path) -> None:
    file = write_folds(tmp_path / "folds.csv", ["a,1"], "id,fold")
    with pytest.raises(SplitError, match="columns utterance and fold, but has id, fold"):
        outer_splits(make_table(speakers(3)), file, 5)


def test_an_unreadable_fold_file_is_named(tmp_path: Path) -> None:
    table = make_table(speakers(3))
    with pytest.raises(SplitError, match=r"absent\.csv cannot be read"):
        outer_splits(table, str(tmp_path / "absent.csv"), 5)
    (tmp_path / "binary.csv").write_bytes(b"utterance,fold\n\xff\xfe,1\n")
    with pytest.raises(SplitError, match=r"binary\.csv cannot be read"):
        outer_splits(table, str(tmp_path / "binary.csv"), 5)
    (tmp_path / "empty.csv").write_bytes(b"")
    with pytest.raises(SplitError, match="has none"):
        outer_splits(table, str(tmp_path / "empty.csv"), 5)


@given(weights=st.lists(st.integers(1, 50), min_size=1, max_size=12), data=st.data())
@hypothesis_settings(max_examples=30, deadline=None)
def test_balanced_groups_deal_everything_once(weights: list[int], data: st.DataObject) -> None:
    count = data.draw(st.integers(1, len(weights)))
    groups = balanced_groups(weights, count)
    assert Counter(p for group in groups for p in group) == Counter(range(len(weights)))
    assert len(groups) == count
    assert all(groups)
    totals = [sum(weights[p] for p in group) for group in groups]
    # Moving the last one dealt to the lightest group cannot help: the spread is below its weight.
    assert max(totals) - min(totals) <= max(weights)


def test_more_groups_than_units_are_refused() -> None:
    with pytest.raises(SplitError, match="2 units cannot be divided into 3 groups"):
        balanced_groups([1, 1], 3)


def test_natural_order() -> None:
    names = ["Ses10", "Ses2", "Ses", "07", "3", "a1b10", "a1b9"]
    expected = ["3", "07", "Ses", "Ses2", "Ses10", "a1b9", "a1b10"]
    assert sorted(names, key=natural_key) == expected


def test_any_number_of_digits_is_a_number() -> None:
    short, long = "a9", f"a1{'0' * 5000}"
    assert sorted([long, short, "a010"], key=natural_key) == [short, "a010", long]


def test_utterances_of_a_strange_partition_are_refused() -> None:
    with pytest.raises(SplitError, match="here/train has utterances that are not in toy: x, y"):
        utterances_of(Partition("here/train", ("x", "y"), ()), make_table(speakers(2)))


# ── linked, random and text folds ────────────────────────────────────────────────────────────────


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 11)), max_size=12))
def test_linked_groups_are_the_connected_components(links: list[tuple[int, int]]) -> None:
    names = [f"n{number}" for number in range(10)]
    groups = linked_groups(names, [(f"n{a}", f"n{b}") for a, b in links])
    reach = np.eye(10, dtype=bool)
    for a, b in links:
        if b < 10:
            reach[a, b] = reach[b, a] = True
    for _ in range(10):
        reach = (reach.astype(int) @ reach.astype(int)) > 0
    expected = {tuple(names[i] for i in np.flatnonzero(row)) for row in reach}
    assert set(groups) == expected
    assert sorted(name for group in groups for name in group) == sorted(names)


@given(st.integers(2, 5), st.integers(0, 3))
@hypothesis_settings(max_examples=10, deadline=None)
def test_random_folds_test_each_utterance_once_and_every_class_evenly(
    count: int, seed: int
) -> None:
    table = make_table({"s1": 17, "s2": 12, "s3": 9})
    splits = random_splits(table, count, seed)
    assert sorted(i for split in splits for i in split.test.ids) == sorted(table.ids)
    per_class = [Counter(table.by_id[i].label for i in split.test.ids) for split in splits]
    for label in LABELS:
        sizes = [counts[label] for counts in per_class]
        assert max(sizes) - min(sizes) <= 1
    assert splits == random_splits(table, count, seed)
    assert splits != random_splits(table, count, seed + 1)


def test_inner_folds_of_text_folds_keep_a_group_of_units_together() -> None:
    table = make_table(speakers(4, 8))
    spoken = tuple(
        replace(u, text="abcd"[n % 4], label=LABELS[(n // 4) % 2])
        for n, u in enumerate(table.utterances)
    )
    table = replace(table, utterances=spoken)
    outer = outer_splits(table, "loso", 5, text_groups=2)
    assert [split.group for split in outer] == [f"units {n}" for n in (1, 1, 2, 2, 3, 3, 4, 4)]
    inner = inner_splits(table, outer, 0, "units")
    assert [split.test.units for split in inner] == [("s2",), ("s3",), ("s4",)]
    for split in inner:
        check_nested(split, outer[0])
        check_split(split, table)


# ── a corpus's own split, and other splits that test a part only ─────────────────────────────────


def with_official(table: CorpusTable, sides: dict[str, str]) -> CorpusTable:
    """The same, each speaker on a side of the corpus's own split."""
    utterances = tuple(replace(u, official=sides.get(u.speaker)) for u in table.utterances)
    return replace(table, utterances=utterances)


SIDES = {"s1": "train", "s2": "train", "s3": "validation", "s4": "test"}


def test_an_official_split_in_sides_is_one_fold() -> None:
    table = with_official(make_table(speakers(4)), SIDES)
    (split,) = outer_splits(table, "official", 5)
    assert (split.train.units, split.test.units) == (("s1", "s2", "s3"), ("s4",))
    only = trained_only(table, "official")
    assert set(only) == set(split.train.ids)
    check_split(split, table)
    check_coverage([split], table, only)
    with pytest.raises(LeakageError, match="in no outer fold"):
        check_coverage([split], table)
    with pytest.raises(LeakageError, match="for training only"):
        check_coverage([split], table, [*only, split.test.ids[0]])


def test_official_folds_test_everything_once() -> None:
    table = with_official(make_table(speakers(4)), {f"s{n}": f"fold {n % 2}" for n in range(1, 5)})
    splits = outer_splits(table, "official", 5)
    assert [split.test.units for split in splits] == [("s2", "s4"), ("s1", "s3")]
    assert trained_only(table, "official") == ()
    check_coverage(splits, table)


SEVERAL = {"s1": "train", "s2": "train", "s3": "test2", "s4": "test", "s5": "test2", "s6": "test"}


def test_several_test_sets_are_one_fold_and_the_first_is_the_headline() -> None:
    table = with_official(make_table(speakers(6)), SEVERAL)
    (split,) = outer_splits(table, "official", 5)
    assert split.test.units == ("s3", "s4", "s5", "s6")
    assert [(part.name, part.units, part.role) for part in split.test_sets] == [
        ("outer-1/test", ("s4", "s6"), "test"),
        ("outer-1/test2", ("s3", "s5"), "test"),
    ]
    assert split.headline.test == split.test_sets[0]
    assert split.headline.train == split.train
    assert {i: name for i, name in split.set_of.items() if i.endswith("000")} == {
        "s3-000": "test2", "s4-000": "test", "s5-000": "test2", "s6-000": "test",
    }  # fmt: skip
    check_coverage([split], table, trained_only(table, "official"))
    (inner, *_) = inner_splits(table, [split], 0, "units")
    assert {*inner.train.units, *inner.test.units} == {"s1", "s2"}


def test_one_test_set_and_folds_named_test_have_no_sets() -> None:
    (split,) = outer_splits(with_official(make_table(speakers(4)), SIDES), "official", 5)
    assert (split.test_sets, split.headline, split.set_of) == ((), split, {})
    folds = with_official(make_table(speakers(4)), {f"s{n}": f"test{n % 2}" for n in range(1, 5)})
    splits = outer_splits(folds, "official", 5)
    assert [(each.test.units, each.test_sets) for each in splits] == [
        (("s2", "s4"), ()),
        (("s1", "s3"), ()),
    ]


@pytest.mark.parametrize(
    ("sides", "message"),
    [
        ({}, "toy has no split of its own"),
        ({"s1": "train", "s2": "test", "s3": "test"}, "no side in its own split for s4-000"),
        ({**SIDES, "s4": "validation"}, "has no utterance for test: it has train, validation"),
        ({**SIDES, "s4": "fold 1"}, "both folds and train, validation"),
        ({**SIDES, "s1": "fold 1"}, "both folds and test, train, validation"),
        ({"s1": "test", "s2": "test", "s3": "test2", "s4": "test2"}, "has no utterance for train"),
    ],
)
def test_official_splits_that_are_none_say_why(sides: dict[str, str], message: str) -> None:
    with pytest.raises(SplitError, match=message):
        outer_splits(with_official(make_table(speakers(4)), sides), "official", 5)


def test_the_official_validation_side_is_the_inner_fold() -> None:
    table = with_official(make_table(speakers(4)), SIDES)
    outer = outer_splits(table, "official", 5)
    (inner,) = inner_splits(table, outer, 0, "units")
    assert (inner.name, inner.test.role) == ("outer-1/inner-1", "validation")
    assert (inner.train.units, inner.test.units) == (("s1", "s2"), ("s3",))
    dealt = inner_splits(table, outer, 0, 3)
    assert sorted(split.test.units for split in dealt) == [("s1",), ("s2",), ("s3",)]


@pytest.mark.parametrize(("count", "inner", "folds"), [(9, "units", 5), (4, "units", 3), (9, 2, 2)])
def test_a_single_fold_is_searched_over_folds_of_its_units(
    count: int, inner: int, folds: int
) -> None:
    sides = {f"s{n}": "train" for n in range(1, count)} | {f"s{count}": "test"}
    table = with_official(make_table(speakers(count)), sides)
    outer = outer_splits(table, "official", 5)
    made = inner_splits(table, outer, 0, inner)  # pyright: ignore[reportArgumentType]
    assert len(made) == folds
    validated = Counter(i for split in made for i in split.test.ids)
    assert validated == Counter(outer[0].train.ids)
    for split in made:
        check_split(split, table)
        check_nested(split, outer[0])


def test_a_fold_file_may_have_utterances_for_training_only(tmp_path: Path) -> None:
    table = make_table(speakers(3))
    fold_of = {"s1": "train", "s2": "b", "s3": "a"}
    rows = [f"{u.id},{fold_of[u.speaker]}" for u in table.utterances]
    path = tmp_path / "folds.csv"
    path.write_text("\n".join(["utterance,fold", *rows]) + "\n")
    splits = outer_splits(table, str(path), 5)
    assert [split.test.units for split in splits] == [("s3",), ("s2",)]
    only = trained_only(table, str(path))
    assert only == tuple(u.id for u in table.utterances if u.speaker == "s1")
    check_coverage(splits, table, only)
    path.write_text("\n".join(["utterance,fold", *(f"{i},train" for i in table.ids)]) + "\n")
    with pytest.raises(SplitError, match="at least two folds"):
        outer_splits(table, str(path), 5)
