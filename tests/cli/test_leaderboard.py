from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests_support.corpora import make_corpus_run
from typer.testing import CliRunner

from serbench.cli import app


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made")
    make_corpus_run(root / "runs" / "good", "one", {"akd": 0.9, "kd": 0.5})
    make_corpus_run(root / "runs" / "bad", "one", {"akd": 0.9}, protocol="leaky-random")
    shutil.copytree(root / "runs" / "good", root / "runs" / "stopped")
    (root / "runs" / "stopped" / "predictions.parquet").unlink()
    return root


@pytest.fixture
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(made / "runs", tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "serbench.results.site.collect.report_page", lambda *_, **__: "<title>run</title>"
    )
    return tmp_path


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["leaderboard", *arguments])
    return result.exit_code, result.output


def test_leaderboard_of_the_runs_folder(here: Path) -> None:
    code, text = invoke()
    assert code == 0, text
    lines = text.splitlines()
    assert lines[0] == "# Leaderboard"
    assert lines[1].split("  ")[0] == "CORPUS"
    assert lines[2].startswith("one")
    assert lines[2].endswith("akd")
    assert "Leaky runs, listed separately: bad" in lines
    assert "stopped: stopped has no predictions: the run has not finished; run the same" in text
    assert lines[-1] == "Written: runs/leaderboard/index.html"
    assert (here / "runs" / "leaderboard" / "index.html").is_file()
    assert invoke() == (code, text)


def test_leaderboard_of_another_folder_elsewhere(here: Path) -> None:
    code, text = invoke("runs/good", "--output", "public")
    assert code == 0, text
    assert (here / "public" / "corpora" / "one.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "the folder nowhere does not exist"),
        (["runs", "-o", "runs/good"], "runs/good is not a leaderboard and not empty"),
        (["runs/stopped"], "no finished run found in runs/stopped"),
    ],
)
def test_wrong_input_exits_with_2(here: Path, arguments: list[str], message: str) -> None:
    code, text = invoke(*arguments)
    assert code == 2
    assert message in text
    assert not (here / "runs" / "leaderboard").exists()
