"""Reads and checks ``--set path=value``, and assigns it to the right settings."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

from serbench.api import RegistryError
from serbench.errors import did_you_mean, joined
from serbench.running.registry.validate import Values, lay_over
from serbench.settings import MethodSettings

Keys = tuple[str, ...]


class HasPlugins(Protocol):
    """A method with all its candidates; see ``records.MethodPlan``."""

    @property
    def name(self) -> str:
        """The method's own name."""
        ...

    @property
    def estimates(self) -> bool:
        """Whether its student is an estimator."""
        ...

    @property
    def candidates(self) -> Sequence[object]:
        """The candidates. Each has a plugin, or None, for each of ``PLUGIN_ROOTS``."""
        ...


SETTING_ROOTS = tuple(MethodSettings.model_fields)
PLUGIN_ROOTS = ("student", "loss", "front_end")
METHOD_ROOTS = (*SETTING_ROOTS, *PLUGIN_ROOTS)
ROOTS = (*METHOD_ROOTS, "teacher", "corpus", "protocol", "methods")


BETWEEN = re.compile(r"\.(?!\d)")
"""Separator of the parts of a path. No setting begins with a digit, but a name may contain a
number: ``inherited-1.5m``.
"""


def parse_set(text: str) -> tuple[Keys, object]:
    """Keys and value of a setting: ``"training.epochs=20"`` becomes
    ``(("training", "epochs"), 20)``.

    The value is read as TOML. If it is not TOML, it is a text.

    Raises:
        RegistryError: no ``=``, or an empty part of the path.
    """
    path, equals, value = text.partition("=")
    parts = tuple(part.strip() for part in BETWEEN.split(path))
    if not equals or not all(parts):
        raise RegistryError(f"--set {text}: write it as path=value, as in training.epochs=20")
    try:
        return parts, tomllib.loads(f"value = {value}")["value"]
    except (ValueError, RecursionError):
        return parts, value.strip()


def check_roots(sets: Sequence[tuple[Keys, object]], methods: Collection[str]) -> None:
    """
    Raises:
        RegistryError: the first part of a ``--set`` is unknown.
    """
    for path, _ in sets:
        shown = ".".join(path)
        root = path[0]
        if root not in ROOTS or len(path) == 1:
            raise RegistryError(
                f"--set {shown}: starts with none of {', '.join(ROOTS)}{did_you_mean(root, ROOTS)}"
            )
        name = path[1]
        if root != "methods":
            continue
        if name not in methods or len(path) < 4:
            raise RegistryError(
                f"--set {shown}: write for example methods.NAME.training.epochs=20, where NAME "
                f"is a method of this run{did_you_mean(name, methods)}"
            )
        if path[2] not in METHOD_ROOTS:
            raise RegistryError(
                f"--set {shown}: a method has {', '.join(METHOD_ROOTS)}"
                f"{did_you_mean(path[2], METHOD_ROOTS)}"
            )


def check_used(sets: Iterable[tuple[Keys, object]], methods: Sequence[HasPlugins]) -> None:
    """
    Raises:
        RegistryError: no method of the run has the parameter of a ``--set student.X``, ``loss.X``
            or ``front_end.X``; or a setting of training is given although no method is a network.
    """
    for path, _ in sets:
        root, name = path[:2]
        of = [each for each in methods if root != "methods" or each.name == name]
        setting = (path[2] if root == "methods" else root) in SETTING_ROOTS
        if setting and all(each.estimates for each in of):
            raise RegistryError(
                f"--set {'.'.join(path)}: {joined([each.name for each in of], 'and')} trains no "
                "network, and an estimator has no such setting; leave it out"
            )
        if root not in PLUGIN_ROOTS:
            continue
        named = [getattr(method.candidates[0], root) for method in methods]
        plugins = [plugin for plugin in named if plugin is not None]
        known = {field for plugin in plugins for field in plugin.params.__class__.model_fields}
        if name not in known:
            what = root.replace("_", " ")
            if root == "front_end":
                what += f" ({joined(dict.fromkeys(each.name for each in plugins), 'or')})"
            raise RegistryError(
                f"--set {'.'.join(path)}: no {what} of this run has it{did_you_mean(name, known)}"
            )


def below(sets: Iterable[tuple[Keys, object]], *root: str) -> Values:
    """The settings below ``root`` as nested tables."""
    table: Values = {}
    for path, value in sets:
        if path[: len(root)] == root and len(path) > len(root):
            nested: object = value
            for part in reversed(path[len(root) :]):
                nested = {part: nested}
            assert isinstance(nested, dict)
            table = lay_over(table, nested)
    return table
