"""The effect of parts of a method on UA: the start of its student, and distillation from it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from serbench.results.compare.methods import comparison
from serbench.results.report.results import MethodInfo, Results
from serbench.results.table.formats import p_value, percent, signed
from serbench.running.plan.names import ROW


def worth(results: Results) -> list[str]:
    """A sentence for each part in which two methods of the report differ.

    First, labels alone from a start (pretrained, or inherited weights) are compared with labels
    alone from scratch. Then distillation is compared with labels alone from the same start. Each is
    a separate comparison. Rows of an ablation are compared in its own table.
    """
    if results.leaky:
        return []
    groups: dict[str, list[MethodInfo]] = {}
    for info in results.methods.values():
        if info.plan:
            groups.setdefault(_start(results, info), []).append(info)
    scratch = [each for group in groups.values() for each in group if not _started(each.plan)]
    return [line for group in groups.values() for line in _of_group(results, group, scratch)]


def _of_group(
    results: Results, group: Sequence[MethodInfo], scratch: Sequence[MethodInfo]
) -> Iterator[str]:
    """Sentences about methods with the same start."""
    base = next((each for each in group if _labels_alone(each.plan)), None)
    if base is None:
        return
    fresh = [each for each in scratch if _labels_alone(each.plan)]
    alike = [each for each in fresh if each.student == base.student]
    if not any("suite" in run.plan for run in results.runs):  # in a suite, all students differ
        alike = alike or fresh
    if _started(base.plan) and alike:
        yield (
            f"The start contributes {_difference(results, base, alike[0])}: {base.name} "
            f"({_started(base.plan)}) compared with {alike[0].name} (from scratch), both with "
            "labels alone."
        )
    where = "from the same start" if _started(base.plan) else "from scratch"
    for each in group:
        if not _labels_alone(each.plan) and ROW not in each.name:
            yield (
                f"Distillation {where} contributes {_difference(results, each, base)}: {each.name} "
                f"compared with {base.name} (labels alone)."
            )


def _difference(results: Results, one: MethodInfo, other: MethodInfo) -> str:
    """For instance ``+1.2 points of UA [−0.4, 2.8], p = 0.12 uncorrected``."""
    compared = comparison(
        results.predictions,
        results.comparison.labels,
        (other.name, one.name),
        train_counts=results.runs[0].train_counts,
    )
    found = compared.methods[1].difference
    assert found is not None
    told = f"{signed(found.value)} points of UA [{_bound(found.low)}, {_bound(found.high)}]"
    if found.significance is None:
        return told
    p = p_value(found.significance.p)
    return f"{told}, p {p if p.startswith('<') else f'= {p}'} uncorrected"


def _bound(value: float) -> str:
    return f"{'−' if value < 0 else ''}{percent(abs(value))}"


def _labels_alone(plan: Mapping[str, Any]) -> bool:
    """Whether fits read nothing from a teacher; plans of older versions do not record this."""
    needs = plan.get("needs")
    return plan.get("loss_plugin") == "ce" if needs is None else not needs


def _started(plan: Mapping[str, Any]) -> str:
    """The start of a student in words; empty: from scratch."""
    ways = ["inherits"] if plan.get("inherits") else []
    objective = plan.get("settings", {}).get("pretrain", {}).get("objective")
    if plan.get("pretrained") and (objective or not ways):
        ways.append("pretrained")
    return ", ".join(ways)


def _start(results: Results, info: MethodInfo) -> str:
    """What is equal for all methods of the same start, as one key."""
    plan = info.plan
    run = next(run for run in results.runs if run.folder == info.folder)
    common: list[object] = [plan.get("student_plugin") or plan["student"]]
    common += [plan.get(f"{each}_params") for each in ("student", "front_end")]
    common.append(plan.get("front_end_plugin"))
    if _started(plan):
        common += [plan.get("inherits"), plan.get("objective"), run.plan.get("pretrain_audio")]
    if plan.get("pretrained"):
        common.append(plan["settings"].get("pretrain"))
    return json.dumps(common, sort_keys=True)
