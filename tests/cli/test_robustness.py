from __future__ import annotations

from pathlib import Path

import pytest
from tests_support.run_maker import make_run
from typer.testing import CliRunner

from serbench.cli import app


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["robustness", *arguments])
    return result.exit_code, " ".join(result.output.split())


def test_an_unknown_condition_is_told_before_anything_is_read() -> None:
    code, text = invoke("nowhere", "--condition", "brown")
    assert code == 2
    assert text.startswith("serbench: --condition brown: there is no such condition")
    assert "room@0.6" in text


def test_a_run_that_is_not_there_is_told() -> None:
    code, text = invoke()
    assert code == 2
    assert "there is no run in runs" in text


def test_an_output_that_is_a_run_is_told_before_anything_is_computed() -> None:
    make_run(Path("runs/good"), {"akd": 0.6})
    code, text = invoke("good", "--output", "runs/good")
    assert code == 2
    assert "runs/good is the folder of a run" in text


def test_help_teaches_by_example() -> None:
    code, text = invoke("--help")
    assert code == 0
    assert "serbench robustness runs/emodb-akd --condition babble" in text
    assert "nothing may be chosen by it" in text
