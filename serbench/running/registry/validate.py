"""Checks values against a pydantic schema, and reports every problem in the user's own terms."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from serbench.errors import RegistryError, did_you_mean

Schema = TypeVar("Schema", bound=BaseModel)

Values = dict[str, object]
"""Settings or parameters by name, nested."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem and its place: the keys from the top of the registry.

    Attributes:
        on_use: whether a broken plugin is the cause. Then it is an error only for those who
            use the entry.
    """

    path: tuple[str, ...]
    message: str
    on_use: bool = False

    def __str__(self) -> str:
        return f"{'.'.join(self.path)}: {self.message}"


def lay_over(base: Mapping[str, object], over: Mapping[str, object]) -> Values:
    """``base`` overridden by ``over``: tables are merged key by key, other values are replaced."""
    joined = dict(base)
    for key, value in over.items():
        below = joined.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            joined[key] = lay_over(below, value)
        else:
            joined[key] = value
    return joined


def validate(model: type[Schema], values: Mapping[str, object], where: str) -> Schema:
    """An instance of ``model``; nothing is converted silently (``"3"`` is not a number).

    Raises:
        RegistryError: the values do not fit. The message lists every problem with ``where``
            and its key.
    """
    try:
        return _parse(model, values)
    except ValidationError:
        found = problems(model, values, tuple(where.split(".")) if where else ())
        raise RegistryError("\n".join(str(problem) for problem in found)) from None


def problems(
    model: type[BaseModel], values: Mapping[str, object], at: Sequence[str]
) -> list[Problem]:
    """All reasons why ``values`` do not fit ``model``; empty if they fit."""
    try:
        _parse(model, values)
    except ValidationError as error:
        messages: dict[tuple[str, ...], list[str]] = {}
        for detail in error.errors(include_url=False):
            path = _path_in_values(detail["loc"], values)
            told = messages.setdefault((*at, *path), [])
            message = _message(detail, model)
            if message not in told:
                told.append(message)
        return [Problem(path, ", or ".join(told)) for path, told in messages.items()]
    return []


def _parse(model: type[Schema], values: Mapping[str, object]) -> Schema:
    # Through JSON, because strict validation of Python values does not accept a list for a tuple or
    # a text for a path, and TOML has no other way to write these.
    return model.model_validate_json(json.dumps(values, default=str), strict=True)


def _path_in_values(location: Iterable[str | int], values: object) -> tuple[str, ...]:
    """The part of a pydantic location that the user wrote: without the branches of unions."""
    path: list[str] = []
    for part in location:
        if isinstance(values, Mapping):
            path.append(str(part))
            values = values.get(part)
        elif isinstance(values, list | tuple) and isinstance(part, int) and part < len(values):
            path.append(str(part))
            values = values[part]
        else:
            break
    return tuple(path)


def _message(detail: ErrorDetails, model: type[BaseModel]) -> str:
    if detail["type"] == "missing":
        return "is missing"
    if detail["type"] == "extra_forbidden":
        owner = _model_at(model, detail["loc"][:-1])
        known = owner.model_fields if owner else ()
        return f"unknown key{did_you_mean(str(detail['loc'][-1]), known)}"
    message = detail["msg"]
    if detail["type"] in {"value_error", "assertion_error"}:
        return message.partition(", ")[2] or message
    message = message.replace("Input should", "should", 1)
    return f"{message}, not {detail['input']!r}"


def _model_at(annotation: object, location: Sequence[str | int]) -> type[BaseModel] | None:
    """The pydantic model that the keys of ``location`` lead to, from a model or a type hint."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not location:
            return annotation
        field = annotation.model_fields.get(str(location[0]))
        return _model_at(field.annotation, location[1:]) if field else None
    arguments = get_args(annotation)
    if get_origin(annotation) is dict:
        return _model_at(arguments[1], location[1:])
    if get_origin(annotation) in {list, tuple}:
        return _model_at(arguments[0], location[1:])
    found = (_model_at(argument, location) for argument in arguments)
    return next((model for model in found if model is not None), None)
