"""Significance of each method's difference from the reference: every test that was made."""

from __future__ import annotations

import math
from dataclasses import dataclass

from serbench.results.compare.names import NAMED, display_name
from serbench.results.compare.records import Difference, FoldTest, MethodResult, Significance
from serbench.results.report.notes import ASKED, compared_notes
from serbench.results.report.results import Results
from serbench.results.table.columns import Column, make_table
from serbench.results.table.formats import COUNT, DIFFERENCE, P_VALUE, PLAIN, VERDICT, Format
from serbench.results.table.table import Table

EFFECT_NOTE = (
    "d: mean of the speakers' contributions to ΔUA divided by their standard deviation, corrected "
    "for few speakers (Hedges). Better, worse: for how many speakers the method is better or worse."
)
SPEAKERS_NOTE = (
    f"p (speakers): {ASKED['models']}; a paired permutation test, which does not know that "
    "speakers of a fold share a trained model."
)


@dataclass(frozen=True, slots=True)
class Tested:
    """A method with its difference and tests."""

    result: MethodResult
    difference: Difference
    found: Significance

    @property
    def folds(self) -> FoldTest | None:
        """The test over folds; None if there is only one fold."""
        return self.found.folds


def _number(value: float) -> str:
    text = f"{abs(value):.2f}" if math.isfinite(value) else "∞"
    return f"−{text}" if value < 0 else text


EFFECT: Format[float] = Format(_number)

COLUMNS: list[Column[Tested]] = [
    Column("Method", lambda each: each.result.method, NAMED, key="method"),
    Column("ΔUA", lambda each: each.difference, DIFFERENCE, key="delta_ua"),
    Column("t", lambda each: each.folds, Format(lambda at: f"{_number(at.t)} ({at.degrees})")),
    Column("", lambda each: each.folds and each.folds.t, PLAIN, key="t"),
    Column("", lambda each: each.folds and each.folds.degrees, PLAIN, key="degrees"),
    Column("p", lambda each: each.found.p, P_VALUE, key="p"),
    Column("p (Holm)", lambda each: each.found.p_holm, P_VALUE, key="p_holm"),
    Column("Verdict", lambda each: each.difference.verdict, VERDICT, key="verdict"),
    Column("Better", lambda each: each.found.speakers_better, COUNT, key="speakers_better"),
    Column("Worse", lambda each: each.found.speakers_worse, COUNT, key="speakers_worse"),
    Column("d", lambda each: each.found.effect_size, EFFECT, key="effect_size"),
    Column("p (speakers)", lambda each: each.found.speakers.p, P_VALUE, key="p_speakers"),
    Column(
        "p (speakers, Holm)", lambda each: each.found.speakers.p_holm, P_VALUE,
        key="p_speakers_holm",
    ),
    Column("", lambda each: each.found.speakers.exact, PLAIN, key="exact"),
]  # fmt: skip


def significance_table(results: Results) -> Table | None:
    """Both tests of every method against the first; None if there is nothing to compare."""
    compared = results.comparison
    tested = [
        Tested(each, each.difference, each.difference.significance)
        for each in compared.methods
        if each.difference and each.difference.significance
    ]
    if results.leaky or not tested:
        return None
    return make_table(
        "significance",
        f"UA of each method against {display_name(compared.reference)} "
        f"on {results.dataset['name']}: tests of the differences",
        COLUMNS,
        tested,
        notes=(*compared_notes(results), EFFECT_NOTE, SPEAKERS_NOTE),
    )
