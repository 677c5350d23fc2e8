"""The deliberately broken protocols do leak, and the certificate says how."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from tests_support.runs import Watcher, candidate, frames_of, method, resources, run_plan
from tests_support.tables import noise_table, write_noise

from serbench.learning.fit.task import FitTask
from serbench.learning.teach.embeddings import TrainingEmbeddings
from serbench.learning.teach.heads import fit_path
from serbench.protocol.guard.certificate import Certificate, LeakCheck
from serbench.protocol.splits.outer import outer_splits
from serbench.running.harness.leaky import (
    best_on_test,
    corpus_normaliser,
    unsealed_labels,
    untouched,
)
from serbench.running.harness.run import run
from serbench.running.store.run import RunStore
from serbench.settings import ProtocolName
from serbench_baselines.kd import Distillation, DistillationParams
from serbench_front_ends.log_mel import LogMel, LogMelParams


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("leaky") / "noise"
    write_noise(folder, speakers=3, utterances=2)
    return folder


def leaky(folder: Path, root: Path, name: str) -> tuple[RunStore, Watcher, Certificate]:
    plan = run_plan(
        folder, method("taught", candidate(loss=Distillation(DistillationParams()))), name=name
    )
    watch = Watcher()
    store = RunStore(run(plan, resources(root), watch))
    content = store.read_json("certificate")
    content.pop("digest")
    return store, watch, Certificate.model_validate(content)


def broken(certificate: Certificate) -> dict[str, LeakCheck]:
    return {c.code: c for c in certificate.checks if c.outcome.startswith("broken on purpose")}


def test_random_folds_put_every_speaker_on_both_sides(folder: Path, tmp_path: Path) -> None:
    store, _, certificate = leaky(folder, tmp_path, "leaky-random")
    assert "leaky-random" in store.folder.name
    assert certificate.leaky
    found = broken(certificate)
    assert list(found) == ["L1"]
    assert found["L1"].detail == "s0, s1, s2"
    per_fold = store.predictions().groupby("outer")["speaker"].nunique()
    assert per_fold.max() > 1


def test_early_stopping_on_the_test_side_is_recorded(folder: Path, tmp_path: Path) -> None:
    store, watch, certificate = leaky(folder, tmp_path, "leaky-early-stopping")
    tasks: list[FitTask] = watch.tasks
    for task in tasks:
        assert task.validation is not None
        assert task.validation.ids == tuple(dict.fromkeys(s.utt_id for s in task.segments))
    found = broken(certificate)
    assert list(found) == ["L6"]
    assert "epoch of student of taught on outer-1/test" in found["L6"].detail
    assert "strength of head of functionals on outer-1/test" in found["L6"].detail
    for fit in store.fits():
        uas = [epoch["validation_ua"] for epoch in fit["history"]]
        assert uas[fit["best_epoch"] - 1] == max(uas)
        assert fit["validation_ua"] is None
    assert store.read_model("taught", 1, 0)


def test_a_normaliser_of_the_whole_corpus_is_recorded(folder: Path, tmp_path: Path) -> None:
    store, _, certificate = leaky(folder, tmp_path, "leaky-normaliser")
    found = broken(certificate)
    assert list(found) == ["L6"]
    assert "normaliser of student of taught on outer-1/train (12 utterances)" in found["L6"].detail
    means = [store.read_model("taught", outer, 0)["normaliser.mean"] for outer in (1, 2, 3)]
    assert torch.equal(means[0], means[1])
    assert torch.equal(means[0], means[2])


def test_a_front_end_that_is_not_normalised_leaks_nothing_and_that_is_said(
    folder: Path, tmp_path: Path
) -> None:
    raw = LogMel(LogMelParams(normalise="none"))
    plan = run_plan(
        folder, method("raw", candidate(front_end=raw)), method("plain"), name="leaky-normaliser"
    )
    (line,) = untouched(plan)
    assert line.startswith("leaky-normaliser has no effect on raw: its front end is not norm")
    store = RunStore(run(plan, resources(tmp_path), Watcher()))
    content = store.read_json("certificate")
    content.pop("digest")
    (check,) = broken(Certificate.model_validate(content)).values()
    assert "normaliser of student of plain on outer-1/train" in check.detail
    assert "of raw" not in check.detail
    searching = run_plan(folder, method("plain"), name="leaky-search")
    assert untouched(searching) == ["leaky-search has no effect on plain: it has nothing to choose"]
    assert untouched(run_plan(folder, method("plain"), name="leaky-random")) == []


def test_random_folds_and_the_epoch_on_the_test_side_are_both_recorded(
    folder: Path, tmp_path: Path
) -> None:
    store, watch, certificate = leaky(folder, tmp_path, "leaky-random-early-stopping")
    found = broken(certificate)
    assert list(found) == ["L1", "L6"]
    assert "epoch of student of taught on outer-1/test" in found["L6"].detail
    assert "strength of head of functionals on outer-1/test" in found["L6"].detail
    assert store.predictions().groupby("outer")["speaker"].nunique().max() > 1
    for task in watch.tasks:
        assert task.validation is not None
        assert set(task.validation.ids) == {s.utt_id for s in task.segments}


def test_a_search_on_the_test_side_takes_what_scores_best_there(
    folder: Path, tmp_path: Path
) -> None:
    rates = (1e-6, 0.05, 0.5)
    grid = [candidate({"training.learning_rate": r}, learning_rate=r) for r in rates]
    plan = run_plan(folder, method("searched", *grid), method("alone"), name="leaky-search")
    watch = Watcher()
    store = RunStore(run(plan, resources(tmp_path), watch))
    trained = {task.name: set(task.train.ids) for task in watch.tasks}
    predictions = store.predictions()
    predictions = predictions[predictions["method"] == "searched"]
    fits = [fit for fit in store.fits() if fit["method"] == "searched"]
    for outer in (1, 2, 3):
        tried = [f for f in fits if f["outer"] == outer and f["inner"] is not None]
        (refit,) = [f for f in fits if f["outer"] == outer and f["inner"] is None]
        assert len(tried) == len(rates)
        best = max(tried, key=lambda fit: fit["validation_ua"])
        assert refit["candidate"] == best["candidate"]
        own = predictions[predictions["outer"] == outer]
        pairs = list(zip(own["label"], own["predicted"], strict=True))
        labels = {label for label, _ in pairs}
        hits = [[p == label for t, p in pairs if t == label] for label in labels]
        ua = sum(sum(each) / len(each) for each in hits) / len(labels)
        assert ua == pytest.approx(best["validation_ua"])
        names = [f"searched/seed-0/outer-{outer}/candidate-{n}/inner-1" for n in (1, 2, 3)]
        for name in names:
            assert trained[name] == set(predictions["utterance"]) - set(own["utterance"])
    content = store.read_json("certificate")
    content.pop("digest")
    (check,) = broken(Certificate.model_validate(content)).values()
    assert check.code == "L6"
    assert "settings of student of searched on outer-1/test" in check.detail
    assert "of alone" not in check.detail


def test_the_broken_ones_and_the_proper_one_share_no_fit(folder: Path, tmp_path: Path) -> None:
    names = get_args(ProtocolName)
    keys: list[set[str]] = []
    for name in names:
        _, watch, _ = leaky(folder, tmp_path, name)
        keys.append({task.key for task in watch.tasks})
    assert sum(map(len, keys)) == len(set.union(*keys)) == 3 * len(names)


def test_the_corpus_normaliser_is_that_of_all_frames(tmp_path: Path) -> None:
    table = noise_table(tmp_path / "noise", speakers=3, utterances=2)
    frames = frames_of(table, tmp_path / "cache")
    made = corpus_normaliser(frames, table)
    values = np.asarray(frames.values, dtype=np.float64)
    np.testing.assert_allclose(made.mean.numpy(), values.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(made.deviation.numpy(), values.std(axis=0), rtol=1e-5)


def test_the_head_that_suits_the_test_side_is_taken() -> None:
    random = np.random.default_rng(3)
    labels = np.repeat([0, 1, 2], 20)
    pooled = (np.eye(3)[labels] + random.normal(0, 0.3, (60, 3)))[:, None].astype(np.float32)
    train = TrainingEmbeddings(pooled, labels, ("s1",) * 60)
    right = fit_path(train, 3, (1.0,))
    wrong = fit_path(replace(train, labels=(labels + 1) % 3), 3, (1.0,))
    assert best_on_test([*wrong, *right], pooled, labels) is right[0]
    assert best_on_test([*right, *wrong], pooled, (labels + 1) % 3) is wrong[0]


def test_unsealed_labels_are_those_of_the_corpus(tmp_path: Path) -> None:
    table = noise_table(tmp_path / "noise", speakers=3, utterances=2)
    split = outer_splits(table, "loso", 5)[1]
    given = unsealed_labels(split, table)
    assert [table.labels[n] for n in given] == [table.by_id[i].label for i in split.test.ids]
    assert split.test.sealed
