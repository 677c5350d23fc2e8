"""The description of a run, and the digest that names it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import serbench
from serbench.files.paths import inside
from serbench.protocol.splits.records import Split, set_name
from serbench.running.harness.code import arithmetic, code_digests
from serbench.running.harness.prepare import Prepared, audio_record, cards_of
from serbench.running.harness.resources import Resources
from serbench.running.plan.records import RunPlan, digest_of

CITED = ("title", "citation", "home", "licence", "language", "elicitation")
"""Fields of a corpus's card that reports cite."""


def describe(
    plan: RunPlan, prepared: Prepared, models: Mapping[str, str], resources: Resources
) -> dict[str, Any]:
    """The content of plan.json: the plan, its inputs, and the digest that names the result.

    Args:
        plan: the run's plan.
        prepared: its corpus and folds.
        models: digests of the weights of its models.
        resources: its device and its command.
    """
    folds = prepared.folds
    table, audio = folds.table, audio_record(prepared.audio)
    description = {
        **plan.describe(),
        "pretrain_audio": audio.model_dump(mode="json") if audio else None,
    }
    code = code_digests(plan)
    by = arithmetic(plan, resources.device)
    heirs, heard = cards_of(plan.heirs), cards_of(plan.listeners)
    dataset = {
        **cast("dict[str, object]", description["dataset"]),
        "labels": list(table.labels),
        "corpus_digest": table.digest,
        "utterances": len(table.utterances),
        "title": table.card.title,
    }
    return {
        "digest": run_digest(
            description, table.digest, folds.digest, dict(models), resources.device, code, by
        ),
        "serbench_version": serbench.__version__,
        **description,
        "dataset": dataset,
        "seeds": list(range(plan.protocol.seeds)),
        "outer": [outer_entry(split) for split in folds.outer],
        "folds_digest": folds.digest,
        "model_digests": dict(models),
        "device": resources.device,
        "code": code,
        "arithmetic": by,
        "about": {
            "corpus": {key: getattr(table.card, key) for key in CITED},
            "methods": {method.name: dict(method.about) for method in plan.methods},
        },
        "cards": {name: asdict(teacher.card) for name, teacher in plan.teachers.items()},
        **({"inherited": {n: asdict(card) for n, card in heirs.items()}} if heirs else {}),
        **({"heard": {n: asdict(card) for n, card in heard.items()}} if heard else {}),
        "command": resources.command,
    }


def outer_entry(split: Split) -> dict[str, object]:
    """An outer fold in plan.json."""
    sets = {set_name(part): list(part.units) for part in split.test_sets}
    return {
        "name": split.name,
        "test_units": list(split.test.units),
        **({"test_sets": sets} if sets else {}),
    }


def _without_reasons(description: dict[str, Any]) -> dict[str, Any]:
    """The description without the reasons why a suite leaves methods out."""
    suite = description.get("suite")
    if not suite:
        return description
    return {**description, "suite": {**suite, "left_out": sorted(suite["left_out"])}}


def run_digest(
    description: dict[str, Any],
    corpus: str,
    folds: str,
    models: dict[str, str],
    device: str,
    code: dict[str, str],
    arithmetic: dict[str, object],
    version: str = serbench.__version__,
) -> str:
    """The digest that names a run. It covers everything that determines the run's result.

    ``arithmetic`` is empty for a run of an older version, whose plan does not contain it.
    """
    return digest_of(
        {
            "plan": _without_reasons(description),
            "corpus": corpus,
            "folds": folds,
            "models": models,
            "version": version,
            "device": device,
            "code": code,
            **({"arithmetic": arithmetic} if arithmetic else {}),
        }
    )


def run_folder(plan: RunPlan, digest: str, resources: Resources) -> Path:
    """The folder of the run with this digest."""
    if resources.folder is not None:
        return resources.folder
    methods = "-".join(re.sub(r"[+:]", "-", method.name) for method in plan.methods)
    if plan.ablation is not None:
        methods = f"{plan.ablation.name}-ablation"
    if plan.suite is not None:
        methods = plan.suite.name
    leaky = f"{plan.protocol.name}-" if plan.protocol.leaky else ""
    name = f"{plan.dataset.name}-{methods[:60]}-{plan.profile}-{leaky}{digest[:8]}"
    return inside(resources.runs, name, what="run")
