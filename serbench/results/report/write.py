"""Writes reports to the disk, and shows them on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table as RichTable

from serbench.api import StoreError
from serbench.files.atomic import check_writable, write_atomically, write_text
from serbench.files.paths import below
from serbench.results.figure.figure import Figure
from serbench.results.report.build import (
    Adds,
    determined_texts,
    make_figures,
    make_tables,
    nothing_more,
    report_text,
)
from serbench.results.report.comparison import chosen_columns, shown_comparison, stamped
from serbench.results.report.marks import mark
from serbench.results.report.published import published_table
from serbench.results.report.results import load_results
from serbench.results.table.console import console_table
from serbench.results.table.files import latex, table_texts
from serbench.results.table.table import Table

COLUMNS_NAME = "tables/comparison-columns.tex"
"""The file of the comparison with the columns that the user asked for."""


def write_report(
    folders: Sequence[Path],
    output: Path,
    adds: Adds = nothing_more,
    columns: Sequence[str] | None = None,
) -> Path:
    """Write ``report.md``, ``certificate.md``, ``tables/`` and ``figures/`` into ``output``.

    Args:
        folders: one run, or several over the same corpus and folds.
        output: the folder of the only run, or any folder that does not belong to a run.
        adds: returns what else a run's report has.
        columns: columns of the comparison in ``COLUMNS_NAME``; None: there is no such file.

    Returns:
        The path of ``report.md``.

    Raises:
        StoreError: a folder has no finished run or is damaged, the runs differ in corpus or
            folds, one of several is leaky, or ``output`` is the folder of another run or cannot be
            written.
    """
    check_output(output, folders)
    results = load_results(folders)
    tables, added = make_tables(results), adds(results)
    for path, text in determined_texts(results, tables, added).items():
        write_text(below(output, path), text)
    if columns is not None:
        chosen = chosen_columns(tables.shared["comparison"], columns)
        write_text(below(output, COLUMNS_NAME), latex(chosen))
    for path, figure in make_figures(results, tables, added).items():
        write_figure(below(output, path), figure)
    report = output / "report.md"
    write_text(report, report_text(results, tables))
    return report


def check_output(output: Path, folders: Sequence[Path]) -> None:
    """
    Raises:
        StoreError: ``output`` is the folder of a run other than the only one reported, or it cannot
            be written.
    """
    check_writable(output, "--output")
    if (output / "plan.json").exists() and [output.resolve()] != [f.resolve() for f in folders]:
        raise StoreError(f"{output} is the folder of a run; choose a folder for this report")


def write_table(table: Table, figure: Figure, folder: Path) -> Path:
    """Write a table as ``.md``, ``.csv``, ``.tex`` and ``.html``, and its figure as ``.png``,
    ``.pdf`` and ``.svg``.

    Returns:
        The path of the ``.md``.

    Raises:
        StoreError: ``folder`` belongs to a run, or a file cannot be written.
    """
    check_output(folder, ())
    page = below(folder, f"{table.name}.md")
    for suffix, text in table_texts(table).items():
        write_text(page.with_suffix(suffix), text)
    write_figure(page.with_suffix(".png"), figure)
    return page


def write_figure(path: Path, figure: Figure) -> None:
    """Write a figure as PNG to ``path``, and as PDF and SVG next to it.

    Raises:
        StoreError: a file cannot be written.
    """
    from serbench.results.figure.png import figure_files  # needs matplotlib, as few commands do

    for suffix, content in figure_files(figure).items():
        write_atomically(path.with_suffix(suffix), content)


def render_published(*folders: Path) -> RichTable | None:
    """A suite's published results next to the measured ones, for a terminal; None for other runs.

    Raises:
        StoreError: see ``write_report``.
    """
    results = load_results(folders)
    table = published_table(results)
    return table and console_table(stamped(table, results))


def render_comparison(*folders: Path) -> RichTable:
    """The comparison of one or several runs for a terminal.

    Raises:
        StoreError: see ``write_report``.
    """
    results = load_results(folders)
    return console_table(shown_comparison(results), mark(results.protocol))
