from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from serbench.cli import app

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_check_counts_what_it_checked() -> None:
    result = RUNNER.invoke(app, ["registry", "check"])
    assert result.exit_code == 0, result.output
    assert result.output.startswith("registry.toml: no errors; ")
    Path("serbench.toml").write_text("")
    result = RUNNER.invoke(app, ["registry", "check"])
    assert result.output.startswith("registry.toml + serbench.toml: no errors; ")


def test_check_tells_every_error_of_a_file() -> None:
    Path("my.toml").write_text('[methods.akd]\nlos = "kd"\n[losses.x]\nplugin = "akdd"\n')
    result = RUNNER.invoke(app, ["registry", "check", "my.toml"])
    assert result.exit_code == 2
    assert "serbench: 2 errors in the registry:\n" in result.stderr
    assert "  my.toml:2: methods.akd.los: unknown key; did you mean 'loss'" in result.stderr
    assert "  my.toml:4: losses.x.plugin: no loss plugin is called 'akdd'" in result.stderr


def test_check_tells_toml_that_is_none() -> None:
    Path("my.toml").write_text("[methods.akd\n")
    result = RUNNER.invoke(app, ["registry", "check", "my.toml"])
    assert result.exit_code == 2
    assert result.stderr.startswith("serbench: my.toml:1: not valid TOML")


def test_show_prints_toml_with_origins() -> None:
    Path("my.toml").write_text('[methods.akd]\nsummary = "Mine"\n')
    result = RUNNER.invoke(app, ["registry", "show", "methods.akd", "--registry", "my.toml"])
    assert result.exit_code == 0, result.output
    assert result.output.startswith("# my.toml:1\n[methods.akd]\n")
    shown = tomllib.loads(result.output)
    assert shown["methods"]["akd"]["summary"] == "Mine"
    assert shown["methods"]["akd"]["loss"] == "akd"


def test_show_everything_can_be_checked_again() -> None:
    Path("again.toml").write_text(RUNNER.invoke(app, ["registry", "show"]).output)
    assert RUNNER.invoke(app, ["registry", "check", "again.toml"]).exit_code == 0


def test_show_tells_an_unknown_table() -> None:
    result = RUNNER.invoke(app, ["registry", "show", "method"])
    assert result.exit_code == 2
    assert "did you mean 'methods'" in result.stderr
