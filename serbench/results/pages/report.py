"""``report.html``: one page of one run, or of several over the same corpus and folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from serbench.results.pages.calibration import calibration
from serbench.results.pages.charts.svg import SPRITE
from serbench.results.pages.confusions import matrices
from serbench.results.pages.curves import learning_curves
from serbench.results.pages.deployment import deployments
from serbench.results.pages.overview import comparison_charts, headline, page_title
from serbench.results.pages.pages import page
from serbench.results.pages.readings import trusts
from serbench.results.pages.recall import breakdowns
from serbench.results.pages.series import methods_of
from serbench.results.pages.studies import study_sections
from serbench.results.pages.traces import trace_data
from serbench.results.record import NO_STUDIES, Stored
from serbench.results.report.build import make_tables, unique_slugs
from serbench.results.report.certificate import SHOWN, CertificateParts, certificate_parts
from serbench.results.report.marks import mark, marked
from serbench.results.report.results import Results
from serbench.results.report.settings import (
    environment_lines,
    findings,
    plan_lines,
    protocol_line,
    timing_lines,
)
from serbench.results.report.tables import Table, display_name
from serbench.running.store.finished import Run
from serbench.studies.ablation.measure import ablation_results

PLACED = ("comparison", "significance", "folds", "speakers", "settings", "chosen", "claims")
"""Tables that have a place of their own; any other is shown among the studies."""


@dataclass(frozen=True, slots=True)
class RunPart:
    """What the page says of a run."""

    run: Run
    slug: str
    parts: CertificateParts
    plan: list[tuple[str, str]]
    timing: list[tuple[str, str]]
    environment: list[tuple[str, str]]

    @property
    def command(self) -> str:
        """As it was typed."""
        return str(self.run.plan["command"])


def report_page(
    results: Results, deploy_files: Sequence[Path] = (), *, studies: Stored = NO_STUDIES
) -> str:
    """The page.

    Args:
        results: one run, or several.
        deploy_files: ``results.json`` files of ``serbench deploy`` besides those in the runs'
            folders.
        studies: what they found of the runs.

    Raises:
        StoreError: a file of a run's folder, or a named one, is damaged or of another run.
    """
    methods = methods_of(results)
    tables = make_tables(results).shared
    tables = {**tables, "comparison": _verdict_first(tables["comparison"])}
    curve, calibrated = calibration(results, methods)
    values: dict[str, Any] = {
        "headline": headline(results),
        "protocol": protocol_line(results),
        "findings": findings(results),
        "leaky": results.leaky,
        "certificates": ", ".join(run.certificate.digest[:SHOWN] for run in results.runs),
        "tables": tables,
        "comparison_charts": comparison_charts(results, methods),
        "matrices": matrices(results, methods),
        "breakdowns": breakdowns(results, methods),
        "calibration_chart": curve,
        "calibration_table": calibrated,
        "learning": learning_curves(results, methods),
        "trusts": trusts(results, methods),
        "deployments": deployments(results, deploy_files),
        "studies": list(study_sections(studies.records, named=len(results.runs) > 1)),
        "outdated": studies.outdated,
        "ablated": ablation_results(results) is not None,
        "others": [table for name, table in tables.items() if name not in PLACED],
        "runs": _runs(results),
        "facts": _facts(results),
        "trace": trace_data(results, methods),
        "sprite": SPRITE,
    }
    alarm = mark(results.protocol)
    return page(
        marked(results.protocol, page_title(results)),
        "report.html.j2",
        alarms=[alarm] if alarm else [],
        warnings=results.warnings,
        contents=_contents(values),
        **values,
    )


def _verdict_first(table: Table) -> Table:
    """The comparison, with UA and what is said of its difference before all other scores.

    It is wider than most windows, and what scrolls out of sight must not be the verdict.
    """
    names = list(table.columns)
    first = ["Method", "UA", *names[names.index("UA over folds") + 1 :]]
    order = [names.index(name) for name in (*first, *(n for n in names if n not in first))]
    sections = tuple(
        replace(section, rows=tuple(tuple(row[n] for n in order) for row in section.rows))
        for section in table.sections
    )
    return replace(
        table,
        columns=tuple(names[n] for n in order),
        alignment="".join(table.alignment[n] for n in order),
        sections=sections,
    )


def _contents(values: dict[str, Any]) -> list[tuple[str, str]]:
    """The parts that there are, as anchors and titles."""
    parts = {
        "summary": ("Summary", True),
        "comparison": ("Scores" if values["leaky"] else "Comparison", True),
        "confusions": ("Confusions", True),
        "breakdowns": ("Classes, speakers, folds", True),
        "calibration": ("Calibration", True),
        "learning": ("Learning curves", values["learning"]),
        "teachers": ("Trust in teachers", values["trusts"]),
        "deployment": ("Deployment", values["deployments"]),
        **{each.anchor: (each.title, True) for each in values["studies"]},
        "others": ("Further studies", values["others"] or values["outdated"]),
        "claims": ("Claims by others", "claims" in values["tables"]),
        "certificate": ("Certificate", True),
        "reproduce": ("How to reproduce", True),
    }
    return [(anchor, title) for anchor, (title, there) in parts.items() if there]


def _facts(results: Results) -> list[tuple[str, str]]:
    """What was run, on what."""
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
