"""L1, L2, L3, L4, L6 (nesting) and L9: each leak is planted once, and clean data raise no alarm."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from serbench.api import LeakageError
from serbench.learning.segments import Cutting, segment_partition
from serbench.protocol.guard.checks import (
    check_coverage,
    check_duplicates,
    check_nested,
    check_segments,
    check_split,
    text_overlap,
)
from serbench.protocol.splits.records import Partition, Split


def caught(code: str, match: str):
    """Expect a leak by its code."""
    return pytest.raises(LeakageError, match=rf"^leakage {code}: .*{match}")


def moved(split: Split, ids: tuple[str, ...], units: tuple[str, ...] = ()) -> Split:
    """The split with utterances moved from its test side to its training side."""
    train = replace(
        split.train,
        ids=tuple(sorted((*split.train.ids, *ids))),
        units=tuple(sorted({*split.train.units, *units})),
    )
    test = replace(split.test, ids=tuple(i for i in split.test.ids if i not in ids))
    return replace(split, train=train, test=test)


def test_clean_folds_raise_no_alarm(toy, session_toy) -> None:
    for corpus, folds in ((toy, "pairs"), (toy, "loso"), (session_toy, "loso")):
        outer = corpus.outer(folds)
        check_coverage(outer, corpus.table)
        check_coverage(outer)
        for top, below in zip(outer, corpus.inner(outer), strict=True):
            for split in (top, *below):
                check_split(split, corpus.table)
                check_duplicates(split, corpus.table)
            for split in below:
                check_nested(split, top)


def test_l1_a_speaker_on_both_sides(toy) -> None:
    leaky = moved(toy.outer()[0], ("s2-a-joy",), ("s2",))
    with caught("L1", "speakers on both sides of outer-1: s2$"):
        check_split(leaky, toy.table)


@given(st.data())
@hypothesis_settings(max_examples=20, deadline=None)
def test_l1_whichever_utterance_is_moved(toy, data: st.DataObject) -> None:
    split = data.draw(st.sampled_from(toy.outer()))
    stolen = data.draw(st.sampled_from(split.test.ids))
    speaker = stolen.split("-")[0]
    with caught("L1", speaker):
        check_split(moved(split, (stolen,), (speaker,)), toy.table)


def test_l1_declared_units_are_not_believed(toy) -> None:
    leaky = moved(toy.outer()[0], ("s2-a-joy",))  # the units still name clean sides
    with caught("L1", "both sides of outer-1: s2"):
        check_split(leaky, toy.table)
    split = toy.outer()[0]
    lying = replace(split, train=replace(split.train, units=("s3",)))
    with caught("L1", "outer-1/train are not those of its utterances: s4, s5, s6"):
        check_split(lying, toy.table)


def test_l1_a_session_on_both_sides(session_toy) -> None:
    split = session_toy.outer("loso")[0]
    everything_of_s2 = tuple(i for i in split.test.ids if i.startswith("s2"))
    with caught("L1", "sessions on both sides of outer-1: session 1"):
        check_split(moved(split, everything_of_s2, ("session 1",)), session_toy.table)


def test_l1_a_speaker_of_two_sessions_on_both_sides(session_toy) -> None:
    table = session_toy.changed("s3-a-joy", speaker="s1")
    with caught("L1", "speakers on both sides of outer-1: s1"):
        check_split(session_toy.outer("loso")[0], table)


def test_l1_in_an_inner_fold(toy) -> None:
    inner = toy.inner(toy.outer())[1][0]
    with caught("L1", "both sides of outer-2/inner-1: s1"):
        check_split(moved(inner, ("s1-a-joy",), ("s1",)), toy.table)


def test_l2_an_utterance_on_both_sides(toy) -> None:
    split = toy.outer()[1]
    leaky = replace(split, train=replace(split.train, ids=(*split.train.ids, "s3-b-anger")))
    with caught("L2", "utterances on both sides of outer-2: s3-b-anger$"):
        check_split(leaky, toy.table)


def test_l2_an_utterance_twice_on_one_side(toy) -> None:
    split = toy.outer()[1]
    leaky = replace(split, test=replace(split.test, ids=(*split.test.ids, "s3-b-anger")))
    with caught("L2", "occur in outer-2/test more than once: s3-b-anger"):
        check_split(leaky, toy.table)


def test_l2_an_utterance_of_another_corpus(toy) -> None:
    split = toy.outer()[1]
    leaky = replace(split, train=replace(split.train, ids=(*split.train.ids, "stranger")))
    with caught("L2", "outer-2/train that are not in toy: stranger"):
        check_split(leaky, toy.table)


def test_l2_an_utterance_tested_twice(toy) -> None:
    outer = toy.outer()
    again = replace(outer[2], test=replace(outer[2].test, ids=(*outer[2].test.ids, "s1-a-joy")))
    with caught("L2", "tested more than once in the outer folds: s1-a-joy"):
        check_coverage((*outer[:2], again), toy.table)


def test_l2_an_utterance_never_tested(toy) -> None:
    outer = toy.outer()
    fewer = replace(outer[0], test=replace(outer[0].test, ids=outer[0].test.ids[1:]))
    with caught("L2", "in no outer fold: s1-a-anger"):
        check_coverage((fewer, *outer[1:]))


def test_l2_an_utterance_that_no_fold_knows(toy) -> None:
    gone = "s1-a-anger"
    outer = [
        Split(
            split.name,
            *(
                replace(side, ids=tuple(i for i in side.ids if i != gone))
                for side in (split.train, split.test)
            ),
        )
        for split in toy.outer()
    ]
    with caught("L2", "in no outer fold: s1-a-anger"):
        check_coverage(outer, toy.table)


def test_l3_clean_segments_raise_no_alarm(toy) -> None:
    for side in (toy.outer()[0].train, toy.outer()[0].test):
        segments = segment_partition(toy.table, side, Cutting(1.5, 0.5))
        assert len(segments) == 4 * len(side.ids)
        check_segments(segments, side, toy.table)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"utt_id": "s1-a-joy"}, "segments of utterances that are not in outer-1/train"),
        ({"partition": "outer-2/train"}, "segments of utterances that are not in outer-1/train"),
        ({"spk_id": "s4"}, "a speaker that is not their utterance's"),
        ({"label": "joy"}, "a label that is not their utterance's"),
        ({"t_end_s": 4.01}, "reach beyond their utterance"),
        ({"t_start_s": -0.01}, "reach beyond their utterance"),
        ({"t_start_s": 3.0}, "reach beyond their utterance"),
        ({"t_end_s": float("nan")}, "reach beyond their utterance"),
    ],
)
def test_l3_one_segment_gone_astray(toy, change: dict[str, object], match: str) -> None:
    train = toy.outer()[0].train
    first, *others = segment_partition(toy.table, train, Cutting(1.5, 0.5))
    assert first.utt_id == "s3-a-anger"
    leaky = [*others, replace(first, **change)]  # pyright: ignore[reportArgumentType]
    with caught("L3", rf"{match}.*: s3-a-anger#0$"):
        check_segments(leaky, train, toy.table)


def test_l3_segments_cut_before_the_utterances_were_partitioned(toy) -> None:
    """The classic mistake: cut everything, then deal the segments."""
    whole = Partition("outer-1/train", toy.table.ids, toy.table.units)
    dealt = segment_partition(toy.table, whole, Cutting(1.5, 0.5))[::2]
    with caught(
        "L3", r"segments of utterances that are not in outer-1/train: .*s1-a-anger#0.* more$"
    ):
        check_segments(dealt, toy.outer()[0].train, toy.table)


def test_l8_a_sealed_segment_must_not_carry_its_label(toy) -> None:
    test = toy.outer()[0].test
    first, *others = segment_partition(toy.table, test, Cutting(1.5, 0.5))
    leaky = [replace(first, label="anger"), *others]
    with caught("L8", "segments of the sealed outer-1/test that carry a label: s1-a-anger#0"):
        check_segments(leaky, test, toy.table)


def test_l4_the_same_audio_on_both_sides(toy) -> None:
    table = toy.changed("s3-a-joy", pcm_sha256="pcm of s1-b-joy")
    with caught("L4", "same audio on both sides of outer-1: s3-a-joy = s1-b-joy. To keep only"):
        check_duplicates(toy.outer()[0], table)
    check_duplicates(toy.outer()[2], table)


def test_l4_a_copy_on_one_side_is_no_leak(toy) -> None:
    table = toy.changed("s1-a-joy", pcm_sha256="pcm of s1-b-joy")
    for split in toy.outer():
        check_duplicates(split, table)


def test_l6_an_inner_fold_that_reaches_into_the_outer_test_side(toy) -> None:
    outer = toy.outer()
    inner = toy.inner(outer)[0][0]
    leaky = replace(inner, test=replace(inner.test, ids=(*inner.test.ids, "s1-a-joy")))
    with caught("L6", "outer-1/inner-1 is not inside the training side of outer-1: s1-a-joy"):
        check_nested(leaky, outer[0])
    with caught("L6", "outer-1/inner-1 is not inside the training side of outer-2"):
        check_nested(inner, outer[1])


def test_l9_is_measured(toy) -> None:
    overlap = text_overlap(toy.outer()[0], toy.table)
    assert overlap is not None
    assert (overlap.heard, overlap.tested) == (18, 18)
    assert overlap.shared == ("a", "b", "c")


def test_l9_counts_only_sentences_heard_in_training(toy) -> None:
    table = toy.changed("s1-a-joy", text="never read by another")
    table = replace(
        table,
        utterances=tuple(
            replace(u, text=None) if u.id == "s2-b-joy" else u for u in table.utterances
        ),
    )
    overlap = text_overlap(toy.outer()[0], table)
    assert overlap is not None
    assert (overlap.heard, overlap.tested) == (16, 17)


def test_l9_needs_known_sentences(toy) -> None:
    table = replace(
        toy.table, utterances=tuple(replace(u, text=None) for u in toy.table.utterances)
    )
    assert text_overlap(toy.outer()[0], table) is None
