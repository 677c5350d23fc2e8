"""``serbench show``: a run's comparison table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serbench.cli.options import RUNS, RunArgument, RunsFolder

if TYPE_CHECKING:
    from pathlib import Path

    from rich.table import Table


def command(
    run: RunArgument = None,
    runs: RunsFolder = RUNS,
) -> None:
    """Print the comparison table of a finished run.

    The table has each method's scores with 95 % confidence intervals, and its difference from the
    first method. Leaky runs show scores only. The same table is in the run's report.md.

    Examples:

      serbench show

      serbench show runs/emodb-akd

      serbench show emodb-akd --runs results
    """  # noqa: D412 - typer needs the blank lines
    from serbench.cli.console import stdout
    from serbench.running.store.find import find_run

    folder = find_run(run, runs)
    console = stdout()
    console.print(shown_table(folder))
    report = folder / "report.md"
    place = f"Report: {report}" if report.is_file() else f"Run: {folder}"
    console.print(place, soft_wrap=True, highlight=False, markup=False)


def shown_table(folder: Path) -> Table:
    """The table that the report has kept, or else one computed from the run's predictions."""
    from serbench.results.report.kept import kept_table
    from serbench.results.table.console import console_table

    if (kept := kept_table(folder)) is not None:
        return console_table(kept.table, kept.alarm)
    from serbench.results.report.write import render_comparison

    return render_comparison(folder)
