from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from serbench.api import CorpusCard, CorpusError, RegistryError, SplitError
from serbench.data.corpus.table import CorpusTable, Utterance
from serbench.learning.segments import Cutting, segment_partition, sliding_windows
from serbench.protocol.guard.checks import check_segments
from serbench.protocol.splits.records import Partition

SECONDS = st.floats(0.1, 40.0, allow_nan=False, allow_infinity=False)


def make_table(durations_s: list[float]) -> CorpusTable:
    utterances = tuple(
        Utterance(
            id=f"u{number}",
            path=Path(f"u{number}.wav"),
            speaker="s1",
            session=None,
            label="joy",
            text=None,
            duration_s=duration_s,
            sample_rate_hz=16_000,
            channels=1,
            pcm_sha256=f"pcm {number}",
        )
        for number, duration_s in enumerate(durations_s)
    )
    card = CorpusCard("toy", "none", "CC0", "", "", "synthetic", labels=("joy",))
    return CorpusTable("toy", card, Path(), utterances, "digest")


@pytest.mark.parametrize(
    ("duration_s", "overlap_s", "expected"),
    [
        (2.0, 0.5, [(0.0, 2.0)]),
        (3.0, 0.5, [(0.0, 3.0)]),
        (5.5, 0.5, [(0.0, 3.0), (2.5, 5.5)]),
        (6.0, 0.0, [(0.0, 3.0), (3.0, 6.0)]),
        (7.0, 0.0, [(0.0, 3.0), (3.0, 6.0), (4.0, 7.0)]),
        (9.0, 0.25, [(0.0, 3.0), (2.75, 5.75), (5.5, 8.5), (6.0, 9.0)]),
    ],
)
def test_windows_by_hand(
    duration_s: float, overlap_s: float, expected: list[tuple[float, float]]
) -> None:
    assert sliding_windows(duration_s, 3.0, overlap_s) == expected


@given(duration_s=SECONDS, window_s=st.floats(0.2, 5.0), share=st.floats(0.0, 0.9))
@hypothesis_settings(max_examples=60, deadline=None)
def test_windows_cover_the_utterance_and_stay_inside(
    duration_s: float, window_s: float, share: float
) -> None:
    overlap_s = share * window_s
    windows = sliding_windows(duration_s, window_s, overlap_s)
    assert windows[0][0] == 0.0
    assert windows[-1][1] == duration_s
    for start_s, end_s in windows:
        assert 0.0 <= start_s < end_s <= duration_s
        assert end_s - start_s == pytest.approx(min(window_s, duration_s), abs=1e-9)
    for (start_s, end_s), (next_s, _) in pairwise(windows):
        assert start_s < next_s <= end_s + 1e-9, "no gap, and each window is a later one"
        assert next_s - start_s <= window_s - overlap_s + 1e-9


def test_rounding_adds_no_window() -> None:
    # 0.1 × 3 is a little more than 0.3 in floating point.
    assert len(sliding_windows(0.1 * 3 + 1.0, 1.0, 0.9)) == 4
    assert len(sliding_windows(1.3, 1.0, 0.9)) == 4


@pytest.mark.parametrize(
    ("window_s", "overlap_s"),
    [(3.0, 3.0), (3.0, 4.0), (3.0, -0.1), (float("nan"), 0.5), (float("inf"), 0.5), (3.0, 2.999)],
)
def test_an_overlap_that_leaves_no_hop_is_refused(window_s: float, overlap_s: float) -> None:
    with pytest.raises(RegistryError, match=r"segments\.overlap_s"):
        sliding_windows(5.0, window_s, overlap_s)


@pytest.mark.parametrize("duration_s", [0.0, -1.0, float("nan"), float("inf")])
def test_a_duration_that_is_none_is_refused(duration_s: float) -> None:
    with pytest.raises(CorpusError, match="cannot be cut"):
        sliding_windows(duration_s, 3.0, 0.5)


def test_segments_inherit_their_utterance_and_partition() -> None:
    table = make_table([2.0, 5.5, 1.0])
    partition = Partition("outer-1/inner-1/validation", ("u1", "u0"), ("s1",), "validation")
    segments = segment_partition(table, partition, Cutting(3.0, 0.5))
    assert [(s.seg_id, s.utt_id, s.t_start_s, s.t_end_s) for s in segments] == [
        ("u1#0", "u1", 0.0, 3.0),
        ("u1#1", "u1", 2.5, 5.5),
        ("u0#0", "u0", 0.0, 2.0),
    ]
    assert {(s.spk_id, s.label, s.partition) for s in segments} == {("s1", "joy", partition.name)}
    check_segments(segments, partition, table)


def test_segments_of_a_sealed_partition_carry_no_label() -> None:
    table = make_table([2.0])
    partition = Partition("outer-1/test", ("u0",), ("s1",), "test")
    segments = segment_partition(table, partition, Cutting(3.0, 0.5))
    assert segments[0].label is None
    check_segments(segments, partition, table)


def test_a_partition_of_another_corpus_is_refused() -> None:
    with pytest.raises(SplitError, match="that are not in toy: ghost"):
        segment_partition(make_table([2.0]), Partition("p", ("ghost",), ()), Cutting(3.0, 0.5))


@pytest.mark.parametrize("how", ["centre", "whole"])
def test_one_window_has_no_overlap_that_could_be_wrong(how: Literal["centre", "whole"]) -> None:
    assert len(Cutting(0.4, 0.5, how).bounds(2.0)) == 1
    with pytest.raises(CorpusError, match="cannot be cut"):
        Cutting(0.4, 0.5, how).bounds(0.0)
