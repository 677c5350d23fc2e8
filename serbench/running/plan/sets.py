"""``--set path=value``: read, checked, and brought to where it belongs."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Sequence

from serbench.api import RegistryError
from serbench.running.plan.records import MethodPlan
from serbench.running.plugins import did_you_mean
from serbench.running.registry.validate import Values, lay_over
from serbench.settings import MethodSettings

Keys = tuple[str, ...]

SETTING_ROOTS = tuple(MethodSettings.model_fields)
METHOD_ROOTS = (*SETTING_ROOTS, "student", "loss")
ROOTS = (*METHOD_ROOTS, "teacher", "corpus", "protocol", "methods")


BETWEEN = re.compile(r"\.(?!\d)")
"""Between the parts of a path. No setting begins with a digit, but a name may have a number in it:
``inherited-1.5m``."""


def parse_set(text: str) -> tuple[Keys, object]:
    """``"training.epochs=20"`` to ``(("training", "epochs"), 20)``.

    The value is read as TOML; what is not TOML is text.

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
        RegistryError: a ``--set`` whose first part leads nowhere.
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
                f"--set {shown}: write methods.NAME.training.epochs=20 and the like, where NAME "
                f"is a method of this run{did_you_mean(name, methods)}"
            )
        if path[2] not in METHOD_ROOTS:
            raise RegistryError(
                f"--set {shown}: a method has {', '.join(METHOD_ROOTS)}"
                f"{did_you_mean(path[2], METHOD_ROOTS)}"
            )


def check_used(sets: Iterable[tuple[Keys, object]], methods: Sequence[MethodPlan]) -> None:
    """
    Raises:
        RegistryError: a ``--set student.X`` or ``loss.X`` that no method of the run takes.
    """
    for path, _ in sets:
        if path[0] not in {"student", "loss"}:
            continue
        known = {
            field
            for method in methods
            for field in getattr(method.candidates[0], path[0]).params.__class__.model_fields
        }
        if path[1] not in known:
            raise RegistryError(
                f"--set {'.'.join(path)}: no {path[0]} of this run has it"
                f"{did_you_mean(path[1], known)}"
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
