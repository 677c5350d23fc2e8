from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import serbench
from serbench.cli import COMMANDS, PANELS, app
from serbench.cli.help import help_of


def documented() -> None:
    """What it does,
    over two lines.

    Examples:

      serbench run akd
      serbench run kd
    """


def test_paragraphs_are_lines_and_examples_stay() -> None:
    module = SimpleNamespace(command=documented)
    expected = "What it does, over two lines.\n\nExamples:\n\n  serbench run akd\n  serbench run kd"
    assert help_of(module, documented) == expected  # pyright: ignore[reportArgumentType]
    module.HELP = "Another\ntext.\n"
    assert help_of(module, documented) == "Another text."  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_says_what_it_does_and_shows_how(name: str) -> None:
    text = help_of(COMMANDS[name], COMMANDS[name].command)
    assert len(text) > 60
    assert f"serbench {name}" in text
    paragraphs = [each for each in text.split("\n\n") if not each.startswith(" ")]
    assert all("\n" not in each for each in paragraphs)


def parameters() -> Iterator[tuple[str, Any]]:
    """Every option and argument, with the command that takes it."""
    for path, command in commands(typer.main.get_command(app)):
        context = command.context_class(command, info_name=path)
        yield from ((path, each) for each in command.get_params(context))


def commands(group: Any, path: str = "serbench") -> Iterator[tuple[str, Any]]:
    yield path, group
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, f"{path} {name}")


PATHS = [path for path, _ in commands(typer.main.get_command(app))]


def shown(path: str) -> str:
    return CliRunner(env={"COLUMNS": "120"}).invoke(app, [*path.split()[1:], "-h"]).output


def test_every_command_is_in_a_panel_of_the_help() -> None:
    text = shown("serbench")
    assert "Commands:" not in text
    named = ["Run", "Corpora", "Results", "Studies", "Deploy", "Check", "Housekeeping"]
    assert re.findall(r"^(\w+):$", text, re.MULTILINE) == ["Options", *named]
    assert list(PANELS) == named


def test_every_option_and_argument_has_help() -> None:
    silent = [f"{path} {each.name}" for path, each in parameters() if not each.help]
    assert silent == []


@pytest.mark.parametrize("path", PATHS)
def test_the_help_shows_words_for_values_and_no_types(path: str) -> None:
    text = shown(path)
    assert "<" not in text


@pytest.mark.parametrize("path", PATHS)
def test_examples_are_indented(path: str) -> None:
    _, _, examples = shown(path).partition("Examples:")
    assert not re.search(r"^ {0,2}serbench ", examples, re.MULTILINE)


def test_the_help_names_every_profile() -> None:
    packaged = tomllib.loads(Path(serbench.__file__).with_name("registry.toml").read_text())
    helps = [each.help for path, each in parameters() if "--profile" in each.opts and "run" in path]
    for name in packaged["profiles"]:
        assert re.search(rf"\b{name}\b", helps[0])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("runz", "no command is called 'runz'; did you mean 'run' or 'runs'?"),
        ("xyzzy", "no command is called 'xyzzy'; `serbench --help` shows all"),
        ("corpus ad", "no command is called 'ad'; did you mean 'add'?"),
        ("run --xyzzy", "No such option: --xyzzy\n"),
    ],
)
def test_an_unknown_word_gets_near_words_only(words: str, message: str) -> None:
    result = CliRunner(env={"COLUMNS": "120"}).invoke(app, words.split())
    assert result.exit_code == 2
    assert message in result.stderr


def test_an_unknown_option_gets_near_ones_only() -> None:
    said = CliRunner(env={"COLUMNS": "120"}).invoke(app, ["run", "--datset", "x"]).stderr
    assert "--dataset" in said
    assert "--test" not in said
