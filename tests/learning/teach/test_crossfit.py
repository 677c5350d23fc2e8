from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from serbench.api import CorpusCard, LeakageError, SplitError, TeacherCard, TeacherError
from serbench.data.corpus.table import CorpusTable, Utterance
from serbench.learning.teach.crossfit import cross_fit, cross_heard, unit_groups
from serbench.learning.teach.embeddings import TeacherEmbeddings
from serbench.learning.teach.heads import fit_head
from serbench.protocol.guard.view import PartitionView, id_set_digest
from serbench.protocol.splits.records import Partition, Role
from serbench.settings import HeadSettings

LABELS = ("anger", "joy", "sadness")
SPEAKERS = tuple(f"s{n}" for n in range(1, 7))


def corpus(per_speaker: int = 12) -> CorpusTable:
    card = CorpusCard("t", "en", "x", "x", "x", "synthetic", LABELS)
    utterances = tuple(
        Utterance(
            f"{speaker}-{n:02}",
            Path("x.wav"),
            speaker,
            None,
            LABELS[n % 3],
            None,
            1.0,
            16_000,
            1,
            "",
        )
        for speaker in SPEAKERS
        for n in range(per_speaker)
    )
    return CorpusTable("toy", card, Path(), utterances, "digest")


def embed(table: CorpusTable, signal: float = 1.0, layers: int = 1) -> TeacherEmbeddings:
    """Classes are visible, and each speaker has an offset of their own that is larger."""
    draw = np.random.default_rng(0)
    count = len(table.ids)
    centres = draw.normal(size=(3, layers, 16)) * signal
    voices = dict(zip(SPEAKERS, draw.normal(size=(6, layers, 16)) * 2, strict=True))
    pooled = centres[table.label_index] + draw.normal(size=(count, layers, 16))
    pooled += np.stack([voices[u.speaker] for u in table.utterances])
    return TeacherEmbeddings(
        name="toy-teacher",
        card=TeacherCard("toy", "x", "x", "x"),
        ids=table.ids,
        stored_pooled=pooled.astype(np.float32),
        frames=np.zeros((count, layers, 8), np.float16),
        frame_start=np.arange(count),
        frame_count=np.ones(count, np.int64),
        frame_rate_hz=50.0,
        digest="x",
    )


def view_of(table: CorpusTable, speakers: tuple[str, ...], role: Role = "train") -> PartitionView:
    ids = tuple(u.id for u in table.utterances if u.speaker in speakers)
    return PartitionView(Partition(f"outer-1/{role}", ids, speakers, role), table)


TABLE = corpus()
EMBEDDINGS = embed(TABLE)
TRAIN = SPEAKERS[:5]


def targets(settings: HeadSettings, embeddings: TeacherEmbeddings = EMBEDDINGS):
    view = view_of(TABLE, TRAIN)
    return cross_fit(embeddings.fitting(view, "head"), settings, 3)


def test_logits_come_from_the_head_that_never_heard_the_speaker() -> None:
    soft = targets(HeadSettings(groups=5, strengths=(0.1,)))
    view = view_of(TABLE, TRAIN)
    units = np.array(view.units)
    for speaker in TRAIN:
        out = units == speaker
        train = EMBEDDINGS.fitting(view, "head")
        head = fit_head(train.only(~out), 3, 0.1)
        np.testing.assert_allclose(soft.logits[out], head.predict(train.pooled[out]), atol=1e-4)


def test_own_speaker_has_no_influence() -> None:
    """Scrambling one speaker's labels leaves that speaker's own soft targets untouched."""
    view = view_of(TABLE, TRAIN)
    chosen = HeadSettings(groups=5, strengths=(0.1,))
    train = EMBEDDINGS.fitting(view, "head")
    honest = cross_fit(train, chosen, 3).logits
    scrambled = view.labels
    own = np.array(view.units) == "s2"
    scrambled[own] = (scrambled[own] + 1) % 3
    other = cross_fit(replace(train, labels=scrambled), chosen, 3).logits
    np.testing.assert_array_equal(honest[own], other[own])
    assert np.abs(honest[~own] - other[~own]).max() > 0.01


def test_in_sample_targets_are_more_sure_of_themselves() -> None:
    honest = targets(HeadSettings(strengths=(1.0,)))
    memorised = targets(HeadSettings(strengths=(1.0,), soft_targets="in-sample"))
    view = view_of(TABLE, TRAIN)
    rows = np.arange(len(view))

    def surety(logits: np.ndarray) -> float:
        posterior = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        return float(posterior[rows, view.labels].mean())

    assert surety(memorised.logits) > surety(honest.logits) + 0.02
    train = EMBEDDINGS.fitting(view, "head")
    whole = fit_head(train, 3, 1.0)
    np.testing.assert_allclose(memorised.logits, whole.predict(train.pooled), atol=1e-4)


def test_strength_has_the_best_held_out_likelihood() -> None:
    soft = targets(HeadSettings(strengths=(100.0, 0.0001, 0.01)))
    assert list(soft.log_likelihood) == [0.0001, 0.01, 100.0]
    assert soft.strength == max(soft.log_likelihood, key=soft.log_likelihood.__getitem__)
    alone = targets(HeadSettings(strengths=(soft.strength,)))
    np.testing.assert_allclose(soft.logits, alone.logits, atol=2e-3)


def test_layer_weights_are_reported() -> None:
    soft = targets(HeadSettings(strengths=(0.1,)), embed(TABLE, layers=3))
    assert soft.layer_weights.shape == (3,)
    assert soft.layer_weights.sum() == pytest.approx(1.0)
    assert targets(HeadSettings(strengths=(0.1,))).layer_weights.tolist() == [1.0]


def test_what_was_fitted_is_recorded() -> None:
    view = view_of(TABLE, TRAIN)
    train = EMBEDDINGS.fitting(view, "head of toy-teacher")
    np.testing.assert_array_equal(train.pooled, EMBEDDINGS.pooled_of(view.ids))
    np.testing.assert_array_equal(train.labels, view.labels)
    assert train.units == view.units
    assert [r.what for r in view.fitted] == ["head of toy-teacher"]
    assert {r.digest for r in view.fitted} == {id_set_digest(view.ids)}


def test_nothing_is_fitted_on_a_validation_side() -> None:
    view = view_of(TABLE, TRAIN, "validation")
    with pytest.raises(LeakageError, match="L6"):
        EMBEDDINGS.fitting(view, "head")


def test_the_strength_is_chosen_by_weighted_likelihood() -> None:
    """Weights count in the choice as copies would."""
    train = EMBEDDINGS.fitting(view_of(TABLE, TRAIN), "head")
    copies = np.random.default_rng(0).integers(1, 4, len(train.labels))
    repeated = replace(
        train,
        pooled=np.repeat(train.pooled, copies, axis=0),
        labels=np.repeat(train.labels, copies),
        units=tuple(np.repeat(train.units, copies).tolist()),
    )
    # As many groups as units: how they are dealt does not depend on how many rows each has.
    chosen = HeadSettings(groups=len(set(train.units)), strengths=(0.01, 1.0))
    weighted = replace(train, weights=copies.astype(np.float64))
    one, other = (cross_fit(each, chosen, 3).log_likelihood for each in (weighted, repeated))
    assert one == pytest.approx(other, rel=1e-3)
    plain = cross_fit(train, chosen, 3).log_likelihood
    assert one != pytest.approx(plain, rel=1e-2)


def test_other_speakers_embeddings_are_not_read() -> None:
    """Values outside the partition may be anything, NaN included."""
    poisoned = embed(TABLE)
    outside = np.array([u.speaker not in TRAIN for u in TABLE.utterances])
    poisoned.stored_pooled[outside] = np.nan
    chosen = HeadSettings(strengths=(0.1,))
    np.testing.assert_array_equal(targets(chosen, poisoned).logits, targets(chosen).logits)


def test_single_speaker() -> None:
    view = view_of(TABLE, ("s1",))
    with pytest.raises(SplitError, match="this one has only s1"):
        cross_fit(EMBEDDINGS.fitting(view, "head"), HeadSettings(), 3)


def test_class_of_a_single_group_stays_finite() -> None:
    view = view_of(TABLE, TRAIN)
    labels = view.labels % 2  # class 2 is left to one speaker
    own = np.array(view.units) == "s3"
    labels[own] = 2
    train = replace(EMBEDDINGS.fitting(view, "head"), labels=labels)
    soft = cross_fit(train, HeadSettings(strengths=(0.1,)), 3)
    assert np.isfinite(soft.logits).all()


@settings(max_examples=30, deadline=None)
@given(sizes=st.lists(st.integers(1, 30), min_size=2, max_size=12), groups=st.integers(2, 8))
def test_groups_hold_every_unit_once(sizes: list[int], groups: int) -> None:
    units = [f"s{n}" for n, size in enumerate(sizes) for _ in range(size)]
    dealt = unit_groups(units, groups)
    assert sorted(u for group in dealt for u in group) == sorted(set(units))
    assert len(dealt) == min(groups, len(sizes))
    assert all(dealt)


def test_utterance_without_embedding() -> None:
    with pytest.raises(TeacherError, match="toy-teacher has no embedding of 'nobody'"):
        EMBEDDINGS.pooled_of(["nobody"])


def test_frames_of_one_utterance() -> None:
    assert EMBEDDINGS.frames_of("s1-03").shape == (1, 1, 8)


# ── the same utterances, heard otherwise ─────────────────────────────────────────────────────────


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("kind", ["cross-fit", "in-sample"])
def test_heads_say_of_utterances_what_they_said_when_they_were_cross_fitted(
    kind: str, layers: int
) -> None:
    """Bit for bit: the same heads, so that whole utterances and crops can be compared."""
    chosen = HeadSettings.model_validate({"soft_targets": kind, "groups": 3})
    train = embed(TABLE, layers=layers).fitting(view_of(TABLE, TRAIN), "head")
    given = cross_fit(train, chosen, 3)
    again = cross_heard(train, train, chosen, given.strength, 3)
    np.testing.assert_array_equal(again, given.logits)


def test_crops_are_heard_by_a_head_that_never_heard_the_speaker() -> None:
    """Against scikit-learn in double precision; several crops of each, the first of all first."""
    chosen = HeadSettings(groups=5)
    view = view_of(TABLE, TRAIN)
    draw = np.random.default_rng(3)
    crops = [
        replace(
            EMBEDDINGS,
            stored_pooled=EMBEDDINGS.stored_pooled + draw.normal(size=(72, 1, 16)).astype("f4"),
        )
        for _ in range(2)
    ]
    train = EMBEDDINGS.fitting(view, "head")
    heard = crops[0].fitting(view, "head", crops[1])
    said = softmax(cross_heard(train, heard, chosen, 0.1, 3), axis=1)
    assert said.shape == (2 * 60, 3)
    x, units = train.pooled[:, 0].astype(np.float64), np.array(train.units)
    for speaker in TRAIN:
        others, own = units != speaker, np.flatnonzero(units == speaker)
        mean, scale = x[others].mean(axis=0), x[others].std(axis=0)
        reference = LogisticRegression(C=0.1, tol=1e-10, max_iter=10_000)
        reference.fit((x[others] - mean) / scale, train.labels[others])
        for number, crop in enumerate(crops):
            pooled = crop.pooled_of(view.ids)[own, 0].astype(np.float64)
            expected = reference.predict_proba((pooled - mean) / scale)
            np.testing.assert_allclose(said[60 * number + own], expected, atol=5e-5)
    (one, two) = view.fitted
    assert one == two
    assert one.digest == id_set_digest(view.ids)


def test_only_a_training_side_gives_crops_to_hear() -> None:
    with pytest.raises(LeakageError, match="L6"):
        EMBEDDINGS.fitting(view_of(TABLE, TRAIN, "validation"), "head", EMBEDDINGS)
