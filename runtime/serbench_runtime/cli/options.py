"""Declarations of commands' parameters, shared by all command lines."""

from __future__ import annotations

import inspect
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, get_args, get_origin, get_type_hints


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """Annotation of a parameter.

    Attributes:
        help: help text, one sentence.
        names: names of an option, such as ``("--format", "-f")``; empty for an argument.
        metavar: placeholder of the value in the help.
        least: the smallest value.
    """

    help: str
    names: tuple[str, ...] = ()
    metavar: str | None = None
    least: int | None = None


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a command.

    Attributes:
        name: name of the function's parameter.
        kind: type of one value.
        several: whether it accepts several values.
        default: default value; ``inspect.Parameter.empty`` if the parameter is required.
    """

    name: str
    kind: type
    several: bool
    default: Any
    stated: Stated

    @property
    def required(self) -> bool:
        """Whether the parameter must be given."""
        return self.default is inspect.Parameter.empty


def parameters(command: Callable[..., None]) -> list[Parameter]:
    """Parameters of a command, in order; those without a ``Stated`` are not options."""
    hints = get_type_hints(command, include_extras=True)
    defaults = {each.name: each.default for each in inspect.signature(command).parameters.values()}
    made = []
    for name, hint in hints.items():
        if get_origin(hint) is Annotated:
            kind, stated = get_args(hint)
            several = get_origin(kind) is list
            inner = [each for each in get_args(kind) if each is not NoneType] or [kind]
            made.append(Parameter(name, inner[0], several, defaults[name], stated))
    return made


def add_parameters(parser: ArgumentParser, command: Callable[..., None]) -> None:
    """Add the parameters of ``command`` to ``parser``."""
    for each in parameters(command):
        settings: dict[str, Any] = {"help": _help(each)}
        if each.kind is bool:
            settings |= {"action": "store_true"}
        else:
            settings |= {"type": _reader(each), "metavar": _metavar(each)}
        if not each.required:
            settings["default"] = each.default
        if each.stated.names:
            parser.add_argument(*each.stated.names, dest=each.name, **settings)
        else:
            nargs = "+" if each.several else None if each.required else "?"
            parser.add_argument(each.name, nargs=nargs, **settings)


def _help(parameter: Parameter) -> str:
    text = parameter.stated.help.replace("%", "%%")
    shown = parameter.default not in (inspect.Parameter.empty, None, False)
    value = getattr(parameter.default, "value", parameter.default)
    return f"{text} Default: {value}." if shown and parameter.stated.names else text


def _metavar(parameter: Parameter) -> str:
    if issubclass(parameter.kind, Enum):
        return "{" + ",".join(str(each.value) for each in parameter.kind) + "}"
    return parameter.stated.metavar or parameter.name.upper()


def _reader(parameter: Parameter) -> Callable[[str], Any]:
    """A function that converts a word to the parameter's value."""
    kind, least = parameter.kind, parameter.stated.least

    def read(word: str) -> Any:
        try:
            value = kind(word)
        except ValueError as error:
            known = ", ".join(each.value for each in kind) if issubclass(kind, Enum) else ""
            wanted = {int: "a whole number", float: "a number"}.get(kind, f"one of {known}")
            raise ArgumentTypeError(f"{word!r} is not {wanted}") from error
        if least is not None and value < least:
            raise ArgumentTypeError(f"{word} is less than {least}")
        return value

    return read


ModelFile = Annotated[Path, Stated(metavar="MODEL", help="A model of serbench export.")]
Threads = Annotated[
    int, Stated(names=("--threads",), metavar="N", least=1, help="Threads for the model.")
]
