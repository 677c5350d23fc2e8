from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests_support.damage import turn_a_bit
from tests_support.fake_backend import FakeParams

from serbench.api import PluginError, SerbenchError, StoreError
from serbench.studies.deploy.accuracy import compare_backends
from serbench.studies.deploy.backends import choose_backends
from serbench.studies.deploy.models import FoldModel, convert_folds, export_folds
from serbench.studies.deploy.results import ResultRow


def row(deployed: Any, name: str) -> ResultRow:
    return next(each for each in deployed.study.results.rows if each.name == name)


@pytest.mark.parametrize(
    ("name", "outcome", "reason"),
    [
        ("wrong", "failed", "posteriors of 2 classes that sum to 1 are expected"),
        ("refuses", "failed", "conversion: cannot express a mean"),
        ("crashes", "failed", "conversion: crashed with SIGSEGV"),
        ("falls-back", "failed", "test folds: it would run on the CPU instead"),
        ("crashes-later", "failed", "measurement: crashed with SIGABRT"),
        ("missing", "unavailable", "there is none here"),
    ],
)
def test_what_cannot_be_measured_says_why_in_its_row(
    deployed: Any, name: str, outcome: str, reason: str
) -> None:
    found = row(deployed, name)
    assert (found.outcome, found.rounds) == (outcome, [])
    assert reason in (found.reason or "")


@pytest.mark.parametrize("name", ["torch", "flat", "turned"])
def test_what_can_be_measured_has_every_number(deployed: Any, name: str) -> None:
    found = row(deployed, name)
    assert (found.outcome, found.reason, len(found.rounds)) == ("measured", None, 1)
    assert found.size_bytes
    for each in found.rounds:
        assert {key: len(calls) for key, calls in each.latency_s.items()} == {"0.5": 3, "1": 3}
        assert {key: len(calls) for key, calls in each.batch_s.items()} == {"2": 3}
        assert each.stages_s["open"] > 0
        assert each.peak_bytes is None or each.peak_bytes >= (each.idle_bytes or 0)


def test_a_backend_is_held_against_the_reference(deployed: Any) -> None:
    flat, turned = row(deployed, "flat").accuracy, row(deployed, "turned").accuracy
    assert flat
    assert turned
    assert (flat.changed, flat.verdict) == (0, "same classes")
    assert 0 < flat.posterior_difference <= 0.1
    assert turned.changed == deployed.study.utterances
    reference = row(deployed, "torch").accuracy
    assert reference
    assert (reference.delta_ua, reference.verdict) == (None, "reference")
    # With two classes, whoever is wrong where the other is right has the other's error as UA.
    assert turned.ua == pytest.approx(1 - reference.ua)
    assert turned.delta_ua == pytest.approx(turned.ua - reference.ua)


def test_scores_are_those_of_numpy(deployed: Any) -> None:
    replay, students = deployed.replay, deployed.replay.fold_students()
    models = export_folds(replay, students)
    rng = np.random.default_rng(0)
    tests = [replay.folds.outer[model.student.outer - 1].test.ids for model in models]
    said = {
        name: [rng.dirichlet([1, 1], len(ids)).astype(np.float32) for ids in tests]
        for name in ("torch", "other")
    }
    found = compare_backends(replay, models, said)
    truth = np.concatenate([replay.labels_of(ids) for ids in tests])
    uas = {}
    for name, folds in said.items():
        guess = np.concatenate(folds).argmax(axis=1)
        uas[name] = np.mean([(guess[truth == c] == c).mean() for c in (0, 1)])
        assert found[name].ua.value == pytest.approx(uas[name])
    one, other = (np.concatenate(said[name]).astype(np.float64) for name in ("torch", "other"))
    difference = found["other"].difference
    assert difference
    assert difference.value == pytest.approx(uas["other"] - uas["torch"])
    assert difference.low <= difference.value <= difference.high
    assert found["other"].gap == pytest.approx(np.abs(one - other).max())
    assert found["other"].changed == (one.argmax(1) != other.argmax(1)).sum()


def test_the_reference_predicts_what_the_run_has_kept(deployed: Any) -> None:
    assert deployed.study.kept_gap < 1e-4


def test_a_second_command_converts_and_scores_nothing_again(deployed: Any) -> None:
    before = deployed.calls.read_text().splitlines()
    # Two folds converted and scored, and one round.
    assert before == ["convert"] * 2 + ["open"] * 3
    again = deployed.measure("flat")
    assert deployed.calls.read_text().splitlines() == before
    first = row(deployed, "flat")
    (_, flat) = again.results.rows
    assert (flat.accuracy, flat.size_bytes) == (first.accuracy, first.size_bytes)
    assert flat.rounds == []


def test_nothing_half_made_is_left(deployed: Any) -> None:
    cache = deployed.root / "cache" / "deploy"
    assert not list(cache.rglob("*.tmp"))
    assert len([path for path in (cache / "models").iterdir() if path.is_dir()]) == 2


def test_damaged_models_are_made_anew_and_said(
    deployed: Any, caplog: pytest.LogCaptureFixture
) -> None:
    (torch,) = choose_backends(deployed.registry, ["torch"])

    def graphs() -> list[Path]:
        models = export_folds(deployed.replay, deployed.replay.fold_students()[:1])
        (converted,) = convert_folds(torch, models, deployed.root / "cache")
        return [models[0].deployed.onnx, *converted.files]

    made = graphs()
    before = [path.read_bytes() for path in made]
    for path in made:
        turn_a_bit(path)
    assert [path.read_bytes() for path in graphs()] == before
    for path in made:
        assert f"{path.parent} is damaged" in caplog.text


def test_other_weights_are_another_model(deployed: Any) -> None:
    one, other = export_folds(deployed.replay, deployed.replay.fold_students("plain", [0]))
    assert isinstance(one, FoldModel)
    assert one.address != other.address
    assert one.deployed.folder != other.deployed.folder


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"method": "akd"}, "has no student of akd; its methods: plain"),
        ({"seed": 7}, "has no seed 7; its seeds: 0"),
        ({"import_": (Path("absent.json"),)}, "cannot read absent.json"),
    ],
)
def test_what_the_run_does_not_have_is_named(
    deployed: Any, params: dict[str, Any], message: str
) -> None:
    with pytest.raises(StoreError, match=message):
        deployed.measure("torch", **params)


def test_more_threads_than_cores_are_refused(deployed: Any) -> None:
    with pytest.raises(SerbenchError, match="more threads than cores"):
        deployed.measure("torch", threads=1 + (os.cpu_count() or 1))


def test_a_reference_that_fails_ends_everything(
    deployed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(deployed.registry.backends, "torch", FakeParams(mode="refuses"))
    with pytest.raises(PluginError, match="the reference torch: conversion: cannot express"):
        deployed.measure("flat")


def test_a_reference_of_other_posteriors_is_refused(
    deployed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(deployed.registry.backends, "torch", FakeParams(mode="turned"))
    with pytest.raises(StoreError, match="does not predict what the run has stored"):
        deployed.measure()
