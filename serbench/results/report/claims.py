"""Published claims of others on the same corpus, separate from the measured scores."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib import resources

from serbench.results.compare.names import NAMED
from serbench.results.compare.records import Estimate, MethodResult
from serbench.results.report.results import Results
from serbench.results.table.columns import Column, make_table
from serbench.results.table.formats import Format, interval_text
from serbench.results.table.table import Table

SOURCE = (
    "Khan et al., “Real-Time Emotion Recognition System Using Adaptive Distillation Technique”, "
    "2026, Table 3"
)


@dataclass(frozen=True, slots=True)
class Claim:
    """A claimed or measured result; WA and UA in 0 … 1, None if not reported."""

    method: str
    year: int | None
    wa: float | Estimate | None
    ua: float | Estimate | None
    reference: str
    status: str = "claimed"


def _score_text(score: float | Estimate) -> str:
    """A measured score with its interval, or a claimed one with two decimals."""
    return interval_text(score) if isinstance(score, Estimate) else f"{100 * score:.2f}"


SCORE: Format[float | Estimate] = Format(
    _score_text, numbers=lambda score: (score.value if isinstance(score, Estimate) else score,)
)

COLUMNS: list[Column[Claim]] = [
    Column("Method", lambda claim: claim.method, NAMED, key="method"),
    Column("", lambda claim: claim.status, key="status"),
    Column("Year", lambda claim: claim.year, Format(str), key="year"),
    Column("WA", lambda claim: claim.wa, SCORE, key="wa"),
    Column("UA", lambda claim: claim.ua, SCORE, key="ua"),
    Column("Source", lambda claim: claim.reference, key="source"),
]


def claims_of(corpus: str, classes: int) -> tuple[Claim, ...]:
    """Claims of ``claims.csv`` on a corpus of the registry with this number of classes."""
    text = (
        resources.files("serbench.results.report")
        .joinpath("claims.csv")
        .read_text(encoding="utf-8")
    )
    return tuple(
        Claim(
            row["method"],
            int(row["year"]),
            float(row["wa"]) if row["wa"] else None,
            float(row["ua"]) if row["ua"] else None,
            row["reference"],
        )
        for row in csv.DictReader(text.splitlines())
        if (row["corpus"], int(row["classes"])) == (corpus, classes)
    )


def claims_table(results: Results) -> Table | None:
    """Measured and claimed scores; None for a leaky run, or if nothing is claimed."""
    compared = results.comparison
    claims = claims_of(str(results.dataset["name"]), len(compared.labels))
    if results.leaky or not claims:
        return None
    return make_table(
        "claims",
        f"Measured here and claimed by others on {results.dataset['name']}, in %",
        COLUMNS,
        {
            "Measured here, in the folds of this report": list(map(_measured, compared.methods)),
            "Published, with other folds: not checked here": claims,
        },
        notes=(
            f"Claims are quoted from {SOURCE}. Their folds, and what was chosen on which data, are "
            "not those of this report, so no differences are computed.",
        ),
    )


def _measured(result: MethodResult) -> Claim:
    pooled = result.pooled
    return Claim(result.method, None, pooled["wa"], pooled["ua"], "this report", "measured")
