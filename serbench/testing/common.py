"""Shared parts of all contract checks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar
from unittest import SkipTest

import torch
from pydantic import BaseModel
from torch import Tensor

__tracebackhide__ = True

T = TypeVar("T")

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def require(condition: object, message: str) -> None:
    """Raise ``AssertionError(message)`` unless ``condition``; works under ``python -O`` too."""
    if not condition:
        raise AssertionError(message)


def instance_of(value: object, kind: type[T], what: str) -> T:
    """``value``, or an ``AssertionError`` if it is not a ``kind``."""
    if isinstance(value, kind):
        return value
    raise AssertionError(f"{what} must be a {kind.__name__}, not {value!r:.200}")


def make(cls: type, params: Mapping[str, object] | None) -> Any:
    """An instance of a plugin class, after checks that all kinds share.

    Raises:
        AssertionError: an unusable name, ``Params`` that accept unknown names, missing members of
            the contract, or ``params`` that do not fit.
    """
    name, model = getattr(cls, "name", None), getattr(cls, "Params", None)
    require(
        isinstance(name, str) and NAME.fullmatch(name),
        f"{cls.__name__}.name must be letters, digits, '-', '_' and '.', not {name!r}",
    )
    model = instance_of(model, type(BaseModel), f"{cls.__name__}.Params")
    require(
        issubclass(model, BaseModel) and model.model_config.get("extra") == "forbid",
        f"{cls.__name__}.Params must not accept unknown names; subclass serbench.api.Params",
    )
    missing = sorted(getattr(cls, "__abstractmethods__", ()))
    require(not missing, f"{cls.__name__} lacks {', '.join(missing)}")
    try:
        validated = model.model_validate(dict(params or {}))
    except ValueError as error:
        raise AssertionError(
            f"{cls.__name__}.Params does not take {dict(params or {})}: {error}"
        ) from error
    instance = cls(validated)
    require(
        getattr(instance, "params", None) == validated,
        f"{cls.__name__} must keep its params as self.params",
    )
    return instance


def require_finite(tensor: Tensor, what: str) -> None:
    """Raise unless every value is finite."""
    require(
        bool(torch.isfinite(tensor).all()), f"{what} must be finite, but contains NaN or infinity"
    )


def require_shape(tensor: object, shape: tuple[int, ...], what: str) -> None:
    """Raise unless ``tensor`` is a tensor of that shape."""
    found = tuple(instance_of(tensor, Tensor, what).shape)
    require(found == shape, f"{what} must be {shape}, not {found}")


def require_names(names: object, what: str) -> None:
    """Raise unless ``names`` is a tuple of corpus names without repetition."""
    given = instance_of(names, tuple, f"the card's {what}")
    for name in given:
        require(
            isinstance(name, str) and any(map(str.isalnum, name)),
            f"the card's {what} has {name!r}, which is not the name of a corpus",
        )
    require(len(set(given)) == len(given), f"the card's {what} repeats a name: {given}")


def require_available(reason: object) -> None:
    """Raise ``unittest.SkipTest`` if a plugin's ``unavailable()`` returned a reason."""
    if reason is None:
        return
    require(isinstance(reason, str) and reason.strip(), "unavailable() must return a reason")
    raise SkipTest(str(reason))
