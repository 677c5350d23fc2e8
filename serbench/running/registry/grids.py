"""Checks the axes of a method's grids against the settings that they change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce

from pydantic import BaseModel

from serbench.errors import did_you_mean
from serbench.running.registry.validate import Problem, lay_over, problems
from serbench.settings import MethodSettings


def grid_problems(
    at: tuple[str, ...],
    path: str,
    candidates: Sequence[object],
    schemas: Mapping[str, tuple[type[BaseModel], dict[str, object]]],
) -> Iterator[Problem]:
    """Problems with an axis: every candidate must fit the setting of its dotted path."""
    first, *rest = path.split(".")
    plugins = {"student", "loss", "front_end"}
    known = {*plugins, *MethodSettings.model_fields}
    if first not in known or not rest:
        message = f"no setting is called {path!r}{did_you_mean(first, known)}"
        yield Problem(at, f"{message} (a grid's keys are dotted paths, such as loss.temperature)")
        return
    if not candidates:
        yield Problem(at, "has no candidates")
    if first not in schemas:
        return  # the plugin is unknown and already reported, or its weights would be needed
    model, values = schemas[first]
    keys = rest if first in plugins else [first, *rest]
    before = problems(model, values, ())
    for candidate in candidates:
        nested = reduce(lambda inner, key: {key: inner}, reversed(keys), candidate)
        assert isinstance(nested, dict)
        for problem in problems(model, lay_over(values, nested), ()):
            if problem not in before:
                yield Problem(at, problem.message)
