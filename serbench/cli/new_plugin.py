"""``serbench new-plugin``: a first distribution for authors of plugins."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

HELP = """Write a working plugin: code, tests and packaging, in a new folder.

The part to change is marked TODO. The tests pass from the start: serbench's checks of the contract,
and a few of the plugin's own. License and publish it as you like.

Examples:

  serbench new-plugin soft-focal --kind loss

  serbench new-plugin our-corpus --kind corpus --into ~/code/our-corpus
"""


def command(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of the plugin, such as soft-focal.")
    ],
    kind: Annotated[
        str,
        typer.Option(
            metavar="KIND",
            help="corpus, front-end, teacher, student, loss, backend or tracker.",
        ),
    ],
    into: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="A new or empty folder. Default: ./serbench-NAME."),
    ] = None,
) -> None:
    """Write a distribution; see HELP."""
    import shlex

    from serbench.authoring.new_plugin import new_plugin
    from serbench.running.plugins import load_plugins

    written = new_plugin(name, kind, into, load_plugins())
    typer.echo(
        f"Written to {written.folder}. It works as it is. The part to change is marked TODO in "
        f"{written.todo}.\n\n"
        "Next:\n\n"
        f'  cd {shlex.quote(str(written.folder))}\n  pip install -e ".[dev]"\n  pytest\n  '
        "serbench plugins"
    )
    for line in written.commands:
        typer.echo(f"  {line}")
    typer.echo("\nLICENSE explains how to choose a licence. README.md describes the files.")
