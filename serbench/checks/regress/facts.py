"""Facts about a run for its golden file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from serbench.checks.regress.golden import Golden, GoldenRun, Setting, common, merged
from serbench.checks.regress.tallies import Tally, tally
from serbench.results.compare.methods import check_paired
from serbench.running.store.finished import StoredRun, leaves

GENERAL = ("profile", "folds", "device", "protocol", "backend", "teachers", "model_digests")
"""Parts of a plan that describe a run, besides its methods."""


def golden_run(run: StoredRun) -> GoldenRun:
    """The run that the results come from."""
    plan = run.plan
    return GoldenRun(
        command=str(plan["command"]),
        serbench_version=str(plan["serbench_version"]),
        plan_digest=plan["digest"],
        dataset=plan["dataset"]["name"],
        corpus_digest=plan["dataset"]["corpus_digest"],
        folds_digest=plan["folds_digest"],
        labels=list(plan["dataset"]["labels"]),
    )


def run_tallies(run: StoredRun) -> dict[str, Tally]:
    """Hits and counts of every method, and of teachers.

    Raises:
        StoreError: a method was not tested on all utterances.
    """
    labels = run.plan["dataset"]["labels"]
    planned = [str(method["name"]) for method in run.plan["methods"]]
    found = [str(method) for method in run.predictions["method"].unique()]
    names = [*planned, *(name for name in found if name not in planned)]
    check_paired(run.predictions, labels, names)
    return {name: tally(run.predictions, labels, name) for name in names}


def run_settings(run: StoredRun) -> dict[str, dict[str, Setting]]:
    """Every setting of each trained method."""
    plan = run.plan
    general = dict(_flat({key: plan[key] for key in GENERAL if key in plan}))
    made = {}
    for method in plan["methods"]:
        own = {key: value for key, value in method.items() if key not in {"name", "settings"}}
        made[str(method["name"])] = {
            **general, **dict(_flat(own)), **dict(_flat(method.get("settings", {})))
        }  # fmt: skip
    return made


def changed_settings(run: StoredRun, golden: Golden) -> tuple[str, ...]:
    """Differences between the run's settings and the reference run's, one per line."""
    now = run_settings(run)
    names = [name for name in golden.methods if name in now]
    then = merged(golden.settings, {name: golden.methods[name].settings for name in names})
    lines: dict[str, list[str]] = {}
    for name in names:
        for key in sorted(then[name].keys() | now[name].keys()):
            old, new = (side[name].get(key, "none") for side in (then, now))
            if old != new:
                lines.setdefault(f"{key}: {_shown(old)} → {_shown(new)}", []).append(name)
    return tuple(
        line if len(found) == len(names) else f"{line} ({', '.join(found)})"
        for line, found in lines.items()
    )


def shared_settings(run: StoredRun) -> tuple[dict[str, Setting], dict[str, dict[str, Setting]]]:
    """The run's settings for a golden file: those that all methods share, and each method's own."""
    return common(run_settings(run))


def _flat(table: Mapping[str, Any]) -> Iterator[tuple[str, Setting]]:
    """Dotted keys and their values; values that TOML cannot express become text."""
    for path, value in leaves(table):
        if isinstance(value, (list, tuple)):
            yield path, [_plain(item) for item in value]
        elif value != {}:
            yield path, _plain(value)


def _plain(value: object) -> bool | int | float | str:
    match value:
        case bool() | int() | float():
            return value
        case None:
            return "none"
        case str():
            # The path of a user's model is private; the digest of the model distinguishes models.
            return Path(value).name if Path(value).is_absolute() else value
        case _:
            return json.dumps(value, ensure_ascii=False)


def _shown(value: Setting) -> str:
    return json.dumps(value, ensure_ascii=False)
