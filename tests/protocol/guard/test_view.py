"""L6: a fit sees its partition and nothing else."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serbench.api import LeakageError, SplitError
from serbench.protocol.guard.view import PartitionView, id_set_digest
from serbench.protocol.splits.records import Partition


def test_a_view_has_its_own_labels_units_and_speakers(toy, session_toy) -> None:
    train = toy.outer()[0].train
    view = PartitionView(train, toy.table)
    assert (view.name, view.role, view.ids, len(view)) == ("outer-1/train", "train", train.ids, 36)
    expected = [toy.table.labels.index(i.split("-")[2]) for i in train.ids]
    np.testing.assert_array_equal(view.labels, expected)
    assert view.labels.dtype == np.int64
    assert view.speakers == view.units == tuple(i.split("-")[0] for i in train.ids)
    sessions = PartitionView(session_toy.outer("loso")[0].train, session_toy.table)
    assert set(sessions.units) == {"session 2", "session 3"}
    assert set(sessions.speakers) == {"s3", "s4", "s5", "s6"}


def test_labels_are_given_in_the_order_asked_for(toy) -> None:
    view = PartitionView(toy.outer()[0].train, toy.table)
    asked = ["s5-a-sadness", "s3-b-anger", "s5-a-sadness"]
    np.testing.assert_array_equal(view.label_of(asked), [2, 0, 2])
    np.testing.assert_array_equal([view.ids[p] for p in view.positions(asked)], asked)
    view.labels[:] = 0
    assert view.label_of(["s5-a-sadness"])[0] == 2, "callers get copies"


@pytest.mark.parametrize("method", ["require", "label_of", "positions", "record"])
def test_l6_foreign_ids_are_refused_and_named(toy, method: str) -> None:
    view = PartitionView(toy.outer()[0].train, toy.table)
    asked = ["s3-a-joy", "s1-a-joy", "ghost"]
    with pytest.raises(LeakageError, match=r"outside outer-1/train: ghost, s1-a-joy$") as caught:
        getattr(view, method)(*(["normaliser", asked] if method == "record" else [asked]))
    assert caught.value.code == "L6"
    assert view.fitted == ()


def test_own_ids_raise_no_alarm(toy) -> None:
    view = PartitionView(toy.outer()[0].train, toy.table)
    view.require(view.ids)
    view.require([])


def test_what_is_fitted_is_recorded(toy) -> None:
    train = toy.outer()[0].train
    view = PartitionView(train, toy.table)
    whole = view.record("normaliser", train.ids)
    part = view.record("head 1 of 5", train.ids[:10])
    assert view.fitted == (whole, part)
    assert (whole.what, whole.partition, whole.utterances) == ("normaliser", "outer-1/train", 36)
    assert whole.digest == id_set_digest(reversed(train.ids))
    assert (part.utterances, part.digest) == (10, id_set_digest(train.ids[:10]))


def test_the_same_view_again_has_notes_of_its_own(toy) -> None:
    train = toy.outer()[0].train
    view = PartitionView(train, toy.table)
    view.record("normaliser", train.ids)
    again = view.again()
    assert again.fitted == ()
    again.record("student of akd", train.ids)
    assert [record.what for record in view.fitted] == ["normaliser"]
    assert [record.what for record in again.fitted] == ["student of akd"]
    assert again.ids is view.ids
    np.testing.assert_array_equal(again.labels, view.labels)


def test_l6_nothing_is_fitted_on_a_validation_side(toy) -> None:
    validation = toy.inner(toy.outer())[0][0].test
    view = PartitionView(validation, toy.table)
    assert len(view.labels) == len(validation.ids), "its labels may be read, to score"
    with pytest.raises(LeakageError, match="L6: normaliser must not be fitted on outer-1/inner-1"):
        view.record("normaliser", validation.ids)


def test_l8_there_is_no_view_of_a_sealed_partition(toy) -> None:
    with pytest.raises(LeakageError, match=r"L8: outer-1/test is sealed: only Seal\.open"):
        PartitionView(toy.outer()[0].test, toy.table)


def test_a_view_of_another_corpus_is_refused(toy) -> None:
    with pytest.raises(SplitError, match="elsewhere has utterances that are not in toy: ghost"):
        PartitionView(Partition("elsewhere", ("ghost",), ()), toy.table)


def test_a_worker_physically_lacks_other_utterances(toy) -> None:
    split = toy.outer()[0]
    view = PartitionView(split.train, toy.table)
    view.record("normaliser", split.train.ids)
    sent = pickle.dumps(view)
    assert all(i.encode() in sent for i in split.train.ids)
    assert not any(i.encode() in sent for i in split.test.ids)
    assert len(sent) < 100 * len(view)
    arrived = pickle.loads(sent)
    assert arrived.ids == view.ids
    assert arrived.fitted == view.fitted
    np.testing.assert_array_equal(arrived.labels, view.labels)
    with pytest.raises(LeakageError, match="L6"):
        arrived.label_of(split.test.ids[:1])


ID_SETS = st.lists(st.text("ab1_", min_size=1, max_size=4))


@given(ID_SETS, ID_SETS)
def test_the_digest_is_that_of_the_set(one: list[str], other: list[str]) -> None:
    assert (id_set_digest(one) == id_set_digest(other)) == (set(one) == set(other))
