"""What a run is an ablation of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AblationRow:
    """A line of an ablation's table.

    Attributes:
        name: in the registry.
        part: of the table.
        label: what the table calls it.
        method: of the run; empty for teachers, and for a row that is not run.
        teacher: whether it stands for the own head of each teacher.
        changes: what tells it from the full method, in words.
        same: why it would be the full method itself, and is not run; empty where it is run.
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
    """What a run is an ablation of.

    Attributes:
        name: in the registry.
        method: the full one, which all others are held against.
        parts: names to titles, in the table's order.
    """

    name: str
    method: str
    summary: str
    parts: Mapping[str, str]
    rows: tuple[AblationRow, ...]
