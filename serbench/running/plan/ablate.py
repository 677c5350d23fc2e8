"""An ablation as an ordinary run: the full method and every row that differs from it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from serbench.api import RegistryError
from serbench.running.plan.ablation import Ablation, AblationRow
from serbench.running.plan.names import find_row, run_name
from serbench.running.plan.records import MethodPlan, RunPlan, describe_candidate
from serbench.running.plan.request import Request
from serbench.running.plan.resolve import plan_run
from serbench.running.registry.ablations import row_changes
from serbench.running.registry.lookup import Registry
from serbench.running.registry.schema import RowSpec
from serbench.running.registry.validate import Values


def plan_ablation(
    registry: Registry, name: str, request: Request, only: Sequence[str] = ()
) -> RunPlan:
    """The run of an ablation: its full method first, then each row once.

    A row that equals the full method is recorded in ``RunPlan.ablation`` with the reason, and is
    not run.

    Args:
        registry: the registry that contains ``[ablations.NAME]``.
        name: name of the ablation.
        request: its methods are ignored.
        only: rows to keep, by name; empty: all.

    Raises:
        RegistryError: as ``plan_run``; no such ablation or row; or a protocol that is broken on
            purpose, whose results compare nothing.
    """
    spec = registry.ablation(name)
    full = spec.method or name
    for row in only:
        find_row(registry, name, row)
    wanted = {row_name: row for row_name, row in spec.rows.items() if not only or row_name in only}
    names = [run_name(name, row_name, row) for row_name, row in wanted.items()]
    methods = tuple(dict.fromkeys([full, *filter(None, names)]))
    plan = plan_run(registry, replace(request, methods=methods))
    if plan.protocol.leaky:
        raise RegistryError(
            f"protocol {plan.protocol.name} is broken on purpose, but an ablation compares "
            "methods; do not set protocol.name"
        )
    rows = tuple(
        _row(plan, plan.method(full), part_name, row_name, run_name(name, row_name, row), row)
        for part_name, part in spec.parts.items()
        for row_name, row in part.rows.items()
        if row_name in wanted
    )
    titles = {row.part: spec.parts[row.part].title for row in rows}
    return replace(
        _with_methods(plan, {full, *(row.method for row in rows)}),
        ablation=Ablation(name, full, spec.summary, titles, rows),
    )


def _with_methods(plan: RunPlan, names: Collection[str]) -> RunPlan:
    canary = _with_methods(plan.canary, names) if plan.canary else None
    methods = tuple(method for method in plan.methods if method.name in names)
    return replace(plan, methods=methods, canary=canary)


def _row(
    plan: RunPlan, full: MethodPlan, part: str, row_name: str, method: str, row: RowSpec
) -> AblationRow:
    same = _same(plan, full, method, row) if method and method != full.name else ""
    return AblationRow(
        name=row_name,
        part=part,
        label=row.label,
        method="" if same else method,
        teacher=row.teacher,
        changes=tuple(_changes_in_words(row)),
        same=same,
    )


def _same(plan: RunPlan, full: MethodPlan, method: str, row: RowSpec) -> str:
    """Why the row equals the full method; empty if it does not."""
    teachers = len(plan.teachers)
    if teachers < row.needs_teachers and plan.method(full.name).uses_teachers:
        return f"the same as {full.name} with {teachers} teacher{'s' if teachers > 1 else ''}"
    if row.needs_pretraining and plan.pretrain_audio is None:
        return f"the same as {full.name} without --pretrain-audio"
    if _descriptions(plan.method(method)) != _descriptions(full):
        return ""
    held = ", ".join(_changes_in_words(row)) if row.varies else ""
    return f"the same as {full.name}" + (f", which has {held}" if held else "")


def _descriptions(method: MethodPlan) -> list[Values]:
    return [describe_candidate(candidate) for candidate in method.candidates]


def _changes_in_words(row: RowSpec) -> Iterator[str]:
    """Differences of the row from the full method, as text such as ``loss.alpha = 0.0``."""
    if row.method:
        yield f"method {row.method}"
    if row.student:
        yield f"student {row.student}"
    if row.loss:
        yield f"loss {row.loss}"
    if row.front_end:
        yield f"front end {row.front_end}"
    for path, value in row_changes(row):
        yield f"{'.'.join(path)} = {json.dumps(value)}"
