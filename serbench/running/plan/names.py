"""Names of methods in a request: methods of the registry, ``STUDENT+LOSS``, or ``ABLATION:ROW``."""

from __future__ import annotations

from collections.abc import Sequence

from serbench.api import RegistryError
from serbench.errors import did_you_mean
from serbench.running.plan.sets import Keys
from serbench.running.registry.ablations import replaced_parts, row_changes, row_method
from serbench.running.registry.lookup import Registry
from serbench.running.registry.schema import MethodSpec, RowSpec

ROW = ":"
"""Separates an ablation from its row."""


def method_spec(registry: Registry, name: str) -> MethodSpec:
    """A method of the registry, a new one from ``STUDENT+LOSS``, or a row of an ablation.

    Raises:
        RegistryError: ``name`` is none of these.
    """
    if name in registry.methods:
        return registry.methods[name]
    if ROW in name:
        full, row = _row(registry, name)
        return row_method(registry.method(full), row)
    student, plus, loss = name.partition("+")
    if not plus:
        return registry.method(name)
    registry.plugin_spec("students", student)
    registry.plugin_spec("losses", loss)
    return MethodSpec(summary=f"{student} trained with {loss}", student=student, loss=loss)


def own_sets(
    registry: Registry, name: str, sets: Sequence[tuple[Keys, object]]
) -> list[tuple[Keys, object]]:
    """Settings for one method alone, by paths below it; later ones override earlier ones.

    A row of an ablation has the settings for the full method (except for a student or loss that it
    replaces), then its own changes, then the settings for itself.
    """
    own = [(path[2:], value) for path, value in sets if path[:2] == ("methods", name)]
    if name in registry.methods or ROW not in name:
        return own
    full, row = _row(registry, name)
    replaced = replaced_parts(row)
    inherited = [
        (path, value) for path, value in own_sets(registry, full, sets) if path[0] not in replaced
    ]
    return [*inherited, *row_changes(row), *own]


def run_name(ablation: str, row_name: str, row: RowSpec) -> str:
    """The name that a row has in a run; empty for the teachers' own heads, which every run has."""
    if row.varies:
        return f"{ablation}{ROW}{row_name}"
    return row.method or ""


def _row(registry: Registry, name: str) -> tuple[str, RowSpec]:
    """The full method's name, and the row's entry.

    Raises:
        RegistryError: no such ablation or row, or the row is not a method of its own.
    """
    ablation, _, row_name = name.partition(ROW)
    spec = registry.ablation(ablation)
    row = find_row(registry, ablation, row_name)
    if not row.varies:
        held = (
            f"the method {row.method}; name this method"
            if row.method
            else "the teachers' own heads"
        )
        raise RegistryError(f"{name} is {held}")
    return spec.method or ablation, row


def find_row(registry: Registry, ablation: str, row: str) -> RowSpec:
    """A row of an ablation.

    Raises:
        RegistryError: no such ablation or row.
    """
    rows = registry.ablation(ablation).rows
    if row not in rows:
        raise RegistryError(f"ablation {ablation} has no row {row!r}{did_you_mean(row, rows)}")
    return rows[row]
