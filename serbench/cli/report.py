"""``serbench report``: tables and figures of stored runs, made anew."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from serbench.cli.options import RUNS, RunsFolder


def command(
    run: Annotated[
        list[str],
        typer.Argument(help="Run folders, or names in --runs; several make one table."),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Where to write. Default for one run: its own folder."),
    ] = None,
    runs: RunsFolder = RUNS,
) -> None:
    """Write report.md, tables (Markdown, CSV, LaTeX) and figures of stored runs.

    Several runs stand in one table when they share corpus and folds; differences are taken
    against the first method of the first run. A leaky run stands alone; see
    `serbench inflation`.

    Examples:

      serbench report runs/emodb-akd

      serbench report emodb-akd emodb-hybrid --output emodb-both

    """  # noqa: D412 - typer needs the blank lines
    from serbench.api import StoreError
    from serbench.cli.console import stdout
    from serbench.report import render_comparison, write_combined_report
    from serbench.store import find_run

    folders = list(dict.fromkeys(find_run(each, runs) for each in run))
    if output is None and len(folders) > 1:
        raise StoreError("several runs make a report of their own; say where with --output FOLDER")
    report = write_combined_report(folders, output or folders[0])
    console = stdout()
    console.print(render_comparison(*folders))
    console.print(f"Report: {report}", soft_wrap=True, highlight=False, markup=False)
