"""A run with everything that a page can show, the same with hostile names, and their pages."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests_support.pages import HOSTILE, write_history, write_study
from tests_support.readings_maker import make_run_with_readings

from serbench.results.pages.report import report_page
from serbench.results.record import stored_studies
from serbench.results.report.results import Results, load_results
from serbench.running.store.run import RunStore


@pytest.fixture(scope="session")
def full_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with several methods and seeds, two teachers, histories, and a study."""
    folder = tmp_path_factory.mktemp("html") / "full"
    make_run_with_readings(folder, ("akd", "kd", "plain"), teachers=2, epochs=4, seeds=2)
    write_history(folder)
    write_study(folder)
    return folder


@pytest.fixture(scope="session")
def results(full_run: Path) -> Results:
    return load_results([full_run])


@pytest.fixture(scope="session")
def full_page(results: Results) -> str:
    return report_page(results, stored_studies(results.runs[0]))


@pytest.fixture(scope="session")
def hostile_run(full_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run, whose method, class, speaker and command are called as an attacker would."""
    folder = tmp_path_factory.mktemp("html") / "hostile"
    shutil.copytree(full_run, folder)
    names = {"kd": HOSTILE["method"], "neutral": HOSTILE["label"], "03": HOSTILE["speaker"]}
    store = RunStore(folder)
    columns = {"p_neutral": f"p_{HOSTILE['label']}"}
    rows = store.predictions().replace(names).rename(columns=columns)
    plan = store.plan()
    plan["dataset"]["labels"] = [names.get(each, each) for each in plan["dataset"]["labels"]]
    plan["methods"][1]["name"] = HOSTILE["method"]
    plan["command"] = HOSTILE["command"]
    (folder / "plan.json").write_text(json.dumps(plan))
    rows.to_parquet(folder / "predictions.parquet")
    for path in (folder / "fits").glob("*.json"):
        fit = json.loads(path.read_text())
        fit["method"] = names.get(fit["method"], fit["method"])
        path.write_text(json.dumps(fit))
    shutil.rmtree(folder / "readings")
    return folder


@pytest.fixture(scope="session")
def hostile_page(hostile_run: Path) -> str:
    return report_page(load_results([hostile_run]))


@pytest.fixture
def copy(full_run: Path, tmp_path: Path) -> Callable[[], Path]:
    """Makes a copy of the run that a test may change."""
    return lambda: Path(shutil.copytree(full_run, tmp_path / "copy"))
