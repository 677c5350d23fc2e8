"""``serbench leaderboard``: many runs as a static site."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from serbench.cli.options import RUNS

HELP = """Render every finished run below a folder as a static site.

The first page has a table of all methods to sort and filter. Each corpus and each run has a page.
Runs with the same recordings, classes and folds are compared; methods that two corpora share are
ranked. Leaky runs are listed separately. Unfinished and damaged runs are listed with the reason. An
existing site is replaced; a folder with any other content is refused.

Examples:

  serbench leaderboard

  serbench leaderboard results --output public
"""


def command(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder with runs, at any depth.")
    ] = RUNS,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="SITE",
            help="Folder to write to. Default: leaderboard/ in FOLDER.",
        ),
    ] = None,
) -> None:
    """Render every finished run below a folder as a static site."""
    from serbench.cli.console import say
    from serbench.cli.output import print_table
    from serbench.results.site.site import write_leaderboard
    from serbench.results.table.formats import interval_text
    from serbench.studies.ablation.output import addition
    from serbench.studies.of_run import studies_of

    written = write_leaderboard(folder, output or folder / "leaderboard", addition, studies_of)
    rows = [
        (
            corpus.name,
            board.name,
            str(len(board.entries)),
            str(len(board.students)),
            interval_text(board.students[0].result.pooled["ua"]) if board.students else "",
            board.students[0].method if board.students else "",
        )
        for corpus in written.corpora
        for board in corpus.boards
    ]
    columns = ("Corpus", "Folds", "Runs", "Methods", "Highest UA %", "Of")
    print_table("Leaderboard", columns, rows)
    if leaky := [entry.label for corpus in written.corpora for entry in corpus.leaky]:
        say(f"Leaky runs, listed separately: {', '.join(leaky)}")
    for problem in written.problems:
        say(f"{problem.label}: {problem.reason}")
    say(f"Written: {written.index}")
