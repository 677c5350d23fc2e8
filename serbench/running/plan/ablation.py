"""Ablations: which methods of a run are rows of which ablation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AblationRow:
    """A line of an ablation's table.

    Attributes:
        name: in the registry.
        part: of the table.
        label: its name in the table.
        method: in the run; empty for teachers, and for a row that is not run.
        teacher: whether it is the own head of each teacher.
        changes: differences from the full method, in words.
        same: why it equals the full method, and is not run; empty if it is run.
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
    """The ablation that a run is.

    Attributes:
        name: in the registry.
        method: the full one, which all others are compared with.
        parts: names to titles, in the table's order.
    """

    name: str
    method: str
    summary: str
    parts: Mapping[str, str]
    rows: tuple[AblationRow, ...]
