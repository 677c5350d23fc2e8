"""The facts that trackers record about a plan, a method and a fit's name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

Scalar = str | int | float | bool

METRICS = ("wa", "ua", "macro_f1")
"""Names of the scores of an outer fold."""

METHOD_PARTS = ("student", "loss", "teachers", "student_params", "loss_params", "settings")
"""Entries of a method's plan that distinguish it from other methods."""


class FitName(NamedTuple):
    """Parts of a fit's name: ``akd`` and ``seed-0/outer-1/candidate-2/inner-1``."""

    method: str
    rest: str


def place_of(fit: str) -> FitName:
    """The parts of a fit's name."""
    method, _, rest = fit.partition("/")
    return FitName(method, rest)


def run_facts(plan: Mapping[str, object]) -> dict[str, object]:
    """A few values that describe a run: those of them that ``plan.json`` contains."""
    facts = {
        "command": plan.get("command"),
        "serbench_version": plan.get("serbench_version"),
        "dataset": _name(plan.get("dataset")),
        "methods": [_name(method) for method in _methods(plan)],
        "teachers": list(_table(plan.get("teachers"))),
        "profile": plan.get("profile"),
        "protocol": _name(plan.get("protocol")),
        "folds": plan.get("folds"),
        "seeds": plan.get("seeds"),
        "device": plan.get("device"),
    }
    return {name: value for name, value in facts.items() if value is not None}


def method_facts(plan: Mapping[str, object], name: str) -> dict[str, Scalar]:
    """Student, loss and every setting of a method, by dotted path; empty for a teacher's head.

    Values of a grid are in the names of fits and in their records, not here.
    """
    for method in _methods(plan):
        if _name(method) == name:
            return {
                path: value
                for part in METHOD_PARTS
                for path, value in _leaves(part, _table(method).get(part))
            }
    return {}


def _methods(plan: Mapping[str, object]) -> Sequence[object]:
    methods = plan.get("methods")
    return methods if isinstance(methods, list | tuple) else ()


def _table(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _name(value: object) -> object:
    return _table(value).get("name")


def _leaves(path: str, value: object) -> Iterator[tuple[str, Scalar]]:
    """The values of nested tables by dotted path; lists as text; values that are not set
    are left out.
    """
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(f"{path}.{key}", item)
    elif isinstance(value, Scalar):
        yield path, value
    elif value is not None:
        yield path, shown(value)


def shown(value: object) -> str:
    """A value as text, a list without its brackets."""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
