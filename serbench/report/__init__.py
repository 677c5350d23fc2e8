"""From stored runs to tables and figures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.table import Table as RichTable

from serbench.api import StoreError
from serbench.compare import MethodResult
from serbench.report import figures, render
from serbench.report.results import Results, Run, load_results
from serbench.report.settings import (
    chosen_table,
    environment_lines,
    findings,
    plan_lines,
    protocol_line,
    settings_table,
    timing_lines,
)
from serbench.report.tables import (
    Table,
    comparison_table,
    confusion_table,
    display_name,
    folds_table,
    speakers_table,
    worst_confusion,
)
from serbench.store import write_atomically

__all__ = ["render_comparison", "write_combined_report", "write_report"]


def write_report(folder: Path) -> Path:
    """Write a run's ``report.md``, ``tables/`` and ``figures/`` into its folder.

    Returns:
        The path of ``report.md``.

    Raises:
        StoreError: the folder holds no finished run, is damaged, or cannot be written.
    """
    return _write(load_results([folder]), folder)


def write_combined_report(folders: Sequence[Path], output: Path) -> Path:
    """Write one report over several runs into ``output``.

    Raises:
        StoreError: as ``write_report``, the runs differ in corpus or folds, or ``output`` is the
            folder of another run.
    """
    if (output / "plan.json").exists() and [output.resolve()] != [f.resolve() for f in folders]:
        raise StoreError(f"{output} is the folder of a run; choose a folder for this report")
    return _write(load_results(folders), output)


def render_comparison(*folders: Path) -> RichTable:
    """The comparison of one or several runs for a terminal.

    Raises:
        StoreError: as ``write_combined_report``.
    """
    return render.rich_comparison(load_results(folders))


def _write(results: Results, folder: Path) -> Path:
    compared = results.comparison
    slugs = unique_slugs(result.method for result in compared.methods)
    dataset = str(results.dataset["name"])
    tables = {
        table.name: table
        for table in (
            comparison_table(results),
            folds_table(results),
            speakers_table(results),
            settings_table(results),
            chosen_table(results),
        )
        if table is not None
    }
    confusions = {
        method: confusion_table(result, compared.labels, slugs[method])
        for result in compared.methods
        for method in (result.method,)
    }
    for table in (*tables.values(), *confusions.values()):
        _write_table(table, results.certificates, folder / "tables")
    ua = figures.ua_figure(compared, dataset)
    write_atomically(folder / "figures" / "ua.png", figures.png(ua))
    for result in compared.methods:
        figure = figures.confusion_figure(result, compared.labels, dataset)
        path = folder / "figures" / f"confusion-{slugs[result.method]}.png"
        write_atomically(path, figures.png(figure))
    report = folder / "report.md"
    write_atomically(report, _markdown(results, tables, confusions).encode())
    return report


def unique_slugs(methods: Iterable[str]) -> dict[str, str]:
    """A distinct file name part for each method, whatever characters its name has."""
    slugs: dict[str, str] = {}
    for method in methods:
        base = slug = re.sub(r"[^A-Za-z0-9._-]+", "-", method).strip("-.") or "method"
        number = 2
        while slug in slugs.values():
            slug, number = f"{base}-{number}", number + 1
        slugs[method] = slug
    return slugs


def _write_table(table: Table, certificates: str, folder: Path) -> None:
    for suffix, text in (
        ("md", render.markdown(table, f"`{certificates}`")),
        ("csv", render.csv(table)),
        ("tex", render.latex(table, certificates)),
    ):
        write_atomically(folder / f"{table.name}.{suffix}", text.encode())


def _markdown(results: Results, tables: dict[str, Table], confusions: dict[str, Table]) -> str:
    """The whole ``report.md``."""
    names = ", ".join(display_name(result.method) for result in results.comparison.students)
    return (
        render.templates()
        .get_template("report.md.j2")
        .render(
            title=f"{results.dataset['name']}: {names}",
            protocol=protocol_line(results),
            findings=findings(results),
            tables={
                name: render.markdown(table, _certificate_links(results))
                for name, table in tables.items()
            },
            confusions=[
                _confusion(result, confusions[result.method], results)
                for result in results.comparison.methods
            ],
            runs=[_run(results, run) for run in results.runs],
        )
    )


def _confusion(result: MethodResult, table: Table, results: Results) -> dict[str, str]:
    kind = " (teacher)" if result.is_teacher else ""
    return {
        "title": display_name(result.method) + kind,
        "worst": worst_confusion(result, results.comparison.labels),
        "table": render.markdown(table, _certificate_links(results)),
        "figure": f"figures/{table.name}.png",
    }


def _certificate_links(results: Results) -> str:
    """Start of each certificate's digest; the report gives it in full, with its checks."""
    section = "#leakage-checks"
    return ", ".join(f"[`{run.certificate.digest[:12]}`]({section})" for run in results.runs)


def _run(results: Results, run: Run) -> dict[str, object]:
    command = str(run.plan["command"])
    longest = max((len(ticks) for ticks in re.findall("`+", command)), default=0)
    return {
        "name": run.name,
        "certificate": run.certificate,
        "folds_digest": run.plan["folds_digest"],
        "fence": "`" * max(3, longest + 1),
        "command": command,
        "plan": plan_lines(run),
        "timing": timing_lines(results, run),
        "environment": environment_lines(run),
    }
