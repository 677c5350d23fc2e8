"""``serbench registry``: check and print the names that serbench knows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from serbench.cli.options import RegistryFile


def check(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help="Registry file that extends the packaged registry. Default: ./serbench.toml, "
            "if it exists.",
        ),
    ] = None,
) -> None:
    """Check a registry file against the schema and against the plugins that it names.

    All errors are reported at once, with file and line.

    Examples:

      serbench registry check

      serbench registry check serbench.toml
    """  # noqa: D412 - typer needs the blank lines
    from serbench.running.plugins import load_plugins
    from serbench.running.registry.load import load_registry
    from serbench.running.registry.schema import SPECS

    registry = load_registry(load_plugins(), file)
    counts = ", ".join(
        f"{len(getattr(registry, table))} {table.replace('_', ' ')}" for table in SPECS
    )
    typer.echo(f"{' + '.join(registry.files)}: no errors; {counts}")


def show(
    entry: Annotated[
        str | None,
        typer.Argument(
            metavar="TABLE[.NAME]", help="Table or entry to print. Default: everything."
        ),
    ] = None,
    file: RegistryFile = None,
) -> None:
    """Print the registry in use, as TOML that you can paste into a serbench.toml.

    The entries of your file replace packaged ones of the same name. Each entry names its file.

    Examples:

      serbench registry show

      serbench registry show methods.akd

      serbench registry show teachers --registry my.toml
    """  # noqa: D412 - typer needs the blank lines
    from serbench.running.plugins import load_plugins
    from serbench.running.registry.load import load_registry
    from serbench.running.registry.lookup import entries
    from serbench.running.registry.toml_text import dump_toml

    registry = load_registry(load_plugins(), file)
    tables = entries(registry, entry)
    comments = {
        (table, name): registry.origins[table, name] for table in tables for name in tables[table]
    }
    typer.echo(dump_toml(tables, comments), nl=False)
