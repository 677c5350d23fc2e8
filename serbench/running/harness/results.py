"""Fits in the cache, and their rows and records in a run's folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from serbench.api import EpochEvent
from serbench.data.corpus.derive import TRAIN
from serbench.data.corpus.table import CorpusTable
from serbench.learning.fit.probe import PROBE_OF
from serbench.learning.fit.task import FitResult, FitTask
from serbench.protocol.guard.view import FittedRecord
from serbench.running.harness.folds import Folds
from serbench.running.harness.tasks import FitPlace
from serbench.running.plan.records import RunPlan
from serbench.running.store.cache import FitCache
from serbench.running.store.tables import TEST_SET

STUDENT_OF = "student of "
"""Beginning of a fit's record of its student; the method's name follows."""

OF_METHOD = (STUDENT_OF, PROBE_OF)
"""Beginnings of records that contain a method's name."""

READING = "reading."
"""Beginning of a reading's name among the arrays of a cached fit."""


@dataclass(frozen=True)
class KeptFit:
    """A finished fit, new or from an earlier run; see ``FitResult``."""

    ids: tuple[str, ...]
    posteriors: NDArray[np.float32]
    validation_ua: float | None
    best_epoch: int
    fitted: tuple[FittedRecord, ...]
    facts: Mapping[str, object]
    readings: Mapping[str, NDArray[np.float32]] = field(repr=False, default_factory=dict)
    state: Mapping[str, Tensor] = field(repr=False, default_factory=dict)


def keep(cache: FitCache, result: FitResult, *, refit: bool) -> None:
    """Cache a fit under its address.

    Weights and readings are stored for refits only; those of inner fits are not used again.
    """
    facts = {
        "ids": list(result.ids),
        "best_epoch": result.best_epoch,
        "validation_ua": result.validation_ua,
        "parameters": result.parameters,
        "flops": result.flops,
        "seconds": result.seconds,
        "step_seconds": result.step_seconds,
        "history": [asdict(record) for record in result.history],
        "fitted": [record.model_dump(mode="json") for record in result.fitted],
    }
    arrays = {"posteriors": result.posteriors}
    if refit:
        arrays |= {READING + name: values for name, values in result.readings.items()}
    cache.put(result.key, facts, arrays, result.state if refit else {})


def kept_fit(cache: FitCache, task: FitTask) -> KeptFit | None:
    """The fit of ``task``, if it is cached; it may be from a method of another name."""
    kept = cache.get(task.key)
    if kept is None:
        return None
    facts = kept.json
    return KeptFit(
        ids=tuple(facts["ids"]),
        posteriors=kept.arrays["posteriors"],
        validation_ua=facts["validation_ua"],
        best_epoch=facts["best_epoch"],
        fitted=tuple(_renamed(record, task.method) for record in facts["fitted"]),
        facts=facts,
        readings={
            name.removeprefix(READING): values
            for name, values in kept.arrays.items()
            if name.startswith(READING)
        },
        state=kept.tensors,
    )


def history(task: FitTask, fit: KeptFit) -> Iterator[EpochEvent]:
    """The epochs of a cached fit, as they were sent in training, under the name of ``task``."""
    records = cast("Sequence[Mapping[str, Any]]", fit.facts["history"])
    for record in records:
        yield EpochEvent(
            task.name, record["epoch"], task.epochs, record["terms"], record["validation_ua"],
            cached=True,
        )  # fmt: skip


def _renamed(record: Mapping[str, object], method: str) -> FittedRecord:
    """A cached record with the name of this run's method, because addresses contain no names."""
    kept = FittedRecord.model_validate(record)
    for start in OF_METHOD:
        if kept.what.startswith(start):
            return kept.model_copy(update={"what": start + method})
    return kept


def reading_arrays(task: FitTask, fit: KeptFit) -> dict[str, NDArray[np.generic]]:
    """Readings of a refit for the run folder."""
    epochs = len(next(iter(fit.readings.values())))
    return {
        "ids": np.array(task.train.ids),
        "epochs": np.arange(1, epochs + 1),
        "teachers": np.array([teacher.name for teacher in task.teachers]),
        **fit.readings,
    }


def record_of(plan: RunPlan, place: FitPlace, task: FitTask, fit: KeptFit) -> dict[str, object]:
    """The fit's record in the run folder."""
    return {
        "fit": task.name,
        "key": task.key,
        "method": place.method,
        "outer": place.outer + 1,
        "inner": None if place.inner is None else place.inner + 1,
        "candidate": place.candidate + 1,
        "values": dict(plan.method(place.method).candidates[place.candidate].values),
        "seed": place.seed,
        "fit_seed": task.seed,
        "epochs": task.epochs,
        "train_segments": len(task.train.ids),
        "scored_segments": len(task.segments),
        **{name: value for name, value in fit.facts.items() if name not in {"ids", "fitted"}},
        "validation_ua": None if place.inner is None else fit.validation_ua,
    }


def prediction_rows(
    table: CorpusTable,
    method: str,
    seed: int,
    outer: int,
    ids: Sequence[str],
    labels: NDArray[np.int64],
    posteriors: NDArray[np.float32],
    set_of: Mapping[str, str],
) -> pd.DataFrame:
    """One row per test utterance, in the columns of ``store.PREDICTION_COLUMNS``, and a column for
    the test set if ``set_of`` has one for each utterance.
    """
    names = np.array(table.labels)
    frame = pd.DataFrame(
        {
            "method": method,
            "seed": seed,
            "outer": outer,
            "utterance": list(ids),
            "speaker": [table.by_id[i].speaker for i in ids],
            "label": names[labels],
            "predicted": names[posteriors.argmax(axis=1)],
            **({TEST_SET: [set_of[i] for i in ids]} if set_of else {}),
        }
    )
    columns = {f"p_{name}": posteriors[:, n] for n, name in enumerate(table.labels)}
    return frame.assign(**columns)


def utterance_rows(folds: Folds) -> str:
    """``utterances.csv``: the corpus's facts about each utterance, and the fold that tests it.

    The fold is ``train`` if no fold tests the utterance. The file can be used as a fold file. If
    the split has several test sets, a column names the test set of each utterance.
    """
    fold_of = {i: split.name for split in folds.outer for i in split.test.ids}
    set_of = {i: name for split in folds.outer for i, name in split.set_of.items()}
    rows = [
        {
            "utterance": u.id,
            "fold": fold_of.get(u.id, TRAIN),
            "speaker": u.speaker,
            "session": u.session,
            "label": u.label,
            "text": u.text,
            "gender": u.gender,
            "intensity": u.intensity,
            "take": u.take,
            "duration_s": f"{u.duration_s:.6f}",
            "pcm_sha256": u.pcm_sha256,
            **({TEST_SET: set_of.get(u.id, "")} if set_of else {}),
        }
        for u in folds.table.utterances
    ]
    return pd.DataFrame(rows).to_csv(index=False, lineterminator="\n")
