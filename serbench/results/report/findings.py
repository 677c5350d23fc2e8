"""The findings of a report: its title, a sentence on all methods, and one for each method."""

from __future__ import annotations

from collections.abc import Sequence

from serbench.errors import joined
from serbench.results.compare.names import display_name
from serbench.results.compare.records import MethodResult
from serbench.results.report.by_test_set import other_test_sets
from serbench.results.report.marks import LEAKS
from serbench.results.report.results import Results
from serbench.results.report.scores import p_equals
from serbench.results.table.formats import percent

NAMED = 5
"""Number of methods that a title names."""


def page_title(results: Results) -> str:
    """The title of a page: corpus and methods."""
    names = [display_name(each.method) for each in results.comparison.students]
    if len(names) > NAMED:
        return f"{results.dataset['name']}: {names[0]} and {len(names) - 1} other methods"
    return f"{results.dataset['name']}: {joined(names)}"


def headline(results: Results) -> str:
    """The finding in a sentence; empty for a leaky run, which has no best method."""
    compared = results.comparison
    students = compared.students
    if results.leaky or not students:
        return ""
    reference, *others = students
    best = max(students, key=_ua)
    by_verdict = {
        verdict: [each for each in others if each.difference and each.difference.verdict == verdict]
        for verdict in ("significantly better", "significantly worse", "no significant difference")
    }
    better, worse, close = by_verdict.values()
    teacher = _teachers(compared.teachers)
    if not others:
        return f"{_scored(reference)}{teacher}."
    if not better and not worse:
        whom = "methods" if len(others) > 1 else joined([display_name(e.method) for e in students])
        return f"No significant difference between {whom} (best {_percent(best)} % UA){teacher}."
    parts, named = [], display_name(reference.method)
    if better:
        verb = "is" if len(better) == 1 else "are"
        parts.append(f"{_listed(better)} {verb} significantly better than {_scored(reference)}")
    if worse:
        subject = named if better else _scored(reference)
        parts.append(f"{subject} is significantly better than {_listed(worse)}")
    if close:
        parts.append(f"no significant difference between {named} and {_listed(close, 'or')}")
    return f"{'; '.join(parts)}{teacher}."


def findings(results: Results) -> list[str]:
    """A sentence for each method, teachers last; for a leaky run, how its protocol is broken. Then
    a sentence for each test set after the first.
    """
    compared = results.comparison
    methods = [_finding(results, each) for each in (*compared.students, *compared.teachers)]
    return [*methods, *other_test_sets(results)]


def _finding(results: Results, result: MethodResult) -> str:
    ua, difference = result.pooled["ua"], result.difference
    name = display_name(result.method)
    subject = f"The teacher {name}, by its own head," if result.is_teacher else name
    line = (
        f"{subject} reaches {percent(ua.value)} % UA "
        f"(95 % CI {percent(ua.low)} to {percent(ua.high)})"
    )
    if results.leaky:
        return f"{line}, but under {results.protocol}: {LEAKS[results.protocol]}."
    if difference is None:
        return f"{line}."
    reference = display_name(results.comparison.reference)
    found = difference.significance
    p = f" ({p_equals(found.p_holm)})" if found else ""
    if difference.verdict == "no significant difference":
        return f"{line}, no significant difference from {reference}{p}."
    points = percent(abs(difference.value))
    return f"{line}, {difference.verdict} than {reference} by {points} points{p}."


def _ua(result: MethodResult) -> float:
    return result.pooled["ua"].value


def _percent(result: MethodResult) -> str:
    return percent(_ua(result))


def _scored(result: MethodResult) -> str:
    return f"{display_name(result.method)} ({_percent(result)} % UA)"


def _listed(results: Sequence[MethodResult], word: str = "and") -> str:
    """Names with their UA, the best first."""
    ordered = sorted(results, key=_ua, reverse=True)
    return joined([_scored(each) for each in ordered], word)


def _teachers(results: Sequence[MethodResult]) -> str:
    """The teachers' UA, for instance ``; teacher 70.3 %``; of several teachers, the best one's."""
    if not results:
        return ""
    best = max(results, key=_ua)
    return f"; {'best ' if len(results) > 1 else ''}teacher {_percent(best)} %"
