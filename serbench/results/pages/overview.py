"""What a report comes to, in a title and a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from serbench.errors import joined
from serbench.results.compare.names import display_name
from serbench.results.compare.records import MethodResult
from serbench.results.report.notes import ASKED
from serbench.results.report.results import Results
from serbench.results.table.formats import p_value, percent

CLOSE = "No significant difference from"

NAMED = 5
"""Methods that a title names."""


def page_title(results: Results) -> str:
    """Corpus and methods."""
    names = [display_name(each.method) for each in results.comparison.students]
    if len(names) > NAMED:
        return f"{results.dataset['name']}: {names[0]} and {len(names) - 1} other methods"
    return f"{results.dataset['name']}: {joined(names)}"


def headline(results: Results) -> str:
    """Which student has the highest UA, and how surely. Empty of a leaky run: it has no winner."""
    students = results.comparison.students
    if results.leaky or len(students) < 2:
        return ""
    best = max(students, key=lambda each: each.pooled["ua"].value)
    reference = display_name(results.comparison.reference)
    score = f"{percent(best.pooled['ua'].value)} % UA"
    asked = f" {ASKED[results.comparison.design.question]}"
    if best.difference is not None:
        p = _surely([best], "at most", asked)
        lead = f"{display_name(best.method)} scores highest with {score}."
        if best.difference.verdict == "significantly better":
            return f"{lead} It is significantly better than {reference}{p}."
        return f"{lead} {CLOSE} {reference}{p}."
    others = [each for each in students[1:] if each.difference is not None]
    beaten = [
        each
        for each in others
        if each.difference and each.difference.verdict == "significantly worse"
    ]
    close = [each for each in others if each not in beaten]
    parts = [f"{reference} scores highest with {score}."]
    if beaten:
        names = joined([display_name(each.method) for each in beaten])
        parts.append(f"It is significantly better than {names}{_surely(beaten, 'at most', asked)}.")
    if close:
        names = joined([display_name(each.method) for each in close], "or")
        asked = "" if beaten else asked
        parts.append(f"{CLOSE} {names}{_surely(close, 'at least', asked)}.")
    return " ".join(parts)


def _surely(
    results: Sequence[MethodResult], bound: Literal["at most", "at least"], asked: str
) -> str:
    """The corrected p of all these differences, and what was asked, in brackets; empty where none
    was tested.
    """
    found = [
        each.difference.significance.p_holm
        for each in results
        if each.difference and each.difference.significance
    ]
    if not found:
        return ""
    p = p_value(max(found) if bound == "at most" else min(found))
    if p.startswith("<"):
        return f" (p {p}{asked})"
    return f" (p {bound} {p}{asked})" if len(found) > 1 else f" (p = {p}{asked})"
