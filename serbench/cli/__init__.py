"""The command line: argument parsing only. Each command is a module with a plain function.

Nothing here may import torch, transformers, pandas or matplotlib at the top: ``serbench --help``
answers at once.
"""

from __future__ import annotations

from types import ModuleType
from typing import Annotated, Any

import typer

from serbench.cli import (
    ablate,
    audit,
    corpus_add,
    corpus_check,
    doctor,
    export,
    folds,
    gc,
    leaderboard,
    new_plugin,
    plugins,
    registry,
    regress,
    report,
    run,
    runs,
    show,
    verify,
)
from serbench.cli import list as list_command
from serbench.cli.deprecations import tell_deprecations_once
from serbench.cli.guard import GuardedGroup
from serbench.cli.help import Command, Group, help_of
from serbench.cli.made import MadeCommand
from serbench.cli.runtime import runtime_command
from serbench.cli.study import study_command
from serbench.studies.registered import STUDIES
from serbench_runtime.cli import predict, stream
from serbench_runtime.cli.guard import run_command_line


class OrderedGroup(GuardedGroup):
    """The whole command line, with its commands in a fixed order."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names in the order of ``PANELS``."""
        names = super().list_commands(ctx)
        order = [name for panel in PANELS.values() for name in panel]
        return sorted(names, key=[*order, *names].index)


app = typer.Typer(
    name="serbench",
    cls=OrderedGroup,
    rich_markup_mode=None,  # help in boxes takes 0.1 s longer because of imports
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from serbench import __version__

        typer.echo(f"serbench {__version__}")
        raise typer.Exit


def root(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """The speech-emotion-recognition benchmark that cannot be fooled.

    Start with the demo corpus: it needs no download. `serbench COMMAND --help` explains a command
    and shows examples.

    Examples:

      serbench run akd --dataset demo

      serbench run akd vanilla-kd transformer --dataset emodb

      serbench list methods
    """  # noqa: D412 - typer needs the blank lines


app.callback(help=help_of(None, root))(root)

Said = ModuleType | MadeCommand | typer.Typer

registry_app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    help="Check or print the registry: every dataset, teacher, method and profile by name.",
)
registry_app.command("check", cls=Command, help=help_of(registry, registry.check))(registry.check)
registry_app.command("show", cls=Command, help=help_of(registry, registry.show))(registry.show)

corpus_app = typer.Typer(
    cls=Group, no_args_is_help=True, help="Check a corpus, or add one from a folder."
)
for _name, _module in {"check": corpus_check, "add": corpus_add}.items():
    corpus_app.command(_name, cls=Command, help=help_of(_module, _module.command))(_module.command)

_studies = {study.name: study_command(study) for study in STUDIES}

PANELS: dict[str, dict[str, Said]] = {
    "Run": {"run": run, "ablate": ablate, "list": list_command},
    "Corpora": {"corpus": corpus_app, "folds": folds},
    "Results": {"show": show, "runs": runs, "report": report, "leaderboard": leaderboard},
    "Studies": {name: study for name, study in _studies.items() if name != "deploy"},
    "Deploy": {
        "export": export,
        "predict": runtime_command(predict),
        "stream": runtime_command(stream),
        "deploy": _studies["deploy"],
    },
    "Check": {"audit": audit, "verify": verify, "regress": regress},
    "Housekeeping": {
        "doctor": doctor,
        "plugins": plugins,
        "new-plugin": new_plugin,
        "registry": registry_app,
        "gc": gc,
    },
}
"""Modules, studies and groups by the name of their command, in the order of ``--help``."""

COMMANDS: dict[str, ModuleType | MadeCommand] = {
    name: said
    for panel in PANELS.values()
    for name, said in panel.items()
    if not isinstance(said, typer.Typer)
}
"""Modules and studies by the name of their command."""

for _panel, _members in PANELS.items():
    for _name, _said in _members.items():
        if isinstance(_said, typer.Typer):
            app.add_typer(_said, name=_name, rich_help_panel=_panel)
        else:
            app.command(
                _name, cls=Command, help=help_of(_said, _said.command), rich_help_panel=_panel
            )(_said.command)


def main() -> None:
    """The ``serbench`` command."""
    tell_deprecations_once()
    run_command_line(lambda: app(prog_name="serbench"))
