"""Makes the texts and figures of a report from results: tables, the report, certificates' pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from serbench.files.digests import shown_digest
from serbench.results.compare.names import display_name, shown_name
from serbench.results.compare.records import MethodResult
from serbench.results.figure.figure import Figure
from serbench.results.report import kept
from serbench.results.report.by_test_set import test_sets_table
from serbench.results.report.certificate import certificate_page
from serbench.results.report.claims import claims_table
from serbench.results.report.comparison import (
    COMPACT,
    chosen_columns,
    comparison_table,
    folds_table,
    shown_comparison,
    speakers_table,
    split_comparison,
    stamped,
)
from serbench.results.report.confusions import confusion_figure, confusion_table, worst_confusion
from serbench.results.report.costs import costs_figure
from serbench.results.report.findings import findings, headline
from serbench.results.report.marks import mark, marked
from serbench.results.report.published import published_table
from serbench.results.report.results import Results, load_results
from serbench.results.report.scores import scores_figure
from serbench.results.report.settings import (
    chosen_table,
    environment_lines,
    plan_lines,
    protocol_line,
    settings_table,
    timing_lines,
)
from serbench.results.report.significance import significance_table
from serbench.results.report.training import training_problems
from serbench.results.report.worth import worth
from serbench.results.table.files import latex, markdown, rows_csv, table_texts
from serbench.results.table.table import Table, told_once
from serbench.results.templating import templates
from serbench.running.store.finished import StoredRun


@dataclass(frozen=True, slots=True)
class Addition:
    """What the study for which a run was made adds to its report.

    Attributes:
        tables: tables after ``stamped``, each in a file of its name.
        figures: figures, likewise.
        pages: Markdown by path below the report's folder.
    """

    tables: tuple[Table, ...]
    figures: tuple[Figure, ...] = ()
    pages: Mapping[str, str] = field(default_factory=dict)


Adds = Callable[[Results], Addition | None]
"""Returns what is added to the report of a run; None for a run that was made for no study."""


def nothing_more(_: Results) -> None:
    """Add nothing to the report."""


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of a report, stamped.

    Attributes:
        shared: tables about all methods, by name.
        confusions: a table for each method, by method.
    """

    shared: dict[str, Table]
    confusions: dict[str, Table]

    @property
    def all(self) -> tuple[Table, ...]:
        """All tables of both kinds."""
        return (*self.shared.values(), *self.confusions.values())


def report_texts(folder: Path, adds: Adds = nothing_more) -> dict[str, str]:
    """Texts of a finished run that depend only on its content, as ``write_report`` writes them.

    They have no time and nothing of the folder's name or place, so the same run gives the same
    texts anywhere.

    Returns:
        Texts by path below the run's folder: ``tables/*``, ``certificate.md``, and what ``adds``
        returns.

    Raises:
        StoreError: the folder has no finished run, or is damaged.
    """
    results = load_results([folder])
    return determined_texts(results, make_tables(results), adds(results))


def determined_texts(results: Results, tables: Tables, added: Addition | None) -> dict[str, str]:
    """Texts by path below the report's folder, of all that contains no time and no place."""
    more = added or Addition(())
    return {
        **{
            f"tables/{table.name}{suffix}": text
            for table in (*tables.all, *more.tables)
            for suffix, text in table_texts(table).items()
        },
        "tables/comparison.tex": latex(chosen_columns(tables.shared["comparison"], COMPACT)),
        "tables/predictions.csv": predictions_csv(results),
        **kept_texts(results),
        **more.pages,
        **certificate_texts(results),
    }


def make_tables(results: Results) -> Tables:
    """Make every table, with the mark of a leaky run, and with the warnings under it."""
    compared = results.comparison
    slugs = unique_slugs(result.method for result in compared.methods)
    made = (
        comparison_table(results),
        folds_table(results),
        significance_table(results),
        published_table(results) or claims_table(results),
        speakers_table(results),
        test_sets_table(results),
        settings_table(results),
        chosen_table(results),
    )
    return Tables(
        shared={table.name: stamped(table, results) for table in made if table is not None},
        confusions={
            each.method: stamped(
                confusion_table(each, compared.labels, slugs[each.method]), results
            )
            for each in compared.methods
        },
    )


def make_figures(results: Results, tables: Tables, added: Addition | None) -> dict[str, Figure]:
    """Figures by path below the report's folder."""
    return {
        "figures/ua.png": scores_figure(results),
        **({"figures/flops.png": costs} if (costs := costs_figure(results)) else {}),
        **{
            f"figures/{tables.confusions[result.method].name}.png": confusion_figure(
                result, results
            )
            for result in results.comparison.methods
        },
        **{f"figures/{each.name}.png": each for each in (added.figures if added else ())},
    }


def kept_texts(results: Results) -> dict[str, str]:
    """What ``serbench show`` prints of a run, by path; nothing for a report over several."""
    first, *others = results.runs
    if others:
        return {}
    shown, alarm = shown_comparison(results), mark(results.protocol)
    return {kept.FILE: kept.kept_text(first.folder, shown, alarm)}


def predictions_csv(results: Results) -> str:
    """Every prediction behind the tables: method, seed, fold, utterance, posteriors.

    All scores of the report follow from these rows. The certificate identifies the run.
    """
    rows = results.every_prediction.copy()
    rows.insert(0, "protocol", results.protocol)
    return rows_csv(rows)


def certificate_texts(results: Results) -> dict[str, str]:
    """The page of each run's certificate, by path below the report's folder."""
    paths = _certificate_paths(results)
    return {paths[run.name]: certificate_page(run.certificate) for run in results.runs}


def _certificate_paths(results: Results) -> dict[str, str]:
    """Paths by run; a report over several runs has a page for each."""
    if len(results.runs) == 1:
        return {results.runs[0].name: "certificate.md"}
    slugs = unique_slugs(run.name for run in results.runs)
    return {name: f"certificate-{slug}.md" for name, slug in slugs.items()}


def unique_slugs(names: Iterable[str]) -> dict[str, str]:
    """A distinct file name part for each name, whatever characters it has."""
    slugs: dict[str, str] = {}
    for name in names:
        base = slug = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "method"
        number = 2
        while slug in slugs.values():
            slug, number = f"{base}-{number}", number + 1
        slugs[name] = slug
    return slugs


def report_text(results: Results, tables: Tables) -> str:
    """The text of ``report.md``."""
    names = ", ".join(display_name(result.method) for result in results.comparison.students)
    scores, details = split_comparison(tables.shared["comparison"])
    shared = {**tables.shared, "comparison": scores, "details": details}
    return (
        templates()
        .get_template("report.md.j2")
        .render(
            title=marked(results.protocol, f"{results.dataset['name']}: {names}"),
            mark=mark(results.protocol),
            warnings=[*training_problems(results), *results.warnings],
            headline=headline(results),
            protocol=protocol_line(results),
            findings=[*findings(results), *worth(results)],
            costs=costs_figure(results) is not None,
            tables=dict(zip(shared, map(markdown, told_once(shared.values())), strict=True)),
            confusions=[
                _confusion(result, tables.confusions[result.method], results)
                for result in results.comparison.methods
            ],
            runs=[_run(results, run) for run in results.runs],
        )
    )


def _confusion(result: MethodResult, table: Table, results: Results) -> dict[str, str]:
    return {
        "title": shown_name(result.method),
        "worst": worst_confusion(result, results.comparison.labels),
        "table": markdown(told_once([table])[0]),
        "figure": f"figures/{table.name}.png",
    }


def certificate_links(results: Results) -> str:
    """Start of each certificate's digest, with a link to the page that has all of it."""
    paths = _certificate_paths(results)
    return ", ".join(
        f"[`{shown_digest(run.certificate.digest)}`]({paths[run.name]})" for run in results.runs
    )


def _run(results: Results, run: StoredRun) -> dict[str, object]:
    command = str(run.plan["command"])
    longest = max((len(ticks) for ticks in re.findall("`+", command)), default=0)
    return {
        "name": run.name,
        "certificate": run.certificate,
        "certificate_page": _certificate_paths(results)[run.name],
        "folds_digest": run.plan["folds_digest"],
        "fence": "`" * max(3, longest + 1),
        "command": command,
        "plan": plan_lines(run),
        "timing": timing_lines(results, run),
        "environment": environment_lines(run),
    }
