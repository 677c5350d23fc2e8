from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
import typer
from typer.testing import CliRunner

from serbench import __version__
from serbench.api import CorpusError
from serbench.cli import app

RUNNER = CliRunner()
HEAVY = ("torch", "transformers", "pandas", "matplotlib", "sklearn", "scipy", "numpy")


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['serbench', '--help']\n"
        "from serbench.cli import main\n"
        "try: main()\n"
        "except SystemExit as stop: assert not stop.code\n"
        f"print('loaded:', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.endswith("loaded: []\n")


@pytest.mark.parametrize(
    "command",
    ["run", "list", "show", "report", "plugins", "registry check", "registry show"],
)
def test_the_help_of_every_command_has_examples(command: str) -> None:
    result = RUNNER.invoke(app, [*command.split(), "--help"])
    assert result.exit_code == 0
    assert f"serbench {command}" in result.output.partition("Examples:")[2]


def test_no_command_shows_the_help_and_version_prints() -> None:
    assert "Usage: " in RUNNER.invoke(app, []).output
    assert RUNNER.invoke(app, ["--version"]).output == f"serbench {__version__}\n"


@pytest.fixture
def fails_with() -> Iterator[Callable[[BaseException], list[str]]]:
    """Adds a command that raises; gives the arguments that run it."""
    before = list(app.registered_commands)

    def add(error: BaseException) -> list[str]:
        def command() -> None:
            raise error

        app.command("fails")(command)
        return ["fails"]

    yield add
    app.registered_commands[:] = before


def test_a_users_error_is_one_message(
    fails_with: Callable[[BaseException], list[str]],
) -> None:
    result = RUNNER.invoke(app, fails_with(CorpusError("no audio in x; name another folder")))
    assert result.exit_code == 2
    assert result.stderr == "serbench: no audio in x; name another folder\n"
    assert result.stdout == ""


def test_a_stop_tells_how_to_go_on(fails_with: Callable[[BaseException], list[str]]) -> None:
    result = RUNNER.invoke(app, fails_with(KeyboardInterrupt()))
    assert result.exit_code == 130
    assert result.stderr == "stopped; run the same command again to continue\n"


def test_a_commands_own_exit_code_is_kept(
    fails_with: Callable[[BaseException], list[str]],
) -> None:
    assert RUNNER.invoke(app, fails_with(typer.Exit(7))).exit_code == 7


def test_a_bug_keeps_its_traceback(fails_with: Callable[[BaseException], list[str]]) -> None:
    result = RUNNER.invoke(app, fails_with(ZeroDivisionError("bug")))
    assert isinstance(result.exception, ZeroDivisionError)


def test_a_file_that_ends_early_is_no_abortion_by_the_user(
    fails_with: Callable[[BaseException], list[str]],
) -> None:
    result = RUNNER.invoke(app, fails_with(EOFError("No data left in file")))
    assert isinstance(result.exception, RuntimeError)
    assert isinstance(result.exception.__cause__, EOFError)
    assert "Aborted" not in result.output


def test_an_unknown_command_and_option_exit_with_2() -> None:
    assert RUNNER.invoke(app, ["nonsense"]).exit_code == 2
    assert RUNNER.invoke(app, ["list", "--nonsense"]).exit_code == 2
