from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from serbench.cli import app

PAPER = {
    "outer-1": "03, 08",
    "outer-2": "09, 10",
    "outer-3": "11, 12",
    "outer-4": "13, 14",
    "outer-5": "15, 16",
}
"""EmoDB in the paper's Table 2."""

SMALL = """\
[datasets.small]
corpus = "demo"
folds = "pairs"
params = { speakers = 4, takes = 1 }
"""


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["folds", *arguments])
    return result.exit_code, result.output


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SERBENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "serbench.toml").write_text(SMALL)
    return tmp_path


def test_folds_are_shown_and_written(here: Path) -> None:
    code, text = invoke("small", "--csv", "folds.csv", "--folds", "loso", "--inner")
    assert code == 0, text
    assert "Folds of small: loso" in text
    assert "outer-1/inner-1" in text
    assert "Written: folds.csv" in text
    rows = pd.read_csv(here / "folds.csv")
    assert set(rows["fold"]) == {f"outer-{number}" for number in range(1, 5)}
    assert rows.groupby("speaker")["fold"].nunique().max() == 1
    assert not rows["utterance"].duplicated().any()


def test_what_is_written_can_be_read_again(here: Path) -> None:
    code, _ = invoke("small", "--folds", "kfold", "--kfold", "2", "--csv", "folds.csv")
    assert code == 0
    code, text = invoke("small", "--folds", "folds.csv")
    assert code == 0, text
    assert "Folds of small: folds.csv" in text


def test_standard_output_holds_the_file_alone(here: Path) -> None:
    result = CliRunner().invoke(app, ["folds", "small", "--csv", "-"])
    assert result.exit_code == 0
    assert result.stdout.startswith("utterance,fold,speaker,")
    assert "Folds of" not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("small", "--folds", "nope"), "has pairs, loso, kfold"),
        (("smal",), "did you mean 'small'"),
        (("small", "--folds", "kfold", "--kfold", "9"), "choose a number from 2 to 4"),
    ],
)
def test_what_is_wrong_is_said_in_one_message(
    here: Path, arguments: tuple[str, ...], message: str
) -> None:
    code, text = invoke(*arguments)
    assert code == 2
    assert message in " ".join(text.split())
    assert "Traceback" not in text


@pytest.mark.real
def test_emodbs_folds_are_the_papers(here: Path) -> None:
    shared = os.environ.get("SERBENCH_TEST_SHARED")
    if shared is None:
        pytest.skip("SERBENCH_TEST_SHARED names no folder with real corpora")
    data = Path(shared) / "corpora" / "emodb"
    code, _ = invoke("emodb", "--data-dir", str(data), "--csv", "folds.csv")
    assert code == 0
    rows = pd.read_csv(here / "folds.csv", dtype=str)
    tested = {fold: ", ".join(sorted(set(own["speaker"]))) for fold, own in rows.groupby("fold")}
    assert tested == PAPER
    assert len(rows) == 535
