"""What all commands that look again at a finished run say before they begin."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests_support.run_maker import make_run
from typer.testing import CliRunner

from serbench.cli import app
from serbench.studies.registered import STUDIES

each = pytest.mark.parametrize(
    "command", sorted({*(study.name for study in STUDIES if not study.several), "deploy"})
)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, " ".join(result.output.split())


@each
def test_a_run_that_is_not_there_is_told(command: str) -> None:
    code, text = invoke(command)
    assert code == 2
    assert "no run is in runs" in text


@each
def test_an_output_that_is_a_run_is_told_before_anything_is_computed(command: str) -> None:
    make_run(Path("runs/good"), {"akd": 0.6})
    code, text = invoke(command, "good", "--output", "runs/good")
    assert code == 2
    assert "runs/good is the folder of a run" in text
