"""Rows of an ablation as methods: the full method with the row's changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from serbench.running.registry.schema import MethodSpec, RowSpec
from serbench.running.registry.validate import lay_over

AblationChange = tuple[tuple[str, ...], object]
"""A path below a method, such as ``("loss", "alpha")``, and a value."""


def replaced_parts(row: RowSpec) -> frozenset[str]:
    """Those of ``student``, ``loss`` and ``front_end`` that the row replaces by others."""
    named = {"student": row.student, "loss": row.loss, "front_end": row.front_end}
    return frozenset(part for part, name in named.items() if name is not None)


def row_changes(row: RowSpec) -> tuple[AblationChange, ...]:
    """Every value that a row sets, by its path below a method."""
    tables = {
        "student": row.student_params,
        "loss": row.loss_params,
        "front_end": row.front_end_params,
        **row.settings,
    }
    return tuple(_leaves((), tables))


def _leaves(path: tuple[str, ...], value: object) -> Iterator[AblationChange]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves((*path, str(key)), item)
    else:
        yield path, value


def row_method(full: MethodSpec, row: RowSpec) -> MethodSpec:
    """The full method with a row's changes; the grids are the full method's.

    If the row replaces a student, loss or front end, its parameters are dropped, also from grids.
    """
    replaced = replaced_parts(row)
    student_params = {} if "student" in replaced else full.student_params
    loss_params = {} if "loss" in replaced else full.loss_params
    front_end_params = {} if "front_end" in replaced else full.front_end_params
    return full.model_copy(
        update={
            "summary": row.label,
            "student": row.student or full.student,
            "loss": row.loss or full.loss,
            "student_params": lay_over(student_params, row.student_params),
            "loss_params": lay_over(loss_params, row.loss_params),
            "front_end": row.front_end or full.front_end,
            "front_end_params": lay_over(front_end_params, row.front_end_params),
            "settings": lay_over(full.settings, row.settings),
            "grids": {
                name: {
                    path: candidates
                    for path, candidates in grid.items()
                    if path.partition(".")[0] not in replaced
                }
                for name, grid in full.grids.items()
            },
        }
    )
