from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests_support.replays import make_replayable
from typer.testing import CliRunner

from serbench.cli import app
from serbench_runtime import load


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("export-command")
    make_replayable(made)
    return made


@pytest.fixture
def folder(root: Path, stand_in: Callable[[Path], Path]) -> Path:
    return stand_in(root)


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["export", *arguments])
    return result.exit_code, result.output


def test_export_writes_the_first_folds_student_and_says_what_it_is(folder: Path) -> None:
    code, text = invoke("run", "--data-dir", "noise")
    assert code == 0, text
    assert re.search(r"taught/seed-0/outer-1: \d+\.\d % UA on its own test speakers \(s0\)\.", text)
    assert "Compared with PyTorch on 32 utterances: posteriors differ by at most" in text
    assert "Written: noise-taught-fold-1.onnx (" in text
    assert "Model card: noise-taught-fold-1.md (README.md of a Hugging Face repository)" in text
    card = (folder / "noise-taught-fold-1.md").read_text(encoding="utf-8")
    assert card.startswith("---\n")
    assert "# noise-taught-fold-1\n" in card
    assert load(folder / "noise-taught-fold-1.onnx").labels == ("high", "low")


def test_refit_all_is_marked_as_untested(folder: Path) -> None:
    code, text = invoke(
        *("run", "--data-dir", "noise", "--method", "plain", "--refit-all"),
        *("-o", "ship.onnx", "--jobs", "1"),
    )
    assert code == 0, text
    assert "trained on all 4 speakers, so it has no test score" in text
    known = load(folder / "ship.onnx").facts["provenance"]
    assert isinstance(known, dict)
    assert known["test_score"] is None


def test_a_file_that_is_no_card_is_not_replaced(folder: Path) -> None:
    notes = folder / "noted.md"
    notes.write_text("# Notes\n", encoding="utf-8")
    code, text = invoke("run", "--data-dir", "noise", "-o", "noted.onnx")
    assert code == 2
    assert "noted.md exists and was not written by serbench export" in text
    assert notes.read_text(encoding="utf-8") == "# Notes\n"
    assert not (folder / "noted.onnx").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--fold", "2", "--refit-all"), "give --fold or --refit-all, not both"),
        (("--fold", "9"), "has no outer fold 9; it has 4"),
        (("--method", "akd"), "its methods: taught, plain"),
        (("-o", "m.bin"), "the file's name must end with .onnx"),
    ],
)
def test_what_is_wrong_is_said_in_one_message(
    folder: Path, arguments: tuple[str, ...], message: str
) -> None:
    code, text = invoke("run", "--data-dir", "noise", *arguments)
    assert code == 2
    assert message in text
    assert "Traceback" not in text


def test_help_teaches_by_example() -> None:
    code, text = invoke("--help")
    assert code == 0
    assert "serbench export emodb-akd --fold 3" in text
