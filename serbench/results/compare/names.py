"""Names of methods for readers."""

from __future__ import annotations

from collections.abc import Sequence

from serbench.results.compare.records import MethodResult
from serbench.results.table.formats import Format
from serbench.running.store.run import TEACHER_PREFIX


def display_name(method: str) -> str:
    """A method's name in tables; a teacher's name has no prefix."""
    return method.removeprefix(TEACHER_PREFIX)


def shown_name(method: str) -> str:
    """A method's name in tables; a teacher's name says that it is a teacher."""
    teacher = method.startswith(TEACHER_PREFIX)
    return f"{display_name(method)} (teacher)" if teacher else method


METHOD: Format[str] = Format(display_name, right=False)
NAMED: Format[str] = Format(shown_name, right=False)
"""Names of methods, students and teachers mixed; the CSV has their names with prefix."""


def by_kind(results: Sequence[MethodResult]) -> dict[str, list[MethodResult]]:
    """Students, and teachers separately under their own heading."""
    return {
        "": [each for each in results if not each.is_teacher],
        "Teachers, by their own head on the same folds": [e for e in results if e.is_teacher],
    }
