"""Reports on the disk and at a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table as RichTable

from serbench.api import StoreError
from serbench.report import figures, render
from serbench.report.build import certificate_texts, make_tables, report_text, table_texts
from serbench.report.results import Results, load_results
from serbench.store import write_atomically


def write_report(folder: Path) -> Path:
    """Write ``report.md``, ``certificate.md``, ``tables/`` and ``figures/`` into a run's folder.

    Returns:
        The path of ``report.md``.

    Raises:
        StoreError: the folder holds no finished run, is damaged, or cannot be written.
    """
    return _write(load_results([folder]), folder)


def write_combined_report(folders: Sequence[Path], output: Path) -> Path:
    """Write one report over several runs into ``output``.

    Raises:
        StoreError: as ``write_report``, the runs differ in corpus or folds, one of several is
            leaky, or ``output`` is the folder of another run.
    """
    check_output(output, folders)
    return _write(load_results(folders), output)


def check_output(output: Path, folders: Sequence[Path]) -> None:
    """
    Raises:
        StoreError: ``output`` is the folder of a run, and not of the only one reported.
    """
    if (output / "plan.json").exists() and [output.resolve()] != [f.resolve() for f in folders]:
        raise StoreError(f"{output} is the folder of a run; choose a folder for this report")


def render_comparison(*folders: Path) -> RichTable:
    """The comparison of one or several runs for a terminal.

    Raises:
        StoreError: as ``write_combined_report``.
    """
    return render.rich_comparison(load_results(folders))


def _write(results: Results, folder: Path) -> Path:
    tables = make_tables(results)
    texts = table_texts(results, tables) | certificate_texts(results)
    for path, text in texts.items():
        write_atomically(folder / path, text.encode())
    place = folder / "figures"
    dataset = str(results.dataset["name"])
    write_atomically(place / "ua.png", figures.png(figures.ua_figure(results, dataset)))
    for result in results.comparison.methods:
        figure = figures.confusion_figure(result, results, dataset)
        name = tables.confusions[result.method].name
        write_atomically(place / f"{name}.png", figures.png(figure))
    report = folder / "report.md"
    write_atomically(report, report_text(results, tables).encode())
    return report
