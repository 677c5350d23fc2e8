from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests_support.runs import candidate, method, run_plan
from tests_support.tables import write_noise

from serbench.harness.inputs import load_dataset, load_inputs
from serbench.harness.observer import Observer
from serbench.harness.tasks import FitPlace, TaskMaker
from serbench.harness.views import Views
from serbench.splits import outer_splits


def test_names_count_from_one_where_people_count() -> None:
    assert FitPlace("akd", 0, 0, 1, 0).name == "akd/seed-0/outer-1/candidate-2/inner-1"
    assert FitPlace("akd", 3, 4, 1).name == "akd/seed-3/outer-5"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tasks") / "noise"
    write_noise(folder, speakers=3, utterances=2)
    return folder


def keys(folder: Path, device: str = "cpu", epochs: int | None = None, **training: Any) -> str:
    plan = run_plan(folder, method("m", candidate(**training)))
    cache = folder.parent / "cache"
    table = load_dataset(plan.dataset, None, cache, Observer())
    inputs = load_inputs(plan, table, None, cache, "cpu", Observer())
    outer = outer_splits(table, "loso", 5)
    split = outer[0]
    maker = TaskMaker(plan, inputs, Views(table, outer), {}, {}, device)
    return maker.make(FitPlace("m", 0, 0, 0), split, epochs).key


def test_a_fits_address_names_all_that_decides_it(folder: Path) -> None:
    base = keys(folder)
    assert keys(folder) == base
    assert len({base, keys(folder, device="cuda"), keys(folder, epochs=7),
                keys(folder, learning_rate=0.1), keys(folder, clip_norm=None)}) == 5  # fmt: skip
