from __future__ import annotations

from types import SimpleNamespace

import pytest

from serbench.cli import COMMANDS
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
