"""How surely each method differs from the reference: every test that was made."""

from __future__ import annotations

import math

import pandas as pd

from serbench.results.compare.records import Difference, MethodResult, Significance
from serbench.results.report.notes import compared_notes, p_value
from serbench.results.report.results import Results
from serbench.results.report.tables import NOTHING, Row, Section, Table, display_name, signed

EFFECT_NOTE = (
    "d: mean over standard deviation of what each speaker contributes to ΔUA, corrected for few "
    "speakers (Hedges). Better, worse: speakers for whom the method is."
)
FOLDS_NOTE = (
    "t: Nadeau and Bengio's test over folds and seeds, which allows for training sides that "
    "overlap; a second opinion, with few folds a weak one. The verdict is by the permutation test."
)


def significance_table(results: Results) -> Table | None:
    """Both tests of every method against the first; None where there is nothing to compare."""
    compared = results.comparison
    tested = [
        (each, each.difference, each.difference.significance)
        for each in compared.methods
        if each.difference and each.difference.significance
    ]
    if results.leaky or not tested:
        return None
    return Table(
        name="significance",
        caption=f"UA of each method against {display_name(compared.reference)} "
        f"on {results.dataset['name']}: how sure the differences are",
        columns=(
            *("Method", "ΔUA", "Better", "Worse", "d", "p", "p (Holm)"),
            *("t", "p of t", "p of t (Holm)", "Verdict"),
        ),
        alignment="lrrrrrrrrrl",
        sections=(Section(tuple(_row(*each) for each in tested)),),
        data=pd.DataFrame([_numbers(*each) for each in tested]),
        notes=(compared_notes(compared), EFFECT_NOTE, FOLDS_NOTE),
    )


def _numbers(
    result: MethodResult, difference: Difference, found: Significance
) -> dict[str, object]:
    """For the CSV."""
    folds = found.folds
    return {
        "method": result.method,
        "delta_ua": difference.value,
        "delta_ua_low": difference.low,
        "delta_ua_high": difference.high,
        "speakers_better": found.speakers_better,
        "speakers_worse": found.speakers_worse,
        "effect_size": found.effect_size,
        "p": found.p,
        "p_holm": found.p_holm,
        "exact": found.exact,
        "t": folds.t if folds else None,
        "degrees": folds.degrees if folds else None,
        "t_p": folds.p if folds else None,
        "t_p_holm": folds.p_holm if folds else None,
        "verdict": difference.verdict,
    }


def _row(result: MethodResult, difference: Difference, found: Significance) -> Row:
    folds = found.folds
    name = display_name(result.method)
    return (
        f"{name} (teacher)" if result.is_teacher else name,
        f"{signed(difference.value)} [{signed(difference.low)}, {signed(difference.high)}]",
        str(found.speakers_better),
        str(found.speakers_worse),
        _number(found.effect_size),
        p_value(found.p),
        p_value(found.p_holm),
        f"{_number(folds.t)} ({folds.degrees})" if folds else NOTHING,
        p_value(folds.p) if folds else NOTHING,
        p_value(folds.p_holm) if folds else NOTHING,
        difference.verdict,
    )


def _number(value: float) -> str:
    text = f"{abs(value):.2f}" if math.isfinite(value) else "∞"
    return f"−{text}" if value < 0 else text
