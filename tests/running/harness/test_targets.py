from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from tests_support.runs import HERE
from tests_support.tables import noise_table

from serbench.api import TeacherCard
from serbench.data.corpus.table import CorpusTable
from serbench.learning.teach.embeddings import TeacherEmbeddings
from serbench.learning.teach.targets import Target
from serbench.protocol.guard.view import PartitionView, id_set_digest
from serbench.protocol.splits.outer import outer_splits
from serbench.running.harness.targets import fit_targets, label_audio
from serbench.settings import HeadSettings


def embeddings(ids: tuple[str, ...], seed: int = 0, digest: str = "corpus") -> TeacherEmbeddings:
    """Random, of one layer and six dimensions."""
    count = len(ids)
    return TeacherEmbeddings(
        name="toy",
        card=TeacherCard("toy", "x", "x", "x"),
        ids=ids,
        stored_pooled=np.random.default_rng(seed).normal(size=(count, 1, 6)).astype(np.float32),
        frames=np.zeros((count, 1, 2), np.float16),
        frame_start=np.arange(count),
        frame_count=np.ones(count, np.int64),
        frame_rate_hz=50.0,
        digest=digest,
    )


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> CorpusTable:
    return noise_table(tmp_path_factory.mktemp("targets") / "noise", speakers=4, utterances=4)


HEAD = HeadSettings(groups=2)
AUDIO = embeddings(tuple(f"unlabelled/{n}" for n in range(5)), seed=1, digest="audio")


def labelled(
    table: CorpusTable, corpus: TeacherEmbeddings, cache: Path
) -> tuple[Target, PartitionView]:
    """What heads of the first fold's training side say of the audio."""
    (split, *_) = outer_splits(table, "loso", 5)
    views = {split.train.name: PartitionView(split.train, table)}
    teachers, classes = {"toy": corpus}, len(table.labels)
    plain = fit_targets(teachers, views, [HEAD], classes, cache, HERE)
    made = label_audio(teachers, {"toy": AUDIO}, views, plain, [HEAD], classes, cache, HERE)
    (target,) = made.values()
    return target, views[split.train.name]


def logits_of(target: Target) -> NDArray[np.float32]:
    assert target.unlabelled is not None
    return target.unlabelled


def test_audio_is_labelled_by_a_head_of_the_whole_training_side(
    table: CorpusTable, tmp_path: Path
) -> None:
    """Against scikit-learn in double precision."""
    corpus = embeddings(table.ids)
    target, view = labelled(table, corpus, tmp_path)
    rows = [table.ids.index(i) for i in view.ids]
    x = corpus.stored_pooled[rows, 0].astype(np.float64)
    mean, scale = x.mean(axis=0), x.std(axis=0)
    # Of two classes it has one vector of weights, which two opposite ones share.
    reference = LogisticRegression(C=2.0 * target.strength, tol=1e-10, max_iter=10_000)
    reference.fit((x - mean) / scale, view.labels)
    expected = reference.predict_proba(
        (AUDIO.stored_pooled[:, 0].astype(np.float64) - mean) / scale
    )
    np.testing.assert_allclose(softmax(logits_of(target), axis=1), expected, atol=2e-5)


def test_no_test_utterance_reaches_what_labels_audio(table: CorpusTable, tmp_path: Path) -> None:
    corpus = embeddings(table.ids)
    target, view = labelled(table, corpus, tmp_path / "one")
    poisoned = corpus.stored_pooled.copy()
    poisoned[[n for n, i in enumerate(table.ids) if i not in view.ids]] = np.nan
    other, _ = labelled(table, replace(corpus, stored_pooled=poisoned), tmp_path / "other")
    np.testing.assert_array_equal(logits_of(target), logits_of(other))
    assert {each.digest for each in view.fitted} == {id_set_digest(view.ids)}
    assert {each.what for each in view.fitted} == {"head of toy"}


def test_labels_of_audio_are_kept_and_only_asked_for(
    table: CorpusTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = embeddings(table.ids)
    first, _ = labelled(table, corpus, tmp_path)
    monkeypatch.setattr("serbench.running.harness.targets._label", None)
    again, _ = labelled(table, corpus, tmp_path)
    np.testing.assert_array_equal(logits_of(first), logits_of(again))
    (split, *_) = outer_splits(table, "loso", 5)
    views = {split.train.name: PartitionView(split.train, table)}
    plain = fit_targets({"toy": corpus}, views, [HEAD], len(table.labels), tmp_path, HERE)
    made = label_audio({"toy": corpus}, {"toy": AUDIO}, views, plain, [], 2, tmp_path, HERE)
    assert [target.unlabelled for target in made.values()] == [None]


def test_a_head_kept_under_other_names_is_noted_under_this_ones(
    table: CorpusTable, tmp_path: Path
) -> None:
    middle = replace(embeddings(table.ids, digest="middle"), name="whisper@3")
    lower = replace(middle, name="whisper@2", digest="lower")
    (split, *_) = outer_splits(table, "loso", 5)
    head = HeadSettings(groups=2)

    def noted(*teachers: TeacherEmbeddings) -> dict[str, list[str]]:
        view = PartitionView(split.train, table)
        named = {each.name: each for each in teachers}
        made = fit_targets(named, {"p": view}, [head], len(table.labels), tmp_path / "cache", HERE)
        return {name: [each.what for each in target.fitted] for (name, *_), target in made.items()}

    together = noted(lower, middle)
    assert together == {name: [f"head of {name}"] for name in ("whisper@2", "whisper@3")}
    assert noted(replace(middle, name="whisper")) == {"whisper": ["head of whisper"]}
