"""``serbench explain``: how far a method trusts its teachers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from serbench.cli.options import RUNS, RunArgument, RunsFolder


def command(
    run: RunArgument = None,
    method: Annotated[
        str | None,
        typer.Option("--method", "-m", help="Whose readings; needed where several have them."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Where to write. Default: explain/ in the run."),
    ] = None,
    top: Annotated[
        int, typer.Option(min=1, help="How many utterances to list that the gate closes on.")
    ] = 20,
    runs: RunsFolder = RUNS,
) -> None:
    """Show on which training utterances the gate closes, and whether the teacher was wrong there.

    Prints tables by fold, class and speaker, and writes explain.md, gate.csv (every utterance)
    and explain.png: gate, task weight and teacher weights over training. It is about training
    utterances alone: nothing of a test side goes into it.

    Examples:

      serbench explain runs/emodb-akd

      serbench explain emodb-akd-vanilla-kd --method akd --top 50 --output akd-gate

    """  # noqa: D412 - typer needs the blank lines
    from serbench.cli.console import stdout
    from serbench.cli.output import print_table
    from serbench.results.report.marks import warning_lines
    from serbench.running.store.find import find_run
    from serbench.studies.explain.load import load_explanation
    from serbench.studies.explain.page import write_explanation
    from serbench.studies.explain.tables import explanation_tables, statements

    folder = find_run(run, runs)
    explanation = load_explanation(folder, method)
    page = write_explanation(explanation, output or folder / "explain", top)
    console = stdout()
    for table in explanation_tables(explanation, top):
        rows = [row for section in table.sections for row in section.rows]
        print_table(table.caption, table.columns, rows)
    warnings = warning_lines([explanation.run.certificate])
    for line in (*statements(explanation), *warnings, f"Written: {page}"):
        console.print(line, soft_wrap=True, highlight=False, markup=False)
