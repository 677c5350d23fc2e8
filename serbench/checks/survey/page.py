"""The page of a survey."""

from __future__ import annotations

from serbench.checks.finding import Outcome
from serbench.checks.show import facts
from serbench.checks.survey.charts import duration_chart, speaker_chart
from serbench.checks.survey.records import CHECKS, Survey
from serbench.protocol.splits.groups import listed
from serbench.results.pages.charts.chart import Chart
from serbench.results.pages.charts.svg import SPRITE
from serbench.results.pages.pages import page
from serbench.results.table.table import Table

PACKAGE = "serbench.checks.survey"

UNITS = 60
"""Units that a finding lists before it counts the rest."""

MARKS: dict[Outcome, str] = {
    "passed": "passed", "note": "", "warning": "other", "failed": "broken", "not run": ""
}  # fmt: skip
"""Classes of the stylesheet for each outcome."""


def survey_page(found: Survey) -> str:
    """One self-contained page of everything that was found."""
    every = found.findings
    alarms = [f"{CHECKS[f.check][0]}: {f.message} {f.remedy}" for f in every.of("failed")]
    detailed = [f for f in every.found if f.remedy or f.units or f.tables]
    return page(
        f"Check of {found.dataset}",
        "survey.html.j2",
        package=PACKAGE,
        contents=[("summary", "Summary"), *((f.check, CHECKS[f.check][0]) for f in detailed)],
        alarms=alarms,
        sprite=SPRITE,
        verdict=every.verdict,
        facts=list(facts(every)),
        card=found.card,
        findings=[
            {
                "finding": finding,
                "title": CHECKS[finding.check][0],
                "why": CHECKS[finding.check][1],
                "mark": MARKS[finding.outcome],
                "units": listed(map(str, finding.units), UNITS),
                "chart": _chart(finding.check, found),
                "detailed": finding in detailed,
                "tables": [_shim(table) for table in finding.tables],
            }
            for finding in every.found
        ],
    )


def _chart(check: str, found: Survey) -> Chart | None:
    if check == "durations":
        return duration_chart(found.utterances)
    return speaker_chart(found.utterances) if check == "speaker-label" else None


def _shim(table: Table) -> dict[str, object]:
    return {
        "caption": table.caption,
        "columns": table.columns,
        "alignment": ["r" if head.right else "l" for head in table.heads],
        "sections": [{"rows": [[c.text for c in row] for row in table.rows], "heading": ""}],
        "notes": (),
        "warnings": (),
        "rows": table.rows,
    }
