from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console
from tests_support.deployments import QUICK

from serbench.results.figure.figure import Scatter
from serbench.results.figure.png import png
from serbench.running.harness.observer import Observer
from serbench.studies.conduct import conduct
from serbench.studies.deploy.figure import deploy_figure
from serbench.studies.deploy.measure import Deployment
from serbench.studies.deploy.params import DeployParams
from serbench.studies.deploy.results import DeployResults, Machine
from serbench.studies.deploy.show import show_deployment
from serbench.studies.deploy.study import DeployStudy
from serbench.studies.deploy.tables import deploy_tables, paper_table
from serbench.studies.deploy.timing import summarize
from serbench.studies.opened import Opened


@pytest.fixture
def study(deployed: Any) -> Deployment:
    return deployed.study


@pytest.fixture
def elsewhere(study: Deployment) -> DeployResults:
    """The same on another device, which has no corpus and no torch."""
    rows = [
        row.model_copy(update={"accuracy": None, "probe_difference": 2e-6, "device": "cpu"})
        for row in study.results.rows
        if row.name in {"flat", "turned"}
    ]
    machine = study.results.machine.model_copy(update={"name": "Jetson"})
    return study.results.model_copy(update={"rows": rows, "machine": machine, "reference": "flat"})


def cells(study: Deployment, name: str) -> dict[str, tuple[str, ...]]:
    table = next(each for each in deploy_tables(study) if each.name == name)
    rows = [tuple(cell.whole for cell in row) for row in table.rows]
    return {row[0]: row for row in rows}


def test_every_backend_has_a_row_and_gpus_their_own_heading(study: Deployment) -> None:
    table = deploy_tables(study)[0]
    assert [section.heading for section in table.sections] == ["", "GPU"]
    cpu, gpu = ([row[0].text for row in section.rows] for section in table.sections)
    assert gpu == ["turned", "missing-gpu"]
    assert cpu == [
        "torch", "flat", "wrong", "refuses", "crashes", "falls-back", "crashes-later", "missing",
    ]  # fmt: skip
    found = cells(study, "deployment")
    place = table.columns.index
    assert found["turned"][place("FPS CPU")] == "–"
    assert float(found["turned"][place("FPS GPU")]) > 0
    assert found["missing-gpu"][2] == "unavailable"
    assert found["crashes"][2] == "failed"


def test_reasons_stand_in_a_table_of_their_own(study: Deployment) -> None:
    found = cells(study, "unmeasured")
    assert found["missing-gpu"][2:] == ("cuda", "unavailable: there is none here")
    assert found["refuses"][3] == "failed: conversion: cannot express a mean"
    assert "torch" not in found


def test_a_study_in_which_all_went_well_has_no_such_table(study: Deployment) -> None:
    rows = [row for row in study.results.rows if row.outcome == "measured"]
    well = replace(study, results=study.results.model_copy(update={"rows": rows}))
    assert "unmeasured" not in [table.name for table in deploy_tables(well)]


def test_tables_fit_a_terminal(study: Deployment) -> None:
    for table in deploy_tables(study)[:-1]:
        rows = [table.columns, *([cell.whole for cell in row] for row in table.rows)]
        width = sum(max(len(row[n]) for row in rows) + 2 for n in range(len(table.columns)))
        assert width <= 120, table.name


def test_another_device_has_its_own_rows_and_reference(
    study: Deployment, elsewhere: DeployResults
) -> None:
    both = replace(study, imported=(elsewhere,))
    heading = "Jetson: ratios to flat there"
    deployment, accuracy = deploy_tables(both)[:2]
    assert deployment.columns[2] == "Ratio"
    (section,) = [each for each in deployment.sections if each.heading == heading]
    assert [row[0].text for row in section.rows] == ["flat", "turned"]
    assert section.rows[0][2].whole == "1.00 [1.00, 1.00]"
    (probed,) = [each for each in accuracy.sections if each.heading.startswith("Jetson")]
    assert [cell.text for cell in probed.rows[0]] == [
        "flat", "flattened", "–", "–", "–", "–", "2.0e-06"
    ]  # fmt: skip
    data = pd.DataFrame(deployment.records)
    assert set(data["machine"]) == {study.results.machine.name, "Jetson"}
    assert set(data.loc[data["machine"] == "Jetson", "reference"]) == {"flat"}


def test_without_rounds_times_are_left_open(study: Deployment) -> None:
    rows = [row.model_copy(update={"rounds": []}) for row in study.results.rows]
    settings = study.results.settings.model_copy(update={"rounds": 0})
    bare = replace(
        study, results=study.results.model_copy(update={"rows": rows, "settings": settings})
    )
    names = [table.name for table in deploy_tables(bare)]
    assert names == ["deployment", "accuracy", "unmeasured"]
    assert cells(bare, "deployment")["torch"][2] == "–"
    assert [panel.heading for panel in deploy_figure(bare.results).panels] == ["UA against size"]


class Measured(DeployStudy):
    """As the study, with what was measured before."""

    def __init__(self, found: Deployment) -> None:
        self.found = found

    def measure(self, opened: Opened, params: DeployParams) -> Deployment:
        return self.found


@contextmanager
def silent(_: object) -> Iterator[Observer]:
    yield Observer()


def test_files_hold_the_tables_the_numbers_and_the_digest(
    deployed: Any, study: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERBENCH_CACHE", str(tmp_path / "cache"))
    opened = Opened((deployed.root / "run",))
    folder, console = tmp_path / "out", Console(file=io.StringIO())
    conduct(Measured(study), DeployParams(), opened, folder, console, silent)
    page = folder / "deploy.md"
    assert {path.name for path in folder.iterdir()} == {
        *(f"deploy.{suffix}" for suffix in ("md", "csv", "tex", "html", "png")),
        "results.json", "study.json",
    }  # fmt: skip
    text = page.read_text()
    assert study.certificate.digest in text
    assert "Post hoc" in text
    assert "only for the machine described here" in text
    assert text.index("Claimed in the paper") > text.index("Throughput, start and memory")
    assert (folder / "deploy.tex").read_text().count(r"\begin{table*}") == 5
    assert (folder / "deploy.html").read_text().count("<table ") == 5
    data = pd.read_csv(folder / "deploy.csv").set_index("backend")
    own = next(row for row in study.results.rows if row.name == "flat")
    speed = summarize(own.rounds, study.results.rows[0].rounds, QUICK)
    assert speed
    assert data.loc["flat", "fps"] == pytest.approx(speed.fps)
    assert data.loc["flat", "latency_0.5s_p90_s"] == pytest.approx(speed.latency[0.5].p90_s)
    assert data.loc["flat", "size_bytes"] == own.size_bytes
    assert data.loc["flat", "macs"] * 2 == data.loc["flat", "flops"]
    raw = json.loads((folder / "results.json").read_text())
    assert raw["rows"][1]["rounds"][0]["latency_s"]["1"] == own.rounds[0].latency_s["1"]


def test_a_backend_that_fails_is_an_error_where_it_was_named(study: Deployment) -> None:
    assert show_deployment(study, ()).failure == ""
    assert "refuses: conversion: cannot express" in show_deployment(study, ("refuses",)).failure


def test_the_machine_is_described_below_the_table(study: Deployment) -> None:
    here = study.results.machine
    assert isinstance(here, Machine)
    (line,) = [each for each in deploy_tables(study)[0].notes if each.startswith(here.name)]
    for part in (here.system, here.python, "onnxruntime", "load average", "pinned", here.date):
        assert part in line


@pytest.mark.usefixtures("figure_files")
def test_points_are_those_with_a_score_and_times(study: Deployment) -> None:
    latency, size = (panel.plot for panel in deploy_figure(study.results).panels)
    assert isinstance(latency, Scatter)
    assert isinstance(size, Scatter)
    assert {each.name.split()[0] for each in latency.points} == {"torch", "flat", "turned"}
    assert [each.name for each in latency.points if each.name.startswith("turned")] == [
        "turned (turned, GPU)"
    ]
    assert {each.label for each in size.points} >= {"1", "2", "3"}
    assert png(deploy_figure(study.results)).startswith(b"\x89PNG")


def test_what_the_paper_claims_is_marked_as_not_measured() -> None:
    table = paper_table()
    assert "not measured here" in table.caption
    (section,) = table.sections
    assert len(section.rows) == 7
    assert [cell.text for cell in section.rows[0]] == [
        "Keras FP32", "80.0", "25.5", "15.50", "19.00", "11.00", "130.00"
    ]  # fmt: skip


def test_the_docs_show_what_the_paper_claims() -> None:
    page = Path(__file__).parents[3] / "docs" / "paper.md"
    lines = page.read_text(encoding="utf-8").splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("| Framework (claimed)"))
    shown = [tuple(line.strip("| ").split(" | ")) for line in lines[start + 2 : start + 9]]
    assert shown == [tuple(cell.text for cell in row) for row in paper_table().rows]
