"""Methods as readers know them."""

from __future__ import annotations

from collections.abc import Sequence

from serbench.results.compare.records import MethodResult
from serbench.results.table.formats import Format
from serbench.running.store.run import TEACHER_PREFIX


def display_name(method: str) -> str:
    """A method's name as tables show it; a teacher's without its prefix."""
    return method.removeprefix(TEACHER_PREFIX)


def shown_name(method: str) -> str:
    """The same; a teacher says that it is one."""
    teacher = method.startswith(TEACHER_PREFIX)
    return f"{display_name(method)} (teacher)" if teacher else method


METHOD: Format[str] = Format(display_name, right=False)
NAMED: Format[str] = Format(shown_name, right=False)
"""Methods among students and teachers; the CSV has their names with prefix."""


def by_kind(results: Sequence[MethodResult]) -> dict[str, list[MethodResult]]:
    """Students, and the teachers apart under a heading of their own."""
    return {
        "": [each for each in results if not each.is_teacher],
        "Teachers, by their own head on the same folds": [e for e in results if e.is_teacher],
    }
