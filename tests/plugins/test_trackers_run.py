"""Whole runs by the command line, with trackers and without."""

from __future__ import annotations

import json
import sys
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from serbench.api import EpochEvent, Params, Tracker, hookimpl
from serbench.cli import app
from serbench.running.plugins import load_plugins
from serbench.running.store.run import RunStore
from serbench_corpora.demo import Demo
from serbench_trackers.jsonl import FILE

SETS = (
    "corpus.speakers=4", "corpus.takes=1", "protocol.folds=pairs", "training.epochs=2",
    "training.batch_size=32", "segments.window_s=0.5", "segments.overlap_s=0",
    "student.dim=16", "student.layers=1", "student.heads=2",
)  # fmt: skip
FITS = 2


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "demo"
    folder.mkdir()
    Demo(Demo.Params(speakers=4, takes=1)).build(folder, lambda *_: None)  # pyright: ignore[reportCallIssue]
    return folder


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SERBENCH_CACHE", str(tmp_path / "cache"))


def invoke(made: Path, *arguments: str, method: str = "transformer+ce") -> Result:
    options = [part for text in SETS for part in ("--set", text)]
    data = ("-d", "demo", "-p", "quick", "--data-dir", str(made), "-j1", "--device", "cpu")
    return CliRunner().invoke(app, ["run", method, *data, *options, *arguments])


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / FILE).read_text().splitlines()]


class Explosive(Tracker):
    """Raises on the second epoch."""

    name = "explosive"
    Params = Params
    epochs = 0

    def fit_epoch(self, event: EpochEvent) -> None:
        self.epochs += 1
        if self.epochs == 2:
            raise ConnectionError("the server has gone away")


@pytest.fixture
def explosive(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a stranger's tracker were installed."""
    module = ModuleType("explosive_tracker")
    vars(module)["serbench_trackers"] = hookimpl(lambda: [Explosive])
    monkeypatch.setitem(sys.modules, module.__name__, module)
    point = EntryPoint("explosive", module.__name__, "serbench")
    vars(point)["dist"] = SimpleNamespace(name="stranger", version="2.0")
    loaded = load_plugins([*entry_points(group="serbench"), point])
    monkeypatch.setattr("serbench.benchmark.run.load_plugins", lambda: loaded)


@pytest.mark.usefixtures("explosive")
def test_trackers_change_neither_the_plan_nor_a_fit_nor_a_result(
    made: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folders = {}
    for name, options in (
        ("without", ("--tracker", "none")),
        ("with", ("--tracker", "explosive")),
    ):
        monkeypatch.setenv("SERBENCH_CACHE", str(tmp_path / f"cache-{name}"))
        result = invoke(made, "--out", name, *options)
        assert result.exit_code == 0, result.output
        (folders[name],) = Path(name).iterdir()
    without, with_trackers = folders.values()
    assert without.name == with_trackers.name
    assert not (without / FILE).exists()
    one, other = RunStore(without), RunStore(with_trackers)
    assert one.plan()["digest"] == other.plan()["digest"]
    keys = [[(fit["fit"], fit["key"]) for fit in store.fits()] for store in (one, other)]
    assert keys[0] == keys[1]
    assert len(keys[0]) == FITS
    pd.testing.assert_frame_equal(one.predictions(), other.predictions())
    certificates = [store.read_json("certificate")["digest"] for store in (one, other)]
    assert certificates[0] == certificates[1]
    (warned,) = (part for part in result.stderr.split("WARNING") if "explosive" in part)
    told = " ".join(warned.split())
    assert "tracker explosive (stranger 2.0) failed on fit_epoch and is switched off" in told
    assert "ConnectionError: the server has gone away" in told
    assert "Traceback" not in result.output
    assert lines(with_trackers)[-1]["event"] == "run_finished"


def test_a_run_writes_its_events_and_goes_on_in_the_same_file(made: Path) -> None:
    assert invoke(made).exit_code == 0
    (folder,) = Path("runs").iterdir()
    first = lines(folder)
    assert [line["event"] for line in first] == [
        "run_started", *["fit_epoch", "fit_epoch", "fold_scored"] * FITS, "run_finished",
    ]  # fmt: skip
    scores = {(each["method"], each["metric"]): each for each in first[-1]["scores"]}
    table = pd.read_csv(folder / "tables" / "comparison.csv")
    assert scores["transformer+ce", "ua"]["value"] == pytest.approx(table["ua"].iloc[0], abs=1e-6)
    assert first[-1]["certificate"] == RunStore(folder).read_json("certificate")["digest"]
    with (folder / FILE).open("ab") as stream:
        stream.write(b'{"event": "fit_ep')
    assert invoke(made).exit_code == 0
    second = lines(folder)
    assert second[: len(first)] == first
    assert [line["event"] for line in second[len(first) :]] == [
        "run_started", *["fold_scored"] * FITS, "run_finished",
    ]  # fmt: skip


def test_another_run_has_the_curves_of_fits_that_it_takes_over(made: Path) -> None:
    assert invoke(made, "--tracker", "none").exit_code == 0
    (folder,) = Path("runs").iterdir()
    assert not (folder / FILE).exists()
    assert invoke(made).exit_code == 0
    epochs = [line for line in lines(folder) if line["event"] == "fit_epoch"]
    assert len(epochs) == FITS * 2
    assert {line["cached"] for line in epochs} == {True}


def test_a_tracker_without_its_package_stops_the_run_before_it_begins(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serbench_trackers.packages.importlib.util.find_spec", lambda _: None)
    result = invoke(made, "--tracker", "tensorboard")
    assert result.exit_code == 2
    message = result.stderr.splitlines()[-1]
    assert message.startswith("serbench: tracker tensorboard (serbench ")
    assert result.stderr.endswith(
        "): tensorboard is not installed: pip install 'serbench[tensorboard]'\n"
    )
    assert not Path("runs").exists()


def test_a_run_is_read_back_from_tensorboard(made: Path) -> None:
    accumulators = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="tensorboard is not installed",
    )
    assert invoke(made, "--tracker", "tensorboard").exit_code == 0
    (folder,) = Path("runs").iterdir()
    accumulator = accumulators.EventAccumulator(
        str(folder / "tensorboard" / "transformer+ce" / "seed-0" / "outer-1")
    )
    accumulator.Reload()
    points = accumulator.Scalars("loss/total")
    (fit,) = (fit for fit in RunStore(folder).fits() if fit["fit"].endswith("outer-1"))
    assert [(point.step, point.value) for point in points] == [
        (record["epoch"], pytest.approx(record["terms"]["total"], rel=1e-6))
        for record in fit["history"]
    ]
