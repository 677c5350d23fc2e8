"""The page of a survey."""

from __future__ import annotations

from collections.abc import Sequence

from serbench.checks.finding import Finding
from serbench.checks.show import OUTCOME, TONES, facts
from serbench.checks.survey.charts import duration_chart, speaker_chart
from serbench.checks.survey.records import CHECKS, Survey
from serbench.errors import listed
from serbench.results.figure.figure import Figure
from serbench.results.pages.page import page
from serbench.results.table.columns import Column, make_table
from serbench.results.table.table import Table

PACKAGE = "serbench.checks.survey"

UNITS = 60
"""Number of units that a finding lists; further ones are counted."""


def survey_page(found: Survey) -> str:
    """One self-contained page of all findings."""
    every = found.findings
    alarms = [f"{CHECKS[f.check][0]}: {f.message} {f.remedy}" for f in every.of("failed")]
    detailed = [f for f in every.found if f.remedy or f.units or f.tables]
    return page(
        f"Check of {found.dataset}",
        "survey.html.j2",
        package=PACKAGE,
        contents=[("summary", "Summary"), *((f.check, CHECKS[f.check][0]) for f in detailed)],
        alarms=alarms,
        verdict=every.verdict,
        facts=list(facts(every)),
        checks=checks_table(every.found, detailed),
        card=found.card,
        findings=[
            {
                "finding": finding,
                "title": CHECKS[finding.check][0],
                "why": CHECKS[finding.check][1],
                "tone": TONES[finding.outcome],
                "units": listed(map(str, finding.units), UNITS),
                "figure": _chart(finding.check, found),
                "detailed": finding in detailed,
                "tables": finding.tables,
            }
            for finding in every.found
        ],
    )


def checks_table(findings: Sequence[Finding], detailed: Sequence[Finding]) -> Table:
    """Every check with its outcome, linked to its details."""
    columns: list[Column[Finding]] = [
        Column(
            "Check", lambda each: CHECKS[each.check][0],
            link=lambda each: f"#{each.check}" if each in detailed else "",
        ),
        Column("Outcome", lambda each: each.outcome, OUTCOME),
        Column("Finding", lambda each: each.message),
    ]  # fmt: skip
    return make_table(
        "checks",
        "Checks and findings",
        columns,
        findings,
        notes=(
            "failed: do not trust scores on this corpus as it is. warning: scores are weaker "
            "than they look. note: report it with the scores.",
        ),
    )


def _chart(check: str, found: Survey) -> Figure | None:
    if check == "durations":
        return duration_chart(found.utterances)
    return speaker_chart(found.utterances) if check == "speaker-label" else None
