"""The page of a survey."""

from __future__ import annotations

from serbench.checks.survey.charts import duration_chart, speaker_chart
from serbench.checks.survey.records import CHECKS, Survey, numbered, shown, verdict
from serbench.results.pages.charts.chart import Chart
from serbench.results.pages.charts.svg import SPRITE
from serbench.results.pages.pages import page

PACKAGE = "serbench.checks.survey"

NAMES = 60
"""Names that a finding lists before it counts the rest."""

MARKS = {"ok": "passed", "note": "", "warning": "other", "error": "broken"}
"""Classes of the stylesheet for each severity."""


def survey_page(found: Survey) -> str:
    """One self-contained page of everything that was found."""
    alarms = [
        f"{CHECKS[finding.code][0]}: {finding.what} {finding.advice}"
        for finding in found.of("error")
    ]
    detailed = [f for f in found.findings if f.advice or f.names or f.evidence]
    return page(
        f"Check of {found.dataset}",
        "survey.html.j2",
        package=PACKAGE,
        contents=[("summary", "Summary"), *((f.code, CHECKS[f.code][0]) for f in detailed)],
        alarms=alarms,
        sprite=SPRITE,
        verdict=verdict(found),
        facts=facts(found),
        card=found.card,
        findings=[
            {
                "finding": finding,
                "title": CHECKS[finding.code][0],
                "why": CHECKS[finding.code][1],
                "mark": MARKS[finding.severity],
                "names": shown(finding.names, NAMES),
                "chart": _chart(finding.code, found),
                "detailed": finding in detailed,
            }
            for finding in found.findings
        ],
    )


def facts(found: Survey) -> list[tuple[str, str]]:
    """What the corpus is, in a few titles and values."""
    utterances = found.utterances
    seconds = sum(utterance.duration_s for utterance in utterances)
    speakers = {utterance.speaker for utterance in utterances}
    rows = [
        ("Corpus", found.card.title),
        ("Folder", str(found.folder)),
        ("Utterances", str(found.recordings)),
        ("Speakers", str(len(speakers))),
        ("Classes", f"{len(found.card.labels)}: {', '.join(found.card.labels)}"),
        ("Speech", f"{seconds / 60:.1f} min"),
        ("Language", found.card.language),
        ("Emotions", found.card.elicitation),
        ("Licence", found.card.licence),
    ]
    if unread := found.recordings - len(utterances):
        rows.insert(3, ("Not readable", numbered(unread, "file")))
    return rows


def _chart(code: str, found: Survey) -> Chart | None:
    if code == "durations":
        return duration_chart(found.utterances)
    return speaker_chart(found.utterances) if code == "speaker-label" else None
