"""The public contract as text, a line for each name or member.

``python tests/tests_support/public_contract.py`` writes it into tests/api/contract.txt. It refuses
to do so where the version is still the stored one; ``--unreleased`` says that this version has not
been released, so that nobody relies on it yet.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType

from pydantic import BaseModel

import serbench.api
import serbench.testing
from serbench.api.params import Plugin

STORED = Path(__file__).parents[1] / "api" / "contract.txt"
OURS = ("serbench.", "serbench_runtime.")
PLAIN = (str, int, float, bool, tuple, type(None))


class Elided:
    """Stands for a default that has no short or steady spelling."""

    def __repr__(self) -> str:
        return "…"


def lines() -> list[str]:
    """The version, then what ``serbench.api`` and ``serbench.testing`` consist of."""
    told = [f"version {serbench.api.VERSION}"]
    told += sorted(_lines("serbench.api.params.Plugin", Plugin))
    for module in (serbench.api, serbench.testing):
        for name in sorted(set(module.__all__) - {"VERSION"}):
            told += sorted(_lines(f"{module.__name__}.{name}", getattr(module, name)))
    return told


def _lines(address: str, value: object) -> Iterator[str]:
    if inspect.isclass(value) and value.__module__.startswith(OURS):
        bases = [base.__name__ for base in value.__bases__ if base.__module__ != "typing"]
        yield f"{address}: class({', '.join(bases)})"
        yield from _members(address, value)
    elif isinstance(value, FunctionType):
        yield f"{address}{_signature(value)}"
    elif isinstance(value, frozenset):
        yield f"{address} = {sorted(value)}"
    elif isinstance(value, PLAIN):
        yield f"{address} = {value!r}"
    else:
        yield f"{address}: alias"  # whose spelling is numpy's and torch's matter


def _members(address: str, cls: type) -> Iterator[str]:
    fields = _fields(cls)
    annotated = vars(cls).get("__annotations__", {})
    for name in {*fields, *annotated, *vars(cls)}:
        member = vars(cls).get(name)
        if name == "__init__" and not fields and isinstance(member, FunctionType):
            if member.__module__.startswith(OURS):
                yield f"{address}{_signature(member)}"
        elif name.startswith(("_", "model_config")):
            continue
        elif name in fields:
            yield f"{address}.{name}: {fields[name]}"
        elif isinstance(member, property):
            abstract = " abstract" * getattr(member, "__isabstractmethod__", False)
            assert member.fget is not None
            returned = inspect.signature(member.fget).return_annotation
            yield f"{address}.{name}: property {returned}{abstract}"
        elif isinstance(member, FunctionType):
            abstract = " abstract" * getattr(member, "__isabstractmethod__", False)
            yield f"{address}.{name}{_signature(member)}{abstract}"
        elif name in annotated:
            yield f"{address}.{name}: {annotated[name]}"


def _signature(function: FunctionType) -> inspect.Signature:
    found = inspect.signature(function)
    parameters = [
        each
        if each.default is each.empty or isinstance(each.default, PLAIN)
        else each.replace(default=Elided())
        for each in found.parameters.values()
    ]
    return found.replace(parameters=parameters)


def _fields(cls: type) -> dict[str, str]:
    """Fields of a dataclass or of parameters: type and default."""
    if dataclasses.is_dataclass(cls):
        return {
            field.name: f"{field.type}" + " = …" * (not _required(field))
            for field in dataclasses.fields(cls)
        }
    if issubclass(cls, BaseModel):
        own = vars(cls).get("__annotations__", {})
        return {
            name: f"{own[name]} = {info.default!r}"
            for name, info in cls.model_fields.items()
            if name in own
        }
    return {}


def _required(field: dataclasses.Field[object]) -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def main() -> int:
    """Write the snapshot."""
    made = lines()
    stored = STORED.read_text(encoding="utf-8").splitlines() if STORED.exists() else [""]
    if made != stored and made[0] == stored[0] and "--unreleased" not in sys.argv:
        sys.stderr.write("the contract changed: raise VERSION in serbench/api/version.py first\n")
        return 1
    STORED.write_text("\n".join(made) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
