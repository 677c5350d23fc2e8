"""What ``serbench show`` prints without computing it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests_support.run_maker import make_run
from typer.testing import CliRunner

from serbench.cli import app
from serbench.results.report import kept
from serbench.results.report.write import write_report

METHODS = {"kd": 0.6, "akd": 0.8, "teacher:whisper-base": 0.9}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run with its report."""
    folder = make_run(tmp_path / "run", METHODS)
    write_report([folder], folder)
    return folder


def show(folder: Path) -> str:
    result = CliRunner().invoke(app, ["show", str(folder)])
    assert result.exit_code == 0, result.output
    return result.output


def test_what_is_kept_is_what_would_be_computed(folder: Path) -> None:
    assert kept.kept_table(folder) is not None
    printed = show(folder)
    (folder / kept.FILE).unlink()
    assert show(folder) == printed


def test_a_leaky_run_keeps_its_mark(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", {"kd": 0.6}, protocol="leaky-random")
    write_report([folder], folder)
    printed = show(folder)
    assert "LEAKY PROTOCOL leaky-random" in printed
    (folder / kept.FILE).unlink()
    assert show(folder) == printed


def test_several_runs_keep_none(folder: Path, tmp_path: Path) -> None:
    write_report([folder, make_run(tmp_path / "other", METHODS)], tmp_path / "both")
    assert not (tmp_path / "both" / kept.FILE).exists()


@pytest.mark.parametrize("name", ["plan.json", "certificate.json", "predictions.parquet", "fits"])
def test_files_that_have_changed_are_read_again(folder: Path, name: str) -> None:
    path = next((folder / "fits").glob("*.json")) if name == "fits" else folder / name
    path.write_bytes(path.read_bytes() + b" ")
    assert kept.kept_table(folder) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"serbench": 1}', "\xff"])
def test_a_damaged_file_is_as_good_as_none(folder: Path, text: str) -> None:
    printed = show(folder)
    (folder / kept.FILE).write_text(text, "latin-1")
    assert kept.kept_table(folder) is None
    assert show(folder) == printed


def test_what_another_version_has_kept_is_computed_again(folder: Path) -> None:
    path = folder / kept.FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | {"serbench": "0.0.1"}))
    assert kept.kept_table(folder) is None
