"""Subsets for a first look: the same share of every speaker and class."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serbench.api import RegistryError
from serbench.api.corpus import UtteranceRecord
from serbench.data.corpus.subset import Subset

LABELS = ("anger", "joy", "sadness")

RECORDS = st.lists(
    st.tuples(st.sampled_from("ABCDE"), st.sampled_from((*LABELS, "other"))),
    min_size=2,
    max_size=80,
).map(
    lambda spoken: [
        UtteranceRecord(f"u{number:03}", Path(f"u{number}.wav"), speaker, label)
        for number, (speaker, label) in enumerate(spoken)
    ]
)


@given(RECORDS, st.integers(2, 60))
def test_every_speaker_and_class_has_its_share(records: list[UtteranceRecord], limit: int) -> None:
    usable = [record for record in records if record.label in LABELS]
    kept = Subset(limit=limit).choose(records, LABELS)
    assert len(kept) == min(limit, len(usable))
    assert [record for record in usable if record in kept] == list(kept)
    share = len(kept) / len(usable) if usable else 0
    for key in (lambda r: r.speaker, lambda r: (r.speaker, r.label)):
        whole, part = Counter(map(key, usable)), Counter(map(key, kept))
        for cell, count in whole.items():
            assert math.floor(count * share) <= part[cell] <= math.ceil(count * share)


@given(RECORDS, st.floats(0.01, 0.99))
def test_the_order_of_the_records_does_not_matter(
    records: list[UtteranceRecord], fraction: float
) -> None:
    subset = Subset(fraction=fraction)
    chosen = {record.id for record in subset.choose(records, LABELS)}
    assert {record.id for record in subset.choose(records[::-1], LABELS)} == chosen


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "give --limit N or --fraction F"),
        ({"limit": 5, "fraction": 0.5}, "not both"),
        ({"limit": 1}, "--limit 1: must be at least 2"),
        ({"fraction": 1.5}, "--fraction 1.5: must be between 0 and 1"),
        ({"fraction": float("nan")}, "must be between 0 and 1"),
    ],
)
def test_a_subset_that_is_none(given: dict[str, float], message: str) -> None:
    with pytest.raises(RegistryError, match=message):
        Subset(**given)  # pyright: ignore[reportArgumentType]


def test_its_name_and_its_option() -> None:
    assert (Subset(limit=100).name, Subset(limit=100).option) == ("limit-100", "--limit 100")
    tenth = Subset.of({"fraction": 0.1})
    assert tenth is not None
    assert (tenth.name, tenth.option, tenth.describe()) == (
        "fraction-0.1", "--fraction 0.1", {"fraction": 0.1},
    )  # fmt: skip
