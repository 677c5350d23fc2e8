"""``serbench report``: tables, figures and a page of stored runs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serbench.cli.complete import runs as runs_here
from serbench.cli.options import RUNS, RunsFolder

if TYPE_CHECKING:
    from rich.table import Table as RichTable


HELP = """Write report, tables and figures of stored runs; a page with --html.

Runs that share corpus and folds share one table; differences are to the first method of the first
run. Runs on several corpora give average ranks, a critical-difference diagram, and a report for
each corpus. Leaky runs cannot be combined with other runs; see `serbench inflation`.

Examples:

  serbench report runs/emodb-akd

  serbench report emodb-akd --html --deploy jetson/results.json

  serbench report emodb-akd --columns ua,wa,p

  serbench report emodb-akd --open

  serbench report emodb-akd emodb-hybrid --output emodb-both

  serbench report emodb-all ravdess-all --output ranks
"""


Deployed = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE",
        help="With --html: a results.json of `serbench deploy` from another folder than "
        "RUN/deploy; repeatable.",
    ),
]


Columns = Annotated[
    str | None,
    typer.Option(
        metavar="NAMES",
        help="Write the comparison for LaTeX with these columns: ua, wa, f1, delta, p, verdict, "
        "student, parameters, ua-folds, wa-folds. Separate them by commas.",
    ),
]


def command(
    run: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN",
            autocompletion=runs_here,
            help="Run folders, or names in --runs; several are combined.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="Folder to write to. Default for one run: its own folder.",
        ),
    ] = None,
    html: Annotated[
        bool,
        typer.Option("--html", help="Also write report.html, one self-contained page."),
    ] = False,
    columns: Columns = None,
    deploy: Deployed = None,
    open_page: Annotated[
        bool, typer.Option("--open", help="Write the page, and open it in the browser.")
    ] = False,
    runs: RunsFolder = RUNS,
) -> None:
    """See HELP."""
    from serbench.api import StoreError
    from serbench.cli.console import stdout
    from serbench.results.report.ranks import span_corpora
    from serbench.running.store.find import find_run

    html = html or open_page
    if deploy and not html:
        raise StoreError("--deploy needs --html: it is shown on the page")
    folders = list(dict.fromkeys(find_run(each, runs) for each in run))
    if output is None and len(folders) > 1:
        raise StoreError("several runs make a new report; name its folder with --output FOLDER")
    console = stdout()
    if span_corpora(folders):
        if columns is not None:
            raise StoreError("--columns is for runs of one corpus, and these are of several")
        if html:
            raise StoreError(
                "a page covers one corpus, but these runs are on several: leave out --html and "
                "--open, or make a site with `serbench leaderboard`"
            )
        table, written = _ranked(folders, output or folders[0])
    else:
        place = output or folders[0]
        table, written = _compared(folders, place, html, deploy or (), _names(columns))
    console.print(table)
    for what, path in written:
        console.print(f"{what}: {path}", soft_wrap=True, highlight=False, markup=False)
    if open_page:
        _open(written[-1][1])


def _open(page: Path) -> None:
    """Open a page in the browser, or say that no browser was found."""
    import webbrowser

    if not webbrowser.open(page.absolute().as_uri()):
        typer.echo(
            f"No browser was found. Open {page} on another machine: the page is a single file.",
            err=True,
        )


def _ranked(folders: Sequence[Path], place: Path) -> tuple[RichTable, list[tuple[str, Path]]]:
    """Write the report of runs over several corpora."""
    from serbench.results.report.ranks_output import write_ranked_report
    from serbench.results.table.console import console_table

    page, table = write_ranked_report(folders, place)
    return console_table(table), [("Report", page)]


def _names(columns: str | None) -> tuple[str, ...] | None:
    """Names in ``--columns``; None if it is not given."""
    if columns is None:
        return None
    return tuple(name.strip().lower() for name in columns.split(",") if name.strip())


def _compared(
    folders: Sequence[Path],
    place: Path,
    html: bool,
    deploy: Sequence[Path],
    columns: Sequence[str] | None,
) -> tuple[RichTable, list[tuple[str, Path]]]:
    """Write the report of runs over one corpus."""
    from serbench.results.report.write import COLUMNS_NAME, render_comparison, write_report
    from serbench.studies.ablation.output import addition

    written = [("Report", write_report(folders, place, addition, columns))]
    if columns is not None:
        written.append(("LaTeX", place / COLUMNS_NAME))
    if html:
        from serbench.results.pages.write import write_html_report
        from serbench.studies.of_run import studies_of

        written.append(
            ("Page", write_html_report(folders, place, addition, partial(studies_of, files=deploy)))
        )
    return render_comparison(*folders), written
