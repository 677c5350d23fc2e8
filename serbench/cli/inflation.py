"""``serbench inflation``: what leakage is worth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from serbench.cli.options import RUNS, RunsFolder


def command(
    run: Annotated[
        list[str],
        typer.Argument(help="Run folders, or names in --runs: one of them speaker-independent."),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write inflation.md, .csv, .tex, .html, .png too."),
    ] = None,
    runs: RunsFolder = RUNS,
) -> None:
    """Print how far deliberately broken protocols inflate the scores of the same methods.

    Takes runs of the same command that differ in --protocol only: one speaker-independent, the
    others leaky. This is the only table that a leaky run may share with another.

    Examples:

      serbench inflation runs/emodb-akd-standard-1a2b3c4d runs/emodb-akd-standard-leaky-random-5e6f7a8b

      serbench inflation PROPER LEAKY-RANDOM LEAKY-NORMALISER --output inflation

    """  # noqa: D412, E501 - typer needs the blank lines
    from serbench.cli.console import stdout
    from serbench.running.store.find import find_run
    from serbench.studies.inflation.measure import load_inflation
    from serbench.studies.inflation.output import render_inflation, write_inflation

    folders = list(dict.fromkeys(find_run(each, runs) for each in run))
    inflation = load_inflation(folders)
    page = write_inflation(inflation, output) if output else None
    console = stdout()
    console.print(render_inflation(inflation))
    if page:
        console.print(f"Written: {page}", soft_wrap=True, highlight=False, markup=False)
