from __future__ import annotations

from pathlib import Path

import pytest
from tests_support.run_maker import make_run
from typer.testing import CliRunner

from serbench.cli import app
from serbench.settings import PROPER


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Somewhere with a proper and a leaky run of the same method in ./runs."""
    monkeypatch.chdir(tmp_path)
    make_run(Path("runs/good"), {"akd": 0.6})
    make_run(Path("runs/bad"), {"akd": 0.9}, protocol="leaky-random")
    return tmp_path


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.output


def test_inflation_prints_and_writes_nothing_unasked(folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    code, text = invoke("inflation", "good", "runs/bad")
    assert code == 0
    assert "Effect of leakage on emodb: the leaky figures are wrong on purpose" in " ".join(
        text.split()
    )
    assert "test speakers seen in training" in " ".join(text.split())
    assert "Written" not in text
    assert sorted(folder.rglob("*")) == before


def test_inflation_writes_where_it_is_told(folder: Path) -> None:
    code, text = invoke("inflation", "bad", "good", "--output", "out")
    assert code == 0
    assert "Written: out/inflation.md" in text
    assert (folder / "out/inflation.png").is_file()


def test_inflation_names_what_is_wrong(folder: Path) -> None:
    code, text = invoke("inflation", "bad")
    assert code == 2
    assert text.startswith(f"serbench: none of the runs is {PROPER}")
    code, text = invoke("inflation", "good", "good", "runs/good")
    assert code == 2
    assert text.startswith("serbench: good is speaker-independent; add runs")
    code, text = invoke("inflation", "good", "bad", "--output", "runs/good")
    assert code == 2
    assert "runs/good is the folder of a run" in text


def test_a_leaky_run_is_shown_with_its_mark_and_reported_alone(folder: Path) -> None:
    code, text = invoke("show", "bad")
    assert code == 0
    assert "LEAKY PROTOCOL leaky-random: broken on purpose, not for comparison" in text
    code, text = invoke("report", "good", "bad", "--output", "both")
    assert code == 2
    assert "bad (protocol leaky-random)" in text
    assert "serbench inflation" in text
    assert not (folder / "both").exists()


def test_help_teaches_by_example() -> None:
    code, text = invoke("inflation", "--help")
    assert code == 0
    assert "serbench inflation " in text
    assert "only in --protocol" in " ".join(text.split())
