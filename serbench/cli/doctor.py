"""``serbench doctor``: what is installed, what can be used, what is broken or missing."""

from __future__ import annotations

from typing import Annotated

import typer

from serbench.cli.options import RegistryFile

HELP = """Show what serbench finds on this machine, to paste into a bug report.

Versions, devices, cache and disk, the model hub, plugins, the registry's overlay, datasets that are
here, and extras that are not installed, with the command that installs them. Your home folder is
shown as ~; names, passwords and tokens are not shown.

The exit code is 1 where something is broken: a required package is missing, has a version
that does not fit or cannot be imported, a plugin or the registry has errors, the cache cannot be
written, SERBENCH_DATA is not a folder, or a GPU's driver fails. A missing extra, GPU, network or
dataset is not broken.

Examples:

  serbench doctor

  serbench doctor --json > doctor.json
"""


def command(
    registry: RegistryFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look at the installation and the machine; see HELP."""
    from serbench.checks.doctor.run import diagnose
    from serbench_runtime.cli.encodings import print_json

    found = diagnose(registry)
    if as_json:
        print_json(found.as_json())
        raise typer.Exit(1 if found.broken else 0)
    for section in found.sections:
        typer.echo(section.title)
        width = max((len(line.name) for line in section.lines), default=0)
        for line in section.lines:
            value = line.value.replace("\n", f"\n  {'':{width}}  ")
            typer.echo(f"  {line.name.ljust(width)}  {value}")
            if line.broken:
                typer.echo(f"  {'':{width}}  BROKEN: {line.broken}")
        typer.echo()
    many = len(found.broken)
    typer.echo(f"{many} broken: see above." if many else "Nothing is broken.")
    raise typer.Exit(1 if many else 0)
