"""Results as the texts of a report: every table, the report itself, the certificates' pages."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from serbench.results.compare.records import MethodResult
from serbench.results.report import render
from serbench.results.report.certificate import certificate_page
from serbench.results.report.claims import claims_table
from serbench.results.report.confusions import confusion_table, worst_confusion
from serbench.results.report.marks import mark, marked
from serbench.results.report.results import Results, load_results
from serbench.results.report.settings import (
    chosen_table,
    environment_lines,
    findings,
    plan_lines,
    protocol_line,
    settings_table,
    timing_lines,
)
from serbench.results.report.significance import significance_table
from serbench.results.report.tables import (
    Table,
    comparison_table,
    display_name,
    folds_table,
    speakers_table,
)
from serbench.running.store.finished import Run
from serbench.studies.ablation.measure import ablation_results, ablation_table
from serbench.studies.ablation.output import ablation_page


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of a report, marked.

    Attributes:
        shared: those about all methods, by name.
        confusions: one for each method, by method.
    """

    shared: dict[str, Table]
    confusions: dict[str, Table]


def report_texts(folder: Path) -> dict[str, str]:
    """The texts that a finished run determines, as ``write_report`` writes them.

    They hold no time and nothing of the folder's name or place, so the same run gives the same
    texts anywhere.

    Returns:
        Path below the run's folder to text: ``tables/*.md``, ``*.csv``, ``*.tex``,
        ``certificate.md``, and ``ablation.md`` of an ablation.

    Raises:
        StoreError: the folder holds no finished run, or is damaged.
    """
    results = load_results([folder])
    return determined_texts(results, make_tables(results))


def determined_texts(results: Results, tables: Tables) -> dict[str, str]:
    """Path below the report's folder to text, of all that holds no time and no place."""
    return {
        **table_texts(results, tables),
        "tables/predictions.csv": predictions_csv(results),
        **ablation_texts(results, tables),
        **certificate_texts(results),
    }


def make_tables(results: Results) -> Tables:
    """Every table, with the mark of a leaky run and the warnings under it."""
    compared = results.comparison
    slugs = unique_slugs(result.method for result in compared.methods)
    ablation = ablation_results(results)
    made = (
        comparison_table(results),
        folds_table(results),
        significance_table(results),
        claims_table(results),
        speakers_table(results),
        settings_table(results),
        chosen_table(results),
        ablation_table(ablation) if ablation else None,
    )
    return Tables(
        shared={table.name: marked_table(table, results) for table in made if table is not None},
        confusions={
            result.method: marked_table(
                confusion_table(result, compared.labels, slugs[result.method]), results
            )
            for result in compared.methods
        },
    )


def marked_table(table: Table, results: Results) -> Table:
    """The table as it may leave the house: every row, its caption and its foot say what it is."""
    data = table.data.copy()
    data.insert(0, "protocol", results.protocol, allow_duplicates=True)
    return replace(
        table,
        caption=marked(results.protocol, table.caption),
        data=data,
        warnings=results.warnings,
    )


def table_texts(results: Results, tables: Tables) -> dict[str, str]:
    """Path below the report's folder to text, of every table in every format."""
    certificates = results.certificates
    return {
        f"tables/{table.name}.{suffix}": text
        for table in (*tables.shared.values(), *tables.confusions.values())
        for suffix, text in (
            ("md", render.markdown(table, f"`{certificates}`")),
            ("csv", render.csv(table, certificates)),
            ("tex", render.latex(table, certificates)),
            ("html", render.html_document([table], certificates)),
        )
    }


def predictions_csv(results: Results) -> str:
    """Every prediction behind the tables: method, seed, fold, utterance, posteriors.

    All scores of the report follow from these rows. The certificate tells runs apart.
    """
    rows = results.predictions.copy()
    rows.insert(0, "protocol", results.protocol)
    return rows.to_csv(index=False, lineterminator="\n", float_format="%.6f")


def ablation_texts(results: Results, tables: Tables) -> dict[str, str]:
    """``ablation.md`` of a run that is one; nothing for any other."""
    ablation = ablation_results(results)
    if ablation is None:
        return {}
    links = _certificate_links(results)
    return {"ablation.md": ablation_page(ablation, tables.shared["ablation"], links)}


def certificate_texts(results: Results) -> dict[str, str]:
    """Path below the report's folder to the page of each run's certificate."""
    paths = _certificate_paths(results)
    return {paths[run.name]: certificate_page(run.certificate) for run in results.runs}


def _certificate_paths(results: Results) -> dict[str, str]:
    """By run; a report over several runs has a page for each."""
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
    """The whole ``report.md``."""
    names = ", ".join(display_name(result.method) for result in results.comparison.students)
    links = _certificate_links(results)
    return (
        render.templates()
        .get_template("report.md.j2")
        .render(
            title=marked(results.protocol, f"{results.dataset['name']}: {names}"),
            mark=mark(results.protocol),
            warnings=results.warnings,
            protocol=protocol_line(results),
            findings=findings(results),
            tables={name: render.markdown(table, links) for name, table in tables.shared.items()},
            confusions=[
                _confusion(result, tables.confusions[result.method], results)
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
    """Start of each certificate's digest; its page gives it in full, with all it vouches for."""
    paths = _certificate_paths(results)
    return ", ".join(
        f"[`{run.certificate.digest[:12]}`]({paths[run.name]})" for run in results.runs
    )


def _run(results: Results, run: Run) -> dict[str, object]:
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
