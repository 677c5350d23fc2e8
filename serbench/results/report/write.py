"""Reports on the disk and at a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from rich.table import Table as RichTable

from serbench.api import StoreError
from serbench.files.atomic import write_atomically
from serbench.results.report import figures, render
from serbench.results.report.build import determined_texts, make_tables, report_text
from serbench.results.report.results import Results, load_results
from serbench.results.report.tables import Table
from serbench.studies.ablation.measure import ablation_results
from serbench.studies.ablation.output import ablation_figure, rich_ablation


def write_report(folder: Path) -> Path:
    """Write ``report.md``, ``certificate.md``, ``tables/`` and ``figures/`` into a run's folder.

    That of an ablation gets ``ablation.md`` as well.

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


def write_study(table: Table, certificates: str, figure: Figure, folder: Path) -> Path:
    """Write a table as ``.md``, ``.csv``, ``.tex`` and ``.html``, and its figure as ``.png``.

    Args:
        table: its name is that of the files.
        certificates: digests that stand under it.
        figure: of the same.
        folder: made where needed.

    Returns:
        The path of the ``.md``.

    Raises:
        StoreError: ``folder`` is that of a run, or a file cannot be written.
    """
    check_output(folder, ())
    page = folder / f"{table.name}.md"
    write_atomically(page, render.markdown(table, f"`{certificates}`").encode())
    write_atomically(page.with_suffix(".csv"), render.csv(table, certificates).encode())
    write_atomically(
        page.with_suffix(".html"), render.html_document([table], certificates).encode()
    )
    write_atomically(page.with_suffix(".tex"), render.latex(table, certificates).encode())
    write_atomically(page.with_suffix(".png"), figures.png(figure))
    return page


def render_comparison(*folders: Path) -> RichTable:
    """The comparison of one or several runs for a terminal.

    Raises:
        StoreError: as ``write_combined_report``.
    """
    return render.rich_comparison(load_results(folders))


def render_ablation(folder: Path) -> RichTable:
    """The table of an ablation for a terminal.

    Raises:
        StoreError: as ``write_report``, or the run is no ablation.
    """
    found = ablation_results(load_results([folder]))
    if found is None:
        raise StoreError(f"{folder} is no ablation; make one with `serbench ablate`")
    return rich_ablation(found)


def _write(results: Results, folder: Path) -> Path:
    tables = make_tables(results)
    for path, text in determined_texts(results, tables).items():
        write_atomically(folder / path, text.encode())
    place = folder / "figures"
    dataset = str(results.dataset["name"])
    write_atomically(place / "ua.png", figures.png(figures.ua_figure(results, dataset)))
    for result in results.comparison.methods:
        figure = figures.confusion_figure(result, results, dataset)
        name = tables.confusions[result.method].name
        write_atomically(place / f"{name}.png", figures.png(figure))
    if (ablation := ablation_results(results)) is not None:
        write_atomically(place / "ablation.png", figures.png(ablation_figure(ablation)))
    report = folder / "report.md"
    write_atomically(report, report_text(results, tables).encode())
    return report
