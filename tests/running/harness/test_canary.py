from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests_support.runs import Watcher, candidate, method, resources, run_plan
from tests_support.tables import noise_table, write_noise

from serbench.api import LeakageError, RegistryError
from serbench.protocol.guard.certificate import Certificate
from serbench.protocol.guard.view import PartitionView
from serbench.protocol.splits.inner import inner_splits
from serbench.protocol.splits.outer import outer_splits
from serbench.running.harness.nested import Nested
from serbench.running.harness.run import run
from serbench.running.harness.views import Views
from serbench.running.plan.records import RunPlan
from serbench.running.store.run import RunStore
from serbench_baselines.kd import Distillation, DistillationParams


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("canary") / "noise"
    write_noise(folder, speakers=3, utterances=4)
    return folder


def singing(folder: Path, repeats: int = 4) -> RunPlan:
    """A taught method, with a canary of the same training."""
    taught = method("taught", candidate(loss=Distillation(DistillationParams())))
    plan = run_plan(folder, taught, canary=repeats)
    return replace(plan, canary=run_plan(folder, taught))


@pytest.fixture(scope="module")
def sung(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> RunStore:
    return RunStore(run(singing(folder), resources(tmp_path_factory.mktemp("sung")), Watcher()))


def test_a_clean_pipeline_passes_and_the_certificate_says_how(sung: RunStore) -> None:
    content = sung.read_json("certificate")
    content.pop("digest")
    certificate = Certificate.model_validate(content)
    results = {result.method: result for result in certificate.canary}
    assert set(results) == {"taught", "teacher:functionals"}
    for result in results.values():
        assert result.repeats == 4
        assert result.low <= result.ua <= result.high
        assert result.low <= result.chance == 0.5
    check = next(check for check in certificate.checks if check.code == "L10")
    assert check.outcome == "passed"
    assert "in 4 repeats" in check.detail
    assert "chance 50.0 %" in check.detail


def test_the_run_itself_learns_from_true_labels(sung: RunStore) -> None:
    predictions = sung.predictions()
    assert (predictions["label"] == predictions["predicted"]).mean() == 1.0
    assert not (sung.folder / "canary" / "repeat-1" / "models").exists()


def test_true_labels_that_reach_a_fit_by_another_way_stop_the_run(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: soft targets that were made once, with true labels, and are used again."""
    original = Nested.fit_targets

    def stale(self: Nested) -> Any:
        permuted, self.views = self.views, Views(self.inputs.table, self.outer)
        targets = original(self)
        self.views = permuted
        return targets

    monkeypatch.setattr(Nested, "fit_targets", stale)
    watch = Watcher()
    with pytest.raises(LeakageError, match=r"L10: .*permuted labels.*taught"):
        run(singing(folder), resources(tmp_path), watch)
    assert not list((tmp_path / "runs").glob("*/predictions.parquet"))


def test_a_head_that_is_fitted_on_true_labels_stops_the_run(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        Views, "make", lambda self, outer, partition: PartitionView(partition, self.table)
    )
    with pytest.raises(LeakageError, match=r"L10: .*teacher:functionals 100\.0 %"):
        run(singing(folder), resources(tmp_path), Watcher())


def test_permuted_labels_stay_within_each_outer_training_side(tmp_path: Path) -> None:
    table = noise_table(tmp_path / "noise", speakers=4, utterances=4)
    outer = outer_splits(table, "loso", 5)
    true, one, other = (Views(table, outer, number) for number in (None, 1, 2))
    for index, split in enumerate(outer):
        labels = [views.make(index, split.train).labels for views in (true, one, other)]
        assert len({tuple(each) for each in labels}) == 3
        assert len({tuple(np.bincount(each)) for each in labels}) == 1
        inner = inner_splits(table, outer, index, "units")[0]
        whole = dict(zip(split.train.ids, labels[1], strict=True))
        for side in (inner.train, inner.test):
            view = one.make(index, side)
            assert view.labels.tolist() == [whole[i] for i in side.ids]


def test_two_repeats_would_say_nothing(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="at least 3 repeats"):
        run(singing(folder, 2), resources(tmp_path), Watcher())


def test_a_broken_protocol_has_no_canary(folder: Path, tmp_path: Path) -> None:
    plan = singing(folder)
    leaky = plan.protocol.model_copy(update={"name": "leaky-random"})
    with pytest.raises(RegistryError, match="broken on purpose"):
        run(replace(plan, protocol=leaky), resources(tmp_path), Watcher())
