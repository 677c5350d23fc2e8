"""Ablations: which methods of a run are rows of which ablation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AblationRow:
    """A line of an ablation's table.

    Attributes:
        name: its name in the registry.
        part: the part of the table that it belongs to.
        label: its name in the table.
        method: its method in the run; empty for teachers, and for a row that is not run.
        teacher: whether the row is each teacher's own head.
        changes: differences from the full method, in words.
        same: why it equals the full method and is therefore not run; empty if it is run.
    """

    name: str
    part: str
    label: str
    method: str
    teacher: bool
    changes: tuple[str, ...]
    same: str


@dataclass(frozen=True, slots=True)
class Ablation:
    """The ablation that a run performs.

    Attributes:
        name: its name in the registry.
        method: the full method, which all others are compared with.
        parts: titles of the table's parts by their names, in the table's order.
    """

    name: str
    method: str
    summary: str
    parts: Mapping[str, str]
    rows: tuple[AblationRow, ...]
