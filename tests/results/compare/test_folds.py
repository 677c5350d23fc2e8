from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serbench.results.compare.folds import fold_design, fold_groups
from serbench.results.compare.records import FoldDesign


def rows(*pairs: tuple[int, str]) -> pd.DataFrame:
    return pd.DataFrame(pairs, columns=["outer", "speaker"])


@pytest.mark.parametrize(
    ("tested", "groups"),
    [
        (rows((1, "a"), (1, "b"), (2, "c")), {1: 0, 2: 1}),
        (rows((1, "a"), (2, "a"), (3, "b")), {1: 0, 2: 0, 3: 1}),
        (rows((3, "a"), (1, "b"), (2, "a"), (4, "c")), {1: 0, 2: 1, 3: 1, 4: 2}),
        # 1 and 3 have no speaker in common, but each has one with 2.
        (rows((1, "a"), (2, "a"), (2, "b"), (3, "b")), {1: 0, 2: 0, 3: 0}),
        (rows((1, "a"), (2, "b"), (3, "c"), (1, "c"), (2, "z"), (3, "z")), {1: 0, 2: 0, 3: 0}),
    ],
)
def test_folds_with_a_speaker_in_common_are_one(
    tested: pd.DataFrame, groups: dict[int, int]
) -> None:
    assert fold_groups(tested) == groups


@given(st.lists(st.tuples(st.integers(1, 8), st.sampled_from("abcdef")), min_size=1))
def test_groups_are_connected_components(pairs: list[tuple[int, str]]) -> None:
    found = fold_groups(rows(*pairs))
    reach = {outer: {outer} for outer, _ in pairs}
    for _ in pairs:
        for one, speaker in pairs:
            for other, its in pairs:
                if speaker == its:
                    reach[one] |= reach[other]
    for one, its in reach.items():
        assert {other for other in found if found[other] == found[one]} == its
    assert set(found.values()) == set(range(len(set(found.values()))))


def test_the_share_is_averaged_over_folds_and_known_where_sides_are() -> None:
    tested = rows(*[(1, "a")] * 10, *[(2, "b")] * 30)
    groups = {1: 0, 2: 1}
    known = fold_design(tested, groups, {1: 20, 2: 10}, "method")
    assert known == FoldDesign("method", 2, (10 / 20 + 30 / 10) / 2, assumed=False)
    assumed = fold_design(tested, groups, None, "models")
    assert assumed == FoldDesign("models", 2, (10 / 30 + 30 / 10) / 2, assumed=True)


def test_a_single_fold_says_nothing_of_the_method() -> None:
    found = fold_design(rows((1, "a"), (2, "a")), {1: 0, 2: 0}, {1: 5, 2: 5}, "method")
    assert found == FoldDesign("models", 1, 0.0, assumed=False)
