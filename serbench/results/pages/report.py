"""``report.html``: one page of one run, or of several over the same corpus and folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from serbench.results.compare.names import display_name
from serbench.results.figure.figure import Figure
from serbench.results.pages.calibration import calibration
from serbench.results.pages.confusions import matrices
from serbench.results.pages.curves import learning_curves
from serbench.results.pages.page import page
from serbench.results.pages.recall import breakdowns
from serbench.results.pages.series import methods_of
from serbench.results.pages.traces import trace_data
from serbench.results.record import NO_STUDIES, StoredStudies, StudyRecord
from serbench.results.report.about import bibtex, glossary, method_lines
from serbench.results.report.build import Addition, make_tables, unique_slugs
from serbench.results.report.certificate import CertificateParts, certificate_parts
from serbench.results.report.comparison import split_comparison
from serbench.results.report.costs import costs_figure
from serbench.results.report.findings import findings, headline, page_title
from serbench.results.report.marks import mark, marked
from serbench.results.report.methods_text import methods_text
from serbench.results.report.results import Results
from serbench.results.report.scores import differences_figure, scores_figure
from serbench.results.report.settings import (
    environment_lines,
    plan_lines,
    protocol_line,
    timing_lines,
)
from serbench.results.report.training import training_problems
from serbench.results.report.worth import worth
from serbench.results.table.table import Table, told_once
from serbench.running.store.finished import StoredRun

LONG = 12
"""A study's table with more rows is folded away."""


@dataclass(frozen=True, slots=True)
class StudyPart:
    """What the page shows of a study.

    Attributes:
        anchor: anchor of its section.
        title: its title, with the run's name if there are several.
        folded: tables that are folded away.
    """

    anchor: str
    title: str
    lines: tuple[str, ...]
    figures: tuple[Figure, ...]
    tables: tuple[Table, ...]
    folded: tuple[Table, ...]


@dataclass(frozen=True, slots=True)
class RunPart:
    """What the page shows of a run."""

    run: StoredRun
    slug: str
    parts: CertificateParts
    plan: list[tuple[str, str]]
    timing: list[tuple[str, str]]
    environment: list[tuple[str, str]]

    @property
    def command(self) -> str:
        """The run's command as the user typed it."""
        return str(self.run.plan["command"])


def report_page(
    results: Results, studies: StoredStudies = NO_STUDIES, added: Addition | None = None
) -> str:
    """Make the page.

    Args:
        results: one run, or several.
        studies: findings of studies about these runs.
        added: what is added by the study for which the run was made.
    """
    methods = methods_of(results)
    tables = page_tables(make_tables(results).shared)
    curve, calibrated = calibration(results, methods)
    learning = learning_curves(results, methods)
    scores, differences = scores_figure(results), differences_figure(results)
    values: dict[str, Any] = {
        "headline": headline(results),
        "protocol": protocol_line(results),
        "findings": [*findings(results), *worth(results)],
        "leaky": results.leaky,
        "classes": len(results.comparison.labels),
        "terms": glossary(results, learning=bool(learning)),
        "about": method_lines(results),
        "methods_text": methods_text(results),
        "bibtex": bibtex(results),
        "tables": tables,
        "comparison_figures": [scores, differences] if differences else [scores],
        "costs_figure": costs_figure(results),
        "added": added and replace(added, tables=tuple(told_once(added.tables))),
        "matrices": matrices(results, methods),
        "breakdowns": breakdowns(results, methods),
        "calibration_figure": curve,
        "calibration_table": calibrated,
        "learning": learning,
        "studies": [_study(each, studies.records, results) for each in studies.records],
        "outdated": studies.outdated,
        "runs": _runs(results),
        "facts": _facts(results),
        "trace": trace_data(results, methods),
    }
    alarm = mark(results.protocol)
    return page(
        marked(results.protocol, page_title(results)),
        "report.html.j2",
        alarms=[alarm] if alarm else [],
        warnings=[*training_problems(results), *results.warnings],
        contents=_contents(values),
        **values,
    )


def page_tables(shared: Mapping[str, Table]) -> dict[str, Table]:
    """The tables of a report as its page has them: warnings and certificates are elsewhere."""
    scores, details = split_comparison(shared["comparison"])
    tables = {"comparison": scores, "details": details}
    tables |= {name: table for name, table in shared.items() if name != "comparison"}
    if tests := tables.get("significance"):
        tables["significance"] = tests.only([t for t in tests.columns if t != "Verdict"])
    return dict(zip(tables, told_once(tables.values()), strict=True))


def _study(record: StudyRecord, records: Sequence[StudyRecord], results: Results) -> StudyPart:
    same = [each for each in records if each.study == record.study]
    anchor = f"study-{record.study}" + (f"-{same.index(record) + 1}" if len(same) > 1 else "")
    named = (replace(each, name=f"{anchor}-table-{each.name}") for each in record.tables)
    tables = told_once(named)
    several = len(results.runs) > 1
    return StudyPart(
        anchor=anchor,
        title=f"{record.title}: {', '.join(record.runs)}" if several else record.title,
        lines=record.lines,
        figures=tuple(replace(f, name=f"{anchor}-{f.name}") for f in record.figures),
        tables=tuple(each for each in tables if len(each.rows) <= LONG),
        folded=tuple(each for each in tables if len(each.rows) > LONG),
    )


def _contents(values: dict[str, Any]) -> list[tuple[str, str]]:
    """Anchors and titles of the parts that the page has."""
    parts = {
        "summary": ("Summary", True),
        "comparison": ("Scores" if values["leaky"] else "Comparison", True),
        "confusions": ("Confusions", True),
        "breakdowns": ("Classes, speakers, folds", True),
        "calibration": ("Calibration", True),
        "learning": ("Learning curves", values["learning"]),
        **{each.anchor: (each.title, True) for each in values["studies"]},
        "published": ("Published and measured", "published" in values["tables"]),
        "claims": ("Claims by others", "claims" in values["tables"]),
        "terms": ("Terms and methods", True),
        "cite": ("For a paper", True),
        "certificate": ("Certificate", True),
        "reproduce": ("How to reproduce", True),
    }
    return [(anchor, title) for anchor, (title, there) in parts.items() if there]


def _facts(results: Results) -> list[tuple[str, str]]:
    """Facts about what was run, and on which data."""
    compared = results.comparison
    seeds = max(run.seeds for run in results.runs)
    profiles = ", ".join(dict.fromkeys(str(run.plan["profile"]) for run in results.runs))
    versions = ", ".join(dict.fromkeys(str(run.plan["serbench_version"]) for run in results.runs))
    facts = [
        ("Classes", ", ".join(compared.labels)),
        ("Outer folds", str(len(compared.fold_counts))),
        ("Seeds", str(seeds)),
        ("Profile", profiles),
        ("Run" if len(results.runs) == 1 else "Runs", ", ".join(r.name for r in results.runs)),
        ("Version", f"serbench {versions}"),
    ]
    if not results.leaky:
        facts.insert(0, ("Reference", display_name(compared.reference)))
    return facts


def _runs(results: Results) -> list[RunPart]:
    slugs = unique_slugs(run.name for run in results.runs)
    return [
        RunPart(
            run=run,
            slug=slugs[run.name],
            parts=certificate_parts(run.certificate),
            plan=plan_lines(run),
            timing=timing_lines(results, run),
            environment=environment_lines(run),
        )
        for run in results.runs
    ]
