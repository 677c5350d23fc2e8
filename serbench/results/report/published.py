"""A suite's published results next to the measured ones: in columns of their own, never mixed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeVar

from serbench.learning.evaluate import Metric
from serbench.results.compare.records import Estimate, MethodResult
from serbench.results.report.comparison import TITLES
from serbench.results.report.notes import interval_note
from serbench.results.report.results import Results
from serbench.results.table.columns import Column, make_table
from serbench.results.table.formats import SCORE, TEXT, Format, number, signed
from serbench.results.table.table import Table
from serbench.running.registry.schema import LEAK_LETTERS, ClaimSpec

R = TypeVar("R")
V = TypeVar("V")

NAME = "published"
"""The stem of the files' names."""

PRINTED = number(".2f", 100.0)
"""Format of a published number, with two decimals."""

LESS: Format[tuple[float, Metric]] = Format(
    text=lambda found: signed(found[0]),
    detail=lambda found: "" if found[1] == "ua" else TITLES[found[1]],
    numbers=lambda found: found,
    suffixes=("", "_of"),
)
"""Measured minus published; for a difference of WA the metric is named."""

APART = (
    "Published figures are quoted from print and were not checked here. Measured ones are this "
    "run's: no test speaker is seen in training, and nothing is chosen on the test side. Only the "
    "column Difference uses published figures; nothing else in this report does."
)


@dataclass(frozen=True, slots=True)
class Line:
    """A published result of a method, or none, next to the measured one.

    Attributes:
        method: its name in tables.
        claim: the published claim; None: nothing was published on this dataset.
        result: the measured result; None: the method was not run.
        why: why the method was not run.
    """

    method: str
    claim: ClaimSpec | None
    result: MethodResult | None
    why: str

    @property
    def difference(self) -> tuple[float, Metric] | None:
        """Measured minus published, in 0 … 1, and the metric: UA if it was published, else WA."""
        if self.claim is None or self.result is None:
            return None
        ua = self.claim.ua
        published, metric = (self.claim.wa or 0.0, "wa") if ua is None else (ua, "ua")
        return self.result.pooled[metric].value - published / 100, metric


def published_table(results: Results) -> Table | None:
    """The table; None for runs that belong to no suite, and for a leaky one."""
    suite = suite_of(results)
    if suite is None or results.leaky:
        return None
    lines = list(_lines(suite, results))
    compared = results.comparison
    columns: list[Column[Line]] = [
        Column("Method", lambda line: line.method, key="method"),
        *published_columns(_claim),
        Column("Measured UA", _measured("ua"), SCORE, key="measured_ua", short="Measured\nUA %"),
        Column("Measured WA", _measured("wa"), SCORE, key="measured_wa", console="below",
               short="WA"),
        Column("Difference", lambda line: line.difference, LESS, key="difference"),
        Column("", lambda line: line.why or None, key="left_out"),
    ]  # fmt: skip
    return make_table(
        NAME,
        f"Published and measured on {results.dataset['name']}, in %",
        columns,
        lines,
        notes=(
            APART,
            "Difference: measured minus published, in percentage points of UA, or of WA if no UA "
            "is published. It is not a test: the folds differ, and so do the data that epochs and "
            "settings were chosen on.",
            interval_note(compared.repeats, len(compared.speaker_counts)),
            *leak_note(line.claim for line in lines if line.claim),
            *suite["notes"],
            *(f"Not run: {name}: {why}." for name, why in suite["left_out"].items()),
        ),
    )


def suite_of(results: Results) -> Mapping[str, Any] | None:
    """The suite's entry in the plan of the first run that belongs to one."""
    return next((run.plan["suite"] for run in results.runs if "suite" in run.plan), None)


def claims_in(suite: Mapping[str, Any]) -> dict[str, list[ClaimSpec]]:
    """A stored suite's claims by method, with the registry's names of methods."""
    claims = [ClaimSpec.model_validate({**each, "leaks": tuple(each["leaks"])})
              for each in suite["claims"]]  # fmt: skip
    claims.sort(key=lambda claim: claim.method)
    return {name: list(own) for name, own in groupby(claims, lambda claim: claim.method)}


def leak_note(claims: Iterable[ClaimSpec]) -> tuple[str, ...]:
    """A note on the meaning of the letters for leaks that these claims have."""
    used = {letter for claim in claims for leak in claim.leaks for letter in leak}
    told = [f"{letter}: {text}" for letter, text in LEAK_LETTERS.items() if letter in used]
    return (f"Leaks of the published protocols: {'; '.join(told)}.",) if told else ()


def leaks_text(claim: ClaimSpec) -> str:
    """The letters of a claim's leaks, for instance ``R, E, B?``."""
    return ", ".join(claim.leaks) or "none seen"


def _lines(suite: Mapping[str, Any], results: Results) -> Iterator[Line]:
    claims = claims_in(suite)
    measured = {each.method: each for each in results.comparison.methods}
    for name in suite["methods"]:
        shown = results.shown(name)
        result, why = measured.get(shown), suite["left_out"].get(name, "")
        # Methods that were neither published nor measured are only in the notes.
        for claim in claims.get(name, [None] if result else []):
            yield Line(shown, claim, result, why)


def published_columns(claim_of: Callable[[R], ClaimSpec | None]) -> list[Column[R]]:
    """Columns of what was published, where, how it was obtained, and what leaks in it.

    Args:
        claim_of: the claim of a row; None: nothing was published.
    """

    def read(field: Callable[[ClaimSpec], V | None]) -> Callable[[R], V | None]:
        def value(row: R) -> V | None:
            claim = claim_of(row)
            return None if claim is None else field(claim)

        return value

    return [
        Column("Published UA", read(lambda claim: _share(claim.ua)), PRINTED, key="published_ua",
               short="Published\nUA %"),
        Column("Published WA", read(lambda claim: _share(claim.wa)), PRINTED, key="published_wa",
               console="below", short="WA"),
        Column("Source", read(lambda claim: claim.source), TEXT, key="source"),
        Column("Protocol behind it", read(lambda claim: claim.protocol), TEXT,
               key="protocol_behind", console="below"),
        Column("Leaks", read(leaks_text), TEXT, key="leaks"),
    ]  # fmt: skip


def _claim(line: Line) -> ClaimSpec | None:
    return line.claim


def _share(printed: float | None) -> float | None:
    return None if printed is None else round(printed / 100, 6)


def _measured(metric: Metric) -> Callable[[Line], Estimate | None]:
    return lambda line: line.result.pooled[metric] if line.result else None
