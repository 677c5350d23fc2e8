"""``serbench doctor``: what is installed, usable, broken or missing."""

from __future__ import annotations

from typing import Annotated

import typer

from serbench.cli.options import RegistryFile

HELP = """Show what serbench finds on this machine; paste it into a bug report.

The output has versions, devices, cache and disk, the model hub, plugins, your registry file, the
datasets found, and missing extras with the command that installs them. Your home folder is shown as
~. Names, passwords and tokens are not shown.

The exit code is 1 if something is broken: a required package is missing, has a wrong version or
cannot be imported; a plugin or the registry has errors; the cache cannot be written; SERBENCH_DATA
is not a folder; or a GPU's driver fails. A missing extra, GPU, network or dataset does not count as
broken.

Examples:

  serbench doctor

  serbench doctor --json > doctor.json
"""


def command(
    registry: RegistryFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check the installation and the machine; see HELP."""
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
