"""The results from which a report is made: one stored run, or several that can share one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from serbench.api import StoreError
from serbench.results.compare.methods import comparison
from serbench.results.compare.records import Comparison
from serbench.results.report.marks import start_lines, warning_lines
from serbench.running.store.finished import StoredRun, load_runs
from serbench.running.store.run import TEACHER_PREFIX
from serbench.settings import ProtocolName


@dataclass(frozen=True, slots=True)
class MethodInfo:
    """What a table shows of a method besides its scores.

    Attributes:
        folder: folder of its run.
        parameters: number of parameters trained in the outer refits, smallest and largest over
            folds; None for a teacher.
        flops: operations of a refitted student on 3 s of audio, the most over folds; None for a
            teacher, and for runs of older versions, which did not count them.
        fit_s: time of all its fits, inner ones included, in seconds; None for a teacher.
        plan: its entry in the plan; empty for a teacher.
    """

    name: str
    folder: Path
    student: str
    parameters: tuple[int, int] | None
    flops: int | None
    fit_s: float | None
    plan: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Results:
    """The compared results of runs over the same corpus and folds.

    Attributes:
        predictions: predictions on which the comparison is based, with their ``certificate``. If
            the corpus's split has several test sets, they and the comparison are of the first.
        every_prediction: predictions for all test sets, which the column ``test_set`` names if
            there are several.
        test_sets: comparisons of the methods on each test set, if there are several; the first is
            ``comparison``.
    """

    runs: tuple[StoredRun, ...]
    methods: dict[str, MethodInfo]
    comparison: Comparison
    predictions: pd.DataFrame
    every_prediction: pd.DataFrame
    test_sets: Mapping[str, Comparison] = field(default_factory=dict)

    def shown(self, method: str) -> str:
        """The name in tables of a method of the only run, or of the first run that has it."""
        names = (n for n, info in self.methods.items() if info.plan.get("name") == method)
        return next(names, method)

    @property
    def dataset(self) -> dict[str, Any]:
        """The plan's dataset entry, the same in all runs."""
        return self.runs[0].plan["dataset"]

    @property
    def tested(self) -> int:
        """Number of tested utterances; smaller than the dataset if some are only for training."""
        return sum(self.comparison.fold_counts.values())

    @property
    def size(self) -> str:
        """``535 utterances``, or ``200 test utterances`` if others are only for training."""
        if self.test_sets:
            return f"{self.tested} utterances of test set “{next(iter(self.test_sets))}”"
        more = self.tested < self.dataset["utterances"]
        return f"{self.tested} test utterances" if more else f"{self.tested} utterances"

    @property
    def outer(self) -> list[dict[str, Any]]:
        """The plan's outer folds, the same in all runs."""
        return self.runs[0].outer

    @property
    def certificates(self) -> tuple[str, ...]:
        """Digest of each run's certificate."""
        return tuple(run.certificate.digest for run in self.runs)

    @property
    def protocol(self) -> ProtocolName:
        """The protocol, the same in all runs: a leaky run is never combined with others."""
        return self.runs[0].certificate.protocol

    @property
    def leaky(self) -> bool:
        """Whether the protocol was broken on purpose; then nothing is compared."""
        return self.runs[0].certificate.leaky

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings that every table must have, one line each."""
        plans = {name: info.plan for name, info in self.methods.items() if info.plan}
        return (*warning_lines(run.certificate for run in self.runs), *start_lines(plans))


def load_results(folders: Sequence[Path], *, marked: bool = True) -> Results:
    """Read runs and compare their methods, the first method of the first run being the reference.

    Methods of a leaky run are scored but not compared.

    Args:
        folders: folders of the runs.
        marked: whether names say that a method is a reconstruction, as in tables.

    Raises:
        StoreError: see ``load_run``; or the runs do not share corpus and folds, or one of several
            is leaky.
    """
    runs = load_runs(folders)
    _check_proper(runs)
    _check_comparable(runs)
    named = _distinct_names(runs, marked=marked)
    methods = {
        new: _info(run, old, new)
        for run, names in zip(runs, named, strict=True)
        for old, new in names.items()
    }
    order = sorted(methods, key=lambda name: name.startswith(TEACHER_PREFIX))
    predictions = _together(runs, named, [run.predictions for run in runs])

    def compared(rows: pd.DataFrame) -> Comparison:
        labels, train_counts = runs[0].plan["dataset"]["labels"], runs[0].train_counts
        found = comparison(rows, labels, order, train_counts=train_counts)
        if not runs[0].certificate.leaky:
            return found
        alone = tuple(replace(result, difference=None) for result in found.methods)
        return replace(found, methods=alone)

    main = compared(predictions)
    others = {
        name: compared(_together(runs, named, [run.test_sets[name] for run in runs]))
        for name in runs[0].test_sets
    }
    return Results(
        runs=runs,
        methods={name: methods[name] for name in order},
        comparison=main,
        predictions=predictions,
        every_prediction=_together(runs, named, [run.tested for run in runs])
        if others
        else predictions,
        test_sets={runs[0].first_test_set: main, **others} if others else {},
    )


def _together(
    runs: Sequence[StoredRun], named: Sequence[Mapping[str, str]], tables: Sequence[pd.DataFrame]
) -> pd.DataFrame:
    """Predictions of several runs, with the methods' names in the common table."""
    parts = [
        rows.loc[rows["method"] == old].assign(method=new, certificate=run.certificate.digest)
        for run, names, rows in zip(runs, named, tables, strict=True)
        for old, new in names.items()
    ]
    return pd.concat(parts, ignore_index=True)


def _check_proper(runs: Sequence[StoredRun]) -> None:
    """
    Raises:
        StoreError: a leaky run is combined with another run.
    """
    leaky = [run for run in runs if run.certificate.leaky]
    if leaky and len(runs) > 1:
        named = ", ".join(f"{run.name} (protocol {run.certificate.protocol})" for run in leaky)
        raise StoreError(
            f"leaky runs cannot be combined with other runs: {named}; leave them out, or measure "
            "the effect of a leak with `serbench inflation`"
        )


def _check_comparable(runs: Sequence[StoredRun]) -> None:
    """
    Raises:
        StoreError: two runs differ in corpus, labels or outer folds; the message says in which of
            these.
    """
    first = runs[0]
    for run in runs[1:]:
        pairs = {
            "corpus": [each.plan["dataset"]["name"] for each in (first, run)],
            "corpus digest": [each.plan["dataset"]["corpus_digest"] for each in (first, run)],
            "labels": [each.plan["dataset"]["labels"] for each in (first, run)],
            "folds digest": [each.plan["folds_digest"] for each in (first, run)],
        }
        for what, (here, there) in pairs.items():
            if here != there:
                raise StoreError(
                    f"{first.name} and {run.name} cannot be in one table: their {what} differs "
                    f"({here} and {there}); report them one by one"
                )


def _method_names(run: StoredRun) -> tuple[str, ...]:
    """Planned methods in their order, then the teachers found in the predictions.

    Methods without a row are kept: the comparison says that the run has not finished them.
    """
    planned = [str(method["name"]) for method in run.plan["methods"]]
    found = [str(method) for method in run.predictions["method"].unique()]
    return (*planned, *(name for name in found if name not in planned))


def _distinct_names(runs: Sequence[StoredRun], *, marked: bool) -> tuple[dict[str, str], ...]:
    """For each run the names of its methods in the common table.

    A name that two runs share is followed by the run's name; a teacher whose predictions are the
    same in both is listed once.
    """
    taken = [_method_names(run) for run in runs]
    named: list[dict[str, str]] = []
    for index, (run, names) in enumerate(zip(runs, taken, strict=True)):
        own: dict[str, str] = {}
        for name in names:
            shown = shown_in(run, name) if marked else name
            others = [other for other, its in enumerate(taken) if name in its and other != index]
            same = name.startswith(TEACHER_PREFIX) and all(
                _same_predictions(run, runs[other], name) for other in others
            )
            if not others or (same and index < min(others)):
                own[name] = shown
            elif not same:
                own[name] = f"{shown} ({run.name})"
        named.append(own)
    return tuple(named)


def shown_in(run: StoredRun, method: str) -> str:
    """A method's name in every table: a reconstruction is named as one."""
    marked = any(
        each["name"] == method and each.get("reconstruction", False) for each in run.plan["methods"]
    )
    return f"{method} (reconstruction)" if marked else method


def _same_predictions(one: StoredRun, other: StoredRun, method: str) -> bool:
    columns = ["seed", "utterance", "predicted"]
    sides = [
        set(zip(*(table[column] for column in columns), strict=True))
        for run in (one, other)
        for table in (run.predictions.loc[run.predictions["method"] == method],)
    ]
    return sides[0] == sides[1]


def _info(run: StoredRun, name: str, shown: str) -> MethodInfo:
    planned = next((each for each in run.plan["methods"] if each["name"] == name), None)
    own = [fit for fit in run.fits if fit["method"] == name]
    refits = [fit for fit in own if fit.get("inner") is None]
    sizes = [int(fit["parameters"]) for fit in refits]
    return MethodInfo(
        name=shown,
        folder=run.folder,
        student=str(planned["student"]) if planned else "",
        parameters=(min(sizes), max(sizes)) if sizes else None,
        flops=max((int(fit.get("flops", 0)) for fit in refits), default=0) or None,
        fit_s=sum(float(fit["seconds"]) for fit in own) if own else None,
        plan=planned or {},
    )
