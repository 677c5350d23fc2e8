"""What others claim on the same corpus, beside what was measured and apart from it."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib import resources

import pandas as pd

from serbench.results.compare.records import MethodResult
from serbench.results.report.results import Results
from serbench.results.report.tables import NOTHING, Row, Section, Table, with_interval

SOURCE = (
    "Khan et al., “Real-Time Emotion Recognition System Using Adaptive Distillation Technique”, "
    "2026, Table 3"
)


@dataclass(frozen=True, slots=True)
class Claim:
    """A figure in print; WA and UA in 0 … 1, None where not reported."""

    method: str
    year: int
    wa: float | None
    ua: float | None
    reference: str


def claims_of(corpus: str, classes: int) -> tuple[Claim, ...]:
    """Claims on a corpus of the registry with so many classes, as ``claims.csv`` has them."""
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
    """Measured and claimed scores; None of a leaky run, or where nothing is claimed."""
    compared = results.comparison
    claims = claims_of(str(results.dataset["name"]), len(compared.labels))
    if results.leaky or not claims:
        return None
    measured = [_measured(result) for result in compared.methods]
    data = [
        *(_measured_data(result) for result in compared.methods),
        *(
            {
                "method": claim.method,
                "status": "claimed",
                "year": claim.year,
                "wa": claim.wa,
                "ua": claim.ua,
                "source": claim.reference,
            }
            for claim in claims
        ),
    ]
    return Table(
        name="claims",
        caption=f"Measured here and claimed by others on {results.dataset['name']}, in %",
        columns=("Method", "Year", "WA", "UA", "Source"),
        alignment="lrrrl",
        sections=(
            Section(tuple(measured), "Measured here, in the folds of this report"),
            Section(
                tuple(map(_claimed, claims)), "Claimed in print, in other folds: not checked here"
            ),
        ),
        data=pd.DataFrame(data).astype({"year": "Int64"}),
        notes=(
            f"Claims are quoted from {SOURCE}. Their folds, and what was chosen on which data, are "
            "not those of this report, so no difference is taken.",
        ),
    )


def _measured(result: MethodResult) -> Row:
    name = result.method.partition(":")[2] + " (teacher)" if result.is_teacher else result.method
    pooled = result.pooled
    return (name, NOTHING, with_interval(pooled["wa"]), with_interval(pooled["ua"]), "this report")


def _measured_data(result: MethodResult) -> dict[str, object]:
    return {
        "method": result.method,
        "status": "measured",
        "year": None,
        "wa": result.pooled["wa"].value,
        "ua": result.pooled["ua"].value,
        "source": "this report",
    }


def _claimed(claim: Claim) -> Row:
    scores = (NOTHING if score is None else f"{100 * score:.2f}" for score in (claim.wa, claim.ua))
    return (claim.method, str(claim.year), *scores, claim.reference)
