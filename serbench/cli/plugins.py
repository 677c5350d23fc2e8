"""``serbench plugins``: loaded plugins, and failed ones with the cause."""

from __future__ import annotations

from typing import Annotated

import typer

SLOW_S = 1.0
"""Limit in seconds of processor time: a plugin that takes longer to load delays every command."""


def command(
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 if a plugin failed to load.")
    ] = False,
) -> None:
    """List installed plugins, and say why one failed to load.

    Each plugin is an entry point of an installed package. A failed plugin stops only the commands
    that need it.

    Examples:

      serbench plugins

      serbench plugins --strict
    """  # noqa: D412 - typer needs the blank lines
    from serbench.cli.output import print_table
    from serbench.running.plugins import SINGULAR, load_plugins

    plugins = load_plugins()
    print_table(
        "Loaded plugins",
        ("entry point", "package", "version", "provides"),
        [
            (
                plugin.entry_point,
                plugin.distribution,
                plugin.version,
                ", ".join(f"{SINGULAR[item.kind]} {item.name}" for item in plugin.provides),
            )
            for plugin in plugins.loaded
        ],
    )
    for plugin in plugins.loaded:
        if plugin.cpu_s > SLOW_S:
            typer.echo(
                f"{plugin.entry_point} of {plugin.distribution} {plugin.version} takes "
                f"{plugin.cpu_s:.1f} s to load and delays every command. Its author can import "
                "torch and other large packages inside the functions that use them."
            )
    if plugins.failed:
        print_table(
            "Failed plugins",
            ("entry point", "package", "version", "cause"),
            [(p.entry_point, p.distribution, p.version, p.cause) for p in plugins.failed],
        )
        if strict:
            raise typer.Exit(1)
