from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests_support.run_maker import make_run, plan
from typer.testing import CliRunner

from serbench.api import StoreError
from serbench.cli import app
from serbench.running.store.run import RunStore


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Somewhere with two runs in ./runs, ``kd`` the newer one."""
    monkeypatch.chdir(tmp_path)
    for age, method in enumerate(("kd", "akd")):
        run = make_run(Path("runs") / method, {method: 0.8})
        os.utime(run / "plan.json", (1e9 - age, 1e9 - age))
    return tmp_path


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.output


def test_show_prints_the_newest_run(folder: Path) -> None:
    code, text = invoke("show")
    assert code == 0
    assert "kd" in text
    assert "akd" not in text
    assert "Run: runs/kd" in text


@pytest.mark.parametrize("name", ["akd", "runs/akd"])
def test_show_takes_a_name_or_a_folder(folder: Path, name: str) -> None:
    code, text = invoke("show", name)
    assert code == 0
    assert "hybrid-small" in text
    assert "Run: runs/akd" in text


def test_show_says_which_runs_there_are(folder: Path) -> None:
    assert invoke("show", "akdd") == (
        2,
        "serbench: no run is called akdd; did you mean akd? In runs: kd, akd\n",
    )


def test_show_says_that_a_run_has_not_finished(folder: Path) -> None:
    RunStore(Path("runs/new")).create(plan(["akd"], 1, 160))
    code, text = invoke("show", "new")
    assert code == 2
    assert text.startswith("serbench: runs/new has no predictions: the run has not finished; run")


def test_report_writes_into_the_run(folder: Path) -> None:
    code, text = invoke("report", "akd")
    assert code == 0
    assert "Report: runs/akd/report.md" in text
    assert (folder / "runs/akd/figures/ua.png").is_file()
    assert "Report: runs/akd/report.md" in invoke("show", "akd")[1]


def test_report_of_several_runs_goes_where_it_is_told(folder: Path) -> None:
    code, text = invoke("report", "akd", "kd")
    assert code == 2
    assert "name its folder with --output FOLDER" in text
    code, text = invoke("report", "akd", "kd", "--output", "both")
    assert code == 0
    assert "ΔUA to akd" in text
    assert (folder / "both/tables/comparison.tex").is_file()


@pytest.mark.parametrize("command", ["show", "report"])
def test_help_teaches_by_example(command: str) -> None:
    code, text = invoke(command, "--help")
    assert code == 0
    assert f"serbench {command} " in text


def test_commands_raise_what_the_program_prints(folder: Path) -> None:
    from serbench.cli.show import command

    with pytest.raises(StoreError, match="no run is called nothing"):
        command("nothing")
