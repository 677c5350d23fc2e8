from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests_support.replays import contents, make_replayable
from typer.testing import CliRunner

from serbench.cli import app


@pytest.fixture
def folder(tmp_path: Path, stand_in: Callable[[Path], Path]) -> Path:
    make_replayable(tmp_path)
    return stand_in(tmp_path)


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["overlap", *arguments])
    return result.exit_code, result.output


def test_overlap_prints_and_writes_beside_the_run(folder: Path) -> None:
    before = contents(folder / "run")
    code, text = invoke("run", "--data-dir", "noise", "--overlap", "0", "--overlap", "0.6")
    assert code == 0, text
    assert "Overlap of test windows on noise" in text
    assert "overlap: done" in text
    assert "Written: run/overlap/overlap.md" in text
    after = contents(folder / "run")
    assert {name: after[name] for name in before} == before
    assert {name for name in after if name not in before} == {
        f"overlap/overlap.{ending}" for ending in ("csv", "html", "md", "png", "tex")
    } | {"overlap/study.json"}


def test_overlap_takes_a_name_a_method_and_a_folder(folder: Path) -> None:
    code, text = invoke(
        "run", "--runs", ".", "--data-dir", "noise", "--method", "plain", "-o", "out"
    )
    assert code == 0, text
    assert (folder / "out" / "overlap.png").is_file()
    assert "taught" not in (folder / "out" / "overlap.csv").read_text()
    assert not (folder / "run" / "overlap").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "--data-dir", "noise", "--overlap", "0.8"), "overlap 0.8 s does not fit taught"),
        (("run", "--data-dir", "noise", "--method", "akd"), "its methods: taught, plain"),
        (("run", "--data-dir", "run"), "run"),
        (("noise",), "noise is not a serbench run"),
    ],
)
def test_what_is_wrong_is_said_in_one_message(
    folder: Path, arguments: tuple[str, ...], message: str
) -> None:
    code, text = invoke(*arguments)
    assert code == 2
    assert message in text
    assert "Traceback" not in text
