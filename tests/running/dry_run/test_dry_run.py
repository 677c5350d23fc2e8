"""A dry run counts what the run then does, and makes nothing."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tests_support.runs import Watcher, candidate, method, resources, run_plan
from tests_support.tables import write_noise

from serbench.api import TeacherError
from serbench.errors import OutOfTimeError
from serbench.running.dry_run import run as module
from serbench.running.dry_run.run import DryRun, dry_run
from serbench.running.dry_run.sample import recipe_of
from serbench.running.harness.resources import Resources
from serbench.running.harness.run import run
from serbench.running.plan.records import MethodPlan, RunPlan
from serbench_baselines.kd import Distillation, DistillationParams
from serbench_teachers.functionals import Functionals, FunctionalsParams

GRID = [candidate({"training.learning_rate": n}, learning_rate=n / 10) for n in (1, 2, 3)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dry-run") / "noise"
    write_noise(folder, speakers=3, utterances=4)
    return folder


def taught() -> MethodPlan:
    return method("taught", candidate(loss=Distillation(DistillationParams())))


def plans(folder: Path) -> dict[str, RunPlan]:
    singing = run_plan(folder, taught(), canary=4)
    return {
        "plain": run_plan(folder, method("one"), method("same")),
        "grid": run_plan(folder, method("searched", *GRID), search="paper", seeds=2),
        "halving": run_plan(folder, method("searched", *GRID), search="halving:paper"),
        "stopping": run_plan(folder, method("stopped", candidate(early_stopping=True))),
        "canary": replace(singing, canary=run_plan(folder, taught())),
        "leaky": run_plan(folder, method("one"), name="leaky-normaliser"),
    }


def counts(found: DryRun) -> dict[str, tuple[int, int]]:
    return {step.name: (step.todo, step.kept) for step in found.steps}


def files_below(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["plain", "grid", "halving", "stopping", "canary", "leaky"])
def test_what_is_counted_is_what_the_run_then_does(name: str, folder: Path, tmp_path: Path) -> None:
    plan, where = plans(folder)[name], resources(tmp_path)
    before = dry_run(plan, where, Watcher())
    assert not (tmp_path / "runs").exists()
    kinds = {path.split("/")[0] for path in files_below(tmp_path / "cache")}
    assert kinds <= {"audio", "near", "users"}, "nothing of the sample is kept"
    todo = {step: new for step, (new, kept) in counts(before).items() if not kept}
    assert todo.keys() == counts(before).keys(), "nothing is in the cache yet"
    watch = Watcher()
    made = run(plan, where, watch)
    assert (before.folder, before.state) == (made, "new")
    fits = sum(todo.get(step, 0) for step in ("Inner fits", "Refits"))
    assert fits == len(watch.results) if name != "canary" else fits == 3
    assert before.seconds > 0.0
    assert before.at_most == (name in {"halving", "stopping"})
    after = dry_run(plan, where, Watcher())
    assert (after.folder, after.state, after.digest) == (made, "finished", before.digest)
    assert all(new == 0 for new, _ in counts(after).values())
    kept = {step: kept for step, (_, kept) in counts(after).items()}
    shared = {"Refits": 6} if name == "plain" else {}  # two methods of the same fits
    assert kept == todo | shared
    assert (after.sample, after.seconds, after.room) == (0, 0.0, ())


def test_fits_of_a_stopped_run_are_in_the_cache(folder: Path, tmp_path: Path) -> None:
    class Stop(Watcher):
        def fit_done(self, result: object) -> None:
            raise OutOfTimeError

    plan, where = run_plan(folder, method("searched", *GRID), search="paper"), resources(tmp_path)
    with pytest.raises(OutOfTimeError):
        run(plan, where, Stop())
    found = dry_run(plan, where, Watcher())
    assert found.state == "begun"
    assert counts(found) == {"Features": (0, 1), "Inner fits": (17, 1), "Refits": (3, 0)}


def test_the_steps_of_a_canary_and_of_a_teacher(folder: Path, tmp_path: Path) -> None:
    found = dry_run(plans(folder)["canary"], resources(tmp_path), Watcher())
    # The canary: 4 repeats of 3 heads and 3 fits.
    assert counts(found) == {
        "Features": (1, 0), "Teacher embeddings": (1, 0), "Teacher heads": (3, 0),
        "Refits": (3, 0), "Canary": (24, 0),
    }  # fmt: skip


def test_points_of_a_grid_share_a_recipe_where_they_take_equally_long() -> None:
    slow = candidate(batch_size=8)
    assert len({recipe_of(each) for each in GRID}) == 1
    assert recipe_of(slow) != recipe_of(GRID[0])


def test_longer_fits_are_estimated_longer(folder: Path, tmp_path: Path) -> None:
    def seconds(epochs: int) -> float:
        plan = run_plan(folder, method("plain", candidate(epochs=epochs)))
        found = dry_run(plan, resources(tmp_path / str(epochs)), Watcher())
        return next(step.seconds for step in found.steps if step.name == "Refits")

    assert seconds(3_000) > 20 * seconds(3)


def test_room_is_compared_with_the_disk(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = shutil.disk_usage(tmp_path)._replace(free=10)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: full)
    (room,) = dry_run(run_plan(folder), resources(tmp_path), Watcher()).room
    assert room.needed_bytes > 10
    assert not room.enough


def test_all_missing_weights_are_told_at_once(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(self: Functionals) -> str:
        raise TeacherError(f"no weights of {id(self)}")

    monkeypatch.setattr(Functionals, "model_digest", property(absent))
    plan = run_plan(folder, taught())
    plan = replace(plan, teachers={name: Functionals(FunctionalsParams()) for name in "ab"})
    where: Resources = resources(tmp_path)
    with pytest.raises(TeacherError) as told:
        dry_run(plan, where, Watcher())
    assert len(str(told.value).splitlines()) == 2
