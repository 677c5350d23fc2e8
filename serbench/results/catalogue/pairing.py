"""Compares two stored runs: their settings, their environments and their results."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from serbench.errors import StoreError
from serbench.results.compare.differences import corrected
from serbench.results.compare.methods import comparison
from serbench.results.compare.records import Difference, Estimate
from serbench.results.report.notes import difference_note, folds_note, interval_note
from serbench.results.report.results import Results, load_results
from serbench.running.store.finished import leaves
from serbench.running.store.run import TEACHER_PREFIX, RunStore

NOT_SET = "–"
"""Shown for a setting, a package or a score that one of the runs does not have."""

RESULT_OF_PLAN = frozenset(
    {
        *(
            "digest",
            "serbench_version",
            "command",
            "cards",
            "inherited",
            "heard",
            "code",
            "arithmetic",
        ),
        "model_digests",
        *("folds_digest", "outer", "ablation", "suite", "canary", "methods", "dataset", "seeds"),
    }
)
"""Entries of a plan that are not settings, or are shown elsewhere."""

CODE = ("serbench_version", "code", "arithmetic", "model_digests")
MACHINE = ("python", "packages", "plugins", "platform", "cpu", "cpus", "gpus", "torch_threads")

DIGEST_LENGTH = 12


@dataclass(frozen=True, slots=True)
class Change:
    """A difference between the runs: JSON text of each side, or ``NOT_SET``."""

    what: str
    here: str
    there: str


@dataclass(frozen=True, slots=True)
class MethodPair:
    """A method in both runs, or in one of them.

    Attributes:
        here, there: pooled UA; None if that run does not have the method.
        difference: second minus first, paired; None if nothing can be paired.
        same: whether both predict the same for every utterance and seed.
    """

    method: str
    here: Estimate | None
    there: Estimate | None
    difference: Difference | None
    same: bool = False

    @property
    def verdict(self) -> str:
        """The verdict on the second run compared with the first."""
        if self.difference is None:
            return "only in the first" if self.there is None else "only in the second"
        return "same predictions" if self.same else self.difference.verdict


@dataclass(frozen=True, slots=True)
class Pairing:
    """A comparison of two runs.

    Attributes:
        names: names of the first and the second run.
        data: differences of corpus and folds.
        settings: settings that differ; the methods too if they are not listed with their UA.
        code: digests, versions, packages and machine that differ.
        unknown: what could not be compared because a run does not have it yet.
        methods: methods of both runs; empty if the runs cannot be compared.
        notes: how intervals and verdicts were computed.
        refused: why the runs cannot be compared; empty if they can.
    """

    names: tuple[str, str]
    data: tuple[Change, ...]
    settings: tuple[Change, ...]
    code: tuple[Change, ...]
    unknown: tuple[str, ...]
    methods: tuple[MethodPair, ...]
    notes: tuple[str, ...]
    refused: str


def pair_runs(first: Path, second: Path) -> Pairing:
    """Compare two runs.

    UA is compared if both have finished and have the same corpus and folds. For each method of both
    runs, the difference is the second run's UA minus the first's, paired over the same utterances.
    p values are corrected for the number of methods.

    Raises:
        StoreError: a plan is missing or damaged, or both are the same folder.
    """
    if first.resolve() == second.resolve():
        raise StoreError(f"{first} and {second} are the same run; give two different runs")
    stores = RunStore(first), RunStore(second)
    plans = stores[0].plan(), stores[1].plan()
    places, unknown = _environments(stores)
    methods, notes, refused = _compared(first, second)
    try:
        return Pairing(
            names=(_name(first, second), _name(second, first)),
            data=_data(*plans),
            settings=(
                *_changes(*map(_settings, plans)),
                *(_changes(*map(_method_names, plans)) if refused else ()),
                *_method_changes(*plans),
            ),
            code=(*_changes(*map(_code, plans), short=True), *_changes(*places)),
            unknown=unknown,
            methods=methods,
            notes=notes,
            refused=refused,
        )
    except (KeyError, TypeError) as error:
        raise StoreError(
            f"the plan of {first} or {second} is damaged: {type(error).__name__}: {error}"
        ) from error


def _compared(first: Path, second: Path) -> tuple[tuple[MethodPair, ...], tuple[str, ...], str]:
    """Methods and notes, or the reason why there are none."""
    try:
        results = load_results([first, second])
    except StoreError as error:
        return (), (), str(error)
    methods = _methods(results)
    tests = sum(pair.difference is not None and not pair.same for pair in methods)
    speakers = len(results.comparison.speaker_counts)
    notes = [interval_note(results.comparison.repeats, speakers)]
    if tests:
        notes.append(difference_note("UA", tests, speakers, results.comparison.design))
        notes.append(folds_note(results))
    return methods, (*filter(None, notes), *results.warnings), ""


def _name(folder: Path, other: Path) -> str:
    name = folder.resolve().name
    return str(folder) if name == other.resolve().name else name


def _environments(
    stores: Sequence[RunStore],
) -> tuple[tuple[dict[str, str], dict[str, str]], tuple[str, ...]]:
    """Packages and machine of both runs; empty, with the reason, if a run has no record of them."""
    missing = [store.folder.name for store in stores if not store.has("environment.json")]
    if missing:
        said = f"Packages and machine are not recorded yet for {' and '.join(missing)}."
        return ({}, {}), (said,)
    first, second = (_place(store.read_json("environment")) for store in stores)
    return (first, second), ()


def _place(environment: Mapping[str, Any]) -> dict[str, str]:
    """Packages, plugins and machine of an environment, flat."""
    plugins = {
        f"{each['distribution']}:{each['entry_point']}": each["version"]
        for each in environment.get("plugins", ())
    }
    known = {**environment, "plugins": plugins}
    return flat({name: known[name] for name in MACHINE if known.get(name, {}) != {}})


def _data(first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[Change, ...]:
    return _changes(*map(_identity, (first, second)), short=True)


def _identity(plan: Mapping[str, Any]) -> dict[str, str]:
    """The parts of a plan that decide which utterances are tested in which fold."""
    dataset = {key: value for key, value in plan["dataset"].items() if key != "title"}
    folds = {"folds": plan["folds"], "folds_digest": plan["folds_digest"]}
    return flat({"dataset": dataset, **folds})


def _settings(plan: Mapping[str, Any]) -> dict[str, str]:
    """Settings of the whole run."""
    own = {key: value for key, value in plan.items() if key not in {*RESULT_OF_PLAN, "folds"}}
    return flat(own)


def _method_names(plan: Mapping[str, Any]) -> dict[str, str]:
    return {"methods": ", ".join(_by_name(plan))}


def _code(plan: Mapping[str, Any]) -> dict[str, str]:
    return flat({name: plan[name] for name in CODE if name in plan})


def _by_name(plan: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {str(method["name"]): method for method in plan["methods"]}


def _method_changes(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[Change]:
    """Differences in the settings of methods in both runs, each once, with the methods it
    affects.
    """
    here, there = _by_name(first), _by_name(second)
    shared = [name for name in here if name in there]
    found: dict[tuple[str, str, str], list[str]] = {}
    for name in shared:
        for change in _changes(flat(here[name]), flat(there[name])):
            key = change.what.removeprefix("settings."), change.here, change.there
            found.setdefault(key, []).append(name)
    for (what, one, other), names in found.items():
        whose = "all methods" if names == shared and len(shared) > 1 else ", ".join(names)
        yield Change(f"{whose}: {what}", one, other)


def flat(content: Mapping[str, Any]) -> dict[str, str]:
    """Values of nested objects as JSON text, by their dotted paths."""
    return {
        path: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for path, value in leaves(content)
        if path
    }


def _changes(
    first: Mapping[str, str], second: Mapping[str, str], *, short: bool = False
) -> tuple[Change, ...]:
    """Differences between two flat tables, in the first's order; ``short`` cuts long digests."""
    both = dict.fromkeys((*first, *second))
    return tuple(
        Change(what, *(_shown(side.get(what, NOT_SET), short) for side in (first, second)))
        for what in both
        if first.get(what) != second.get(what)
    )


def _shown(text: str, short: bool) -> str:
    is_digest = len(text) >= 32 and set(text) <= set("0123456789abcdef")
    return text[:DIGEST_LENGTH] if short and is_digest else text


def _methods(results: Results) -> tuple[MethodPair, ...]:
    """Every method: those of both runs, those of one, and teachers.

    ``load_results`` adds the run's name to a method that both runs have. It lists a teacher once if
    its predictions are the same in both runs.
    """
    first, second = (run.name for run in results.runs)
    pooled = {each.method: each.pooled["ua"] for each in results.comparison.methods}
    pairs: list[MethodPair] = []
    single: list[MethodPair] = []
    for shown in results.methods:
        own = shown.removesuffix(f" ({first})")
        other = f"{own} ({second})"
        if shown != own and other in pooled:
            pairs.append(_pair(results, own, shown, other))
        elif shown == own.removesuffix(f" ({second})"):
            single.append(_single(results, shown, pooled[shown]))
    ordered = [*_corrected(pairs), *single]
    return tuple(sorted(ordered, key=lambda pair: pair.method.startswith(TEACHER_PREFIX)))


def _pair(results: Results, method: str, here: str, there: str) -> MethodPair:
    both = results.predictions.loc[results.predictions["method"].isin([here, there])]
    labels, train_counts = results.comparison.labels, results.runs[0].train_counts
    found = comparison(both, labels, [here, there], train_counts=train_counts)
    first, second = found.methods
    sides = [_predicted(both, name) for name in (here, there)]
    return MethodPair(
        method=method,
        here=first.pooled["ua"],
        there=second.pooled["ua"],
        difference=second.difference,
        same=sides[0].equals(sides[1]),
    )


def _predicted(predictions: pd.DataFrame, method: str) -> pd.Series:
    own = predictions.loc[predictions["method"] == method]
    return own.set_index(["seed", "utterance"])["predicted"].sort_index()


def _single(results: Results, method: str, ua: Estimate) -> MethodPair:
    """A method of one run, or a teacher whose predictions are the same in both."""
    having = [
        index for index, run in enumerate(results.runs) if method in set(run.predictions["method"])
    ]
    if len(having) == 2:
        return MethodPair(method, ua, ua, Difference(0.0, 0.0, 0.0), same=True)
    here, there = (ua if index in having else None for index in (0, 1))
    return MethodPair(method, here, there, None)


def _corrected(pairs: Sequence[MethodPair]) -> list[MethodPair]:
    """Apply Holm's correction over the methods that do not predict the same in both runs."""
    untested = [replace(pair, difference=_untested(pair)) if pair.same else pair for pair in pairs]
    adjusted = corrected({pair.method: pair.difference for pair in untested if pair.difference})
    return [replace(pair, difference=adjusted.get(pair.method)) for pair in untested]


def _untested(pair: MethodPair) -> Difference | None:
    """The difference to test; None if both predict the same."""
    return pair.difference and replace(pair.difference, significance=None)
