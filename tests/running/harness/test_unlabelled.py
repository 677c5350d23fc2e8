"""A run whose fits hear unlabelled audio: what they are given, and what it says of that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests_support.pretraining import MapStudent, pretrained_plan, write_both
from tests_support.runs import Watcher, candidate, method, resources

from serbench.api import Params, RegistryError
from serbench.learning.fit.task import FitTask
from serbench.running.harness.run import run
from serbench.running.plan.records import Candidate, RunPlan
from serbench.running.store.run import RunStore
from serbench_akd.akd import Akd, AkdParams

LABELS = {"k": 0.0, "alpha": 0.0, "lambda_angle": 0.0, "lambda_hint": 0.0, "beta": "one"}


def hearing(share: float = 0.5) -> Candidate:
    """Labels, and soft targets of unlabelled windows."""
    loss = Akd(AkdParams.model_validate(LABELS | {"unlabelled": share}))
    return candidate(loss=loss, student=MapStudent(Params()))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("unlabelled")
    write_both(root)
    return root


def do(plan: RunPlan, root: Path) -> tuple[RunStore, list[FitTask]]:
    watch = Watcher()
    return RunStore(run(plan, resources(root), watch)), watch.tasks


@pytest.fixture(scope="module")
def done(root: Path) -> tuple[RunStore, list[FitTask]]:
    plan = pretrained_plan(root, method("hears", hearing()), method("deaf", hearing(0.0)))
    return do(plan, root)


def test_fits_get_the_audio_and_what_their_own_heads_say_of_it(
    done: tuple[RunStore, list[FitTask]],
) -> None:
    _, tasks = done
    heard = [task for task in tasks if task.method == "hears"]
    assert len(heard) == 3
    said = []
    for task in heard:
        assert task.initial is None  # it was not pretrained
        assert task.unlabelled is not None
        assert task.unlabelled.ids == tuple(f"unlabelled/r{n}.wav" for n in range(4))
        (teacher,) = task.teachers
        assert teacher.unlabelled is not None
        assert teacher.unlabelled.shape == (4, 2)
        said.append(teacher.unlabelled)
    assert not np.array_equal(said[0], said[1])  # a head for each fold
    for task in (task for task in tasks if task.method == "deaf"):
        assert task.unlabelled is None
        assert [teacher.unlabelled for teacher in task.teachers] == []


def test_history_plan_and_certificate_say_it(done: tuple[RunStore, list[FitTask]]) -> None:
    store, _ = done
    (one, *_) = (fit for fit in store.fits() if fit["fit"].startswith("hears"))
    assert {"task", "unlabelled", "total"} <= set(one["history"][0]["terms"])
    hears, deaf = store.plan()["methods"]
    assert hears["loss_params"]["unlabelled"] == 0.5
    assert not hears["pretrained"]
    assert hears["needs"] == ["soft_targets"]
    assert deaf["needs"] == []
    certificate = store.read_json("certificate")
    assert certificate["audio"] == store.plan()["pretrain_audio"]
    heads = [each for each in certificate["fitted"] if each["what"].startswith("head of")]
    assert {each["utterances"] for each in heads} == {8}  # two of three speakers


def test_other_audio_is_another_fit(
    done: tuple[RunStore, list[FitTask]], root: Path, tmp_path: Path
) -> None:
    _, tasks = done
    write_both(tmp_path)
    other = replace(
        pretrained_plan(root, method("hears", hearing())), pretrain_audio=tmp_path / "speech"
    )
    (tmp_path / "speech" / "r0.wav").unlink()
    _, again = do(other, root)
    assert len(again) == 3
    assert not {task.key for task in again} & {task.key for task in tasks}


def test_without_audio_it_is_refused(root: Path) -> None:
    plan = replace(pretrained_plan(root, method("hears", hearing())), pretrain_audio=None)
    with pytest.raises(RegistryError, match=r"hears: loss.unlabelled is above 0.*--pretrain-audio"):
        run(plan, resources(root), Watcher())
