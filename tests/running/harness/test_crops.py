"""A run whose students and teachers hear fixed crops: what its fits are given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests_support.pretraining import MapStudent
from tests_support.runs import HERE, Watcher, candidate, method, resources, run_plan
from tests_support.tables import write_noise

from serbench.api import Loss, Params, RegistryError
from serbench.learning.crops import CropRecipe
from serbench.learning.fit.task import FitTask
from serbench.protocol.guard.view import PartitionView
from serbench.protocol.splits.outer import outer_splits
from serbench.running.harness.inputs import load_dataset, load_inputs
from serbench.running.harness.observer import Observer
from serbench.running.harness.run import run
from serbench.running.harness.targets import fit_targets, hear_crops
from serbench.running.plan.records import Candidate
from serbench.running.store.run import RunStore
from serbench.settings import AugmentSettings
from serbench_akd.akd import Akd, AkdParams
from serbench_baselines.ce import CrossEntropy, CrossEntropyParams
from serbench_front_ends.log_mel import LogMel, LogMelParams


def chosen(crops: int, loss: Loss | None = None) -> Candidate:
    """All that a teacher can give is read."""
    params = {"k": 1.0, "hint_target": "frames", "alpha": 1.0}
    made = candidate(
        loss=loss or Akd(AkdParams.model_validate(params)), student=MapStudent(Params())
    )
    augment = AugmentSettings(time_masks=0, mel_masks=0, gain_db=3.0, crops=crops)
    return replace(made, settings=made.settings.model_copy(update={"augment": augment}))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("crops")
    write_noise(root / "noise", speakers=3, utterances=2)
    return root


@pytest.fixture(scope="module")
def done(root: Path) -> tuple[RunStore, list[FitTask]]:
    labels = chosen(3, CrossEntropy(CrossEntropyParams()))
    plan = run_plan(
        root / "noise", method("crops", chosen(2)), method("whole", chosen(0)), method("ce", labels)
    )
    watch = Watcher()
    return RunStore(run(plan, resources(root), watch)), watch.tasks


def of(tasks: list[FitTask], name: str) -> list[FitTask]:
    return [task for task in tasks if task.method == name]


def test_fits_get_their_crops_and_what_teachers_say_of_them(
    done: tuple[RunStore, list[FitTask]],
) -> None:
    _, tasks = done
    for task, whole in zip(of(tasks, "crops"), of(tasks, "whole"), strict=True):
        assert len(task.crops) == 2
        assert whole.crops == ()
        assert task.features.digest == whole.features.digest  # they are tested on whole utterances
        (teacher,), (other,) = task.teachers, whole.teachers
        count = len(task.train.ids)
        assert teacher.logits is not None
        assert other.logits is not None
        assert teacher.logits.shape == (2 * count, 2)
        assert other.logits.shape == (count, 2)
        assert teacher.pooled is not None
        assert teacher.pooled.pooled.shape[:2] == (2 * count, 1)
        assert teacher.frames is not None
        assert len({f.digest for f in (teacher.frames, *teacher.others, *task.crops)}) == 4
        assert teacher.frames.ids == task.crops[0].ids == task.features.ids
    (labels, *_) = of(tasks, "ce")  # crops without a teacher
    assert len(labels.crops) == 3
    assert labels.teachers == ()


def test_all_that_is_fitted_is_fitted_on_training_sides(
    done: tuple[RunStore, list[FitTask]],
) -> None:
    store, _ = done
    fitted = store.read_json("certificate")["fitted"]
    assert {each["utterances"] for each in fitted} == {8}  # two of three speakers
    assert {
        "student of crops", "hints of functionals", "scale of functionals's embeddings",
        "head of functionals",
    } <= {each["what"] for each in fitted}  # fmt: skip


@pytest.mark.parametrize("changed", ["crops", "gain_db", "speed"])
def test_other_crops_are_another_fit(
    done: tuple[RunStore, list[FitTask]], root: Path, changed: str
) -> None:
    _, tasks = done
    own = chosen(2)
    values: dict[str, Any] = {"crops": 1, "gain_db": 2.0, "speed": 0.1}
    augment = own.settings.augment.model_copy(update={changed: values[changed]})
    other = replace(own, settings=own.settings.model_copy(update={"augment": augment}))
    watch = Watcher()
    run(run_plan(root / "noise", method("crops", other)), resources(root), watch)
    assert len(watch.tasks) == 3
    assert not {task.key for task in watch.tasks} & {task.key for task in tasks}


def test_no_test_utterance_reaches_a_head_or_a_target(root: Path, tmp_path: Path) -> None:
    """Whatever is heard of test utterances, whole or cropped, the logits stay bit for bit."""
    own = chosen(2)
    plan = run_plan(root / "noise", method("crops", own))
    cache, watch = root / "cache", Observer()
    table = load_dataset(plan.dataset, None, cache, watch)
    inputs = load_inputs(plan, table, None, cache, "cpu", watch)
    (split, *_) = outer_splits(table, "loso", 5)
    recipe = own.crops
    assert recipe is not None
    assert recipe == CropRecipe(2, 0.8, 3.0, 0.0)
    tested = [table.ids.index(i) for i in split.test.ids]
    said = []
    for name, value in (("clean", 0.0), ("poisoned", np.nan)):

        def spoilt(each: Any, value: float = value) -> Any:
            pooled = each.pooled_of(each.ids)
            pooled[tested] += value
            return replace(each, stored_pooled=pooled, pooled_row=None)

        views = {split.train.name: PartitionView(split.train, table)}
        teachers = {n: spoilt(each) for n, each in inputs.embeddings.items()}
        heard = inputs.crops[recipe].embeddings
        crops = {recipe: {n: tuple(map(spoilt, each)) for n, each in heard.items()}}
        head, where = own.settings.head, tmp_path / name
        plain = fit_targets(teachers, views, [head], 2, where, HERE)
        made = hear_crops(teachers, crops, views, plain, [(head, recipe)], 2, where, HERE)
        (target,) = made.values()
        said.append(target.crops[recipe])
    assert np.isfinite(said[1]).all()
    np.testing.assert_array_equal(said[0], said[1])


class Rows(LogMel):
    """One row of values for a whole utterance."""

    @property
    def framing(self) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        return None


def test_what_hears_whole_utterances_has_no_crops() -> None:
    loss = CrossEntropy(CrossEntropyParams())
    with pytest.raises(RegistryError, match=r"augment\.crops = 2: front end log-mel gives one row"):
        replace(chosen(2, loss), front_end=Rows(LogMelParams()))
