"""The ``serbench-runtime`` command: argparse only, so that a device needs no other package."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence

from serbench_runtime import __version__
from serbench_runtime.cli import predict, stream
from serbench_runtime.cli.guard import guarded, run_command_line
from serbench_runtime.cli.options import add_parameters

NAME = "serbench-runtime"

COMMANDS = {"predict": predict, "stream": stream}


def command_line(words: Sequence[str] | None = None) -> None:
    """Run the command of ``words``; by default, of the process's arguments.

    Raises:
        SystemExit: after the help, for invalid arguments, and for errors of users.
    """
    given = vars(_parser().parse_args(words))
    command: Callable[..., None] | None = given.pop("command")
    if command is None:
        _parser().print_help()
        raise SystemExit(2)
    with guarded(NAME):
        command(program=NAME, **given)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        NAME,
        description="Classify speech with models from serbench export. "
        f"{NAME} COMMAND --help shows examples.",
    )
    parser.add_argument(
        "--version", action="version", version=f"{NAME} {__version__}", help="Print the version."
    )
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name, module in COMMANDS.items():
        below = commands.add_parser(
            name,
            help=module.HELP.partition(".")[0] + ".",
            description=module.HELP.replace("serbench ", f"{NAME} "),
            formatter_class=RawDescriptionHelpFormatter,
        )
        below.set_defaults(command=module.command)
        add_parameters(below, module.command)
    return parser


def main() -> None:
    """The ``serbench-runtime`` command."""
    run_command_line(lambda: command_line(sys.argv[1:]))
