from __future__ import annotations

from pathlib import Path

import pytest
from tests_support.readings_maker import make_run_with_readings
from tests_support.run_maker import make_run
from typer.testing import CliRunner

from serbench.cli import app


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Somewhere with a run of two methods with readings in ./runs."""
    monkeypatch.chdir(tmp_path)
    make_run_with_readings(Path("runs/both"), ("akd", "akd-soft"), epochs=2)
    return tmp_path


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.output


def test_explain_prints_and_writes_into_the_run(folder: Path) -> None:
    code, text = invoke("explain", "--method", "akd", "--top", "3")
    assert code == 0
    for line in (
        "Gate and teacher, in cases",
        "By class",
        "By speaker",
        "Where the gate closes: 3",
    ):
        assert line in text
    assert "Written: runs/both/explain/explain.md" in text
    written = {each.name for each in (folder / "runs/both/explain").iterdir()}
    assert {"explain.md", "gate.csv", "explain.png"} <= written
    page = (folder / "runs/both/explain/explain.md").read_text()
    assert "Where the gate closes: 3 of" in page


def test_explain_writes_where_it_is_told(folder: Path) -> None:
    code, text = invoke("explain", "both", "--method", "akd-soft", "--output", "out")
    assert code == 0
    assert "Written: out/explain.md" in text
    assert (folder / "out/explain.md").read_text().startswith("# How far akd-soft trusts")
    assert not (folder / "runs/both/explain").exists()


def test_explain_names_what_is_wrong(folder: Path) -> None:
    code, text = invoke("explain", "both")
    assert (code, text.splitlines()) == (
        2,
        ["serbench: 2 methods of both have readings: akd, akd-soft; choose one with --method"],
    )
    code, text = invoke("explain", "both", "-m", "kd")
    assert code == 2
    assert text.startswith("serbench: both has no method kd")
    make_run(folder / "runs/old", {"akd": 0.6})
    code, text = invoke("explain", "old")
    assert code == 2
    assert "older version of serbench" in text
    code, text = invoke("explain", "nowhere")
    assert code == 2
    assert "no run is called nowhere" in text


def test_a_leaky_run_is_explained_with_its_mark(folder: Path) -> None:
    make_run_with_readings(Path("runs/bad"), protocol="leaky-normaliser", epochs=2)
    code, text = invoke("explain", "bad")
    assert code == 0
    assert "LEAKY PROTOCOL leaky-normaliser: broken on purpose" in text


def test_help_teaches_by_example() -> None:
    code, text = invoke("explain", "--help")
    assert code == 0
    assert "serbench explain runs/emodb-akd" in text
