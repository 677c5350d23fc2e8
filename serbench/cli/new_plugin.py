"""``serbench new-plugin``: a start for authors of plugins."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

HELP = """Write a plugin that works: code, tests, and all that pip needs, in a folder of its own.

The part to change is marked TODO. The tests pass as they are: they are serbench's own checks of the
contract, and a few of what the plugin promises. It is yours to license and to publish.

Examples:

  serbench new-plugin soft-focal --kind loss

  serbench new-plugin our-corpus --kind corpus --into ~/code/our-corpus
"""


def command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the plugin, as in soft-focal.")],
    kind: Annotated[
        str,
        typer.Option(
            metavar="KIND",
            help="corpus, front-end, teacher, student, loss, backend or tracker.",
        ),
    ],
    into: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="A new or empty folder. Default: serbench-NAME, made here."
        ),
    ] = None,
) -> None:
    """Write a distribution; see HELP."""
    import shlex

    from serbench.authoring.new_plugin import new_plugin
    from serbench.running.plugins import load_plugins

    written = new_plugin(name, kind, into, load_plugins())
    typer.echo(
        f"Written to {written.folder}. It works as it is; the part to change is marked TODO, in "
        f"{written.todo}.\n\n"
        "Next:\n\n"
        f"  cd {shlex.quote(str(written.folder))}\n"
        '  pip install -e ".[dev]"\n'
        "  pytest\n"
        "  serbench plugins"
    )
    for line in written.commands:
        typer.echo(f"  {line}")
    typer.echo("\nLICENSE says how to choose a licence. README.md says what is where.")
