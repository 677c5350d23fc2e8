from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from serbench.cli import app
from serbench.cli.list import TABLES

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def lines(*arguments: str) -> list[str]:
    result = RUNNER.invoke(app, ["list", *arguments])
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def test_everything_is_listed() -> None:
    out = lines()
    for table in TABLES:
        assert f"# {table.replace('_', ' ').capitalize()}" in out


def row(out: list[str], name: str) -> str:
    (found,) = [line for line in out if line.split()[:1] == [name]]
    return found


def test_a_corpus_shows_its_provider_version_and_card() -> None:
    out = lines("corpora")
    assert out[0] == "# Datasets"
    assert "serbench 0." in row(out, "emodb")
    for part in ("German", "535 utterances", "7 labels", "CC0"):
        assert part in row(out, "emodb")


def test_teachers_students_losses_and_backends_show_plugin_and_provider() -> None:
    assert "speech-encoder" in row(lines("teachers"), "wav2vec2-large")
    assert row(lines("teachers"), "wav2vec2-large").endswith("Apache-2.0; trained on LibriSpeech")
    assert row(lines("teachers"), "whisper-base").endswith("MIT; trained on undisclosed data")
    assert row(lines("teachers"), "functionals").endswith("trained on nothing")
    assert "hybrid" in row(lines("students"), "hybrid-small")
    assert "serbench 0." in row(lines("losses"), "akd")
    assert "serbench 0." in row(lines("backends"), "torch")


def test_methods_show_student_loss_and_grids() -> None:
    columns = row(lines("methods"), "akd").split()
    assert columns[:3] == ["akd", "hybrid-small", "akd"]


def test_a_plugin_that_no_entry_names_is_listed_under_its_own_name(tmp_path: Path) -> None:
    assert "speech-encoder" not in [line.split()[:1] for line in lines("teachers")]
    (tmp_path / "serbench.toml").write_text('[students.mine]\nplugin = "hybrid"\n')
    assert "hybrid" in row(lines("students"), "mine")


def test_a_teacher_that_nobody_knows_is_listed_as_undeclared(tmp_path: Path) -> None:
    entry = '[teachers.mine]\nplugin = "speech-encoder"\nparams = { model = "someone/encoder" }\n'
    (tmp_path / "serbench.toml").write_text(entry)
    assert row(lines("teachers"), "mine").endswith("unknown; training data undeclared")


def test_an_overlay_is_taken(tmp_path: Path) -> None:
    (tmp_path / "o.toml").write_text('[profiles.mine]\nsummary = "My own"\n')
    assert row(lines("profiles", "--registry", "o.toml"), "mine").endswith("My own")


def test_an_unknown_kind_is_told_with_a_near_one() -> None:
    result = RUNNER.invoke(app, ["list", "method"])
    assert result.exit_code == 2
    assert result.stderr == (
        "serbench: nothing to list is called 'method'; did you mean 'methods'?\n"
    )
