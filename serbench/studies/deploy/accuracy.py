"""Scores the outer test sides through every backend, and compares each with the reference."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from serbench.files.source import core_digest
from serbench.results.compare.methods import comparison
from serbench.results.compare.records import Difference, Estimate
from serbench.running.plan.records import digest_of
from serbench.running.replay.run import Replay
from serbench.running.store.cache import FitCache
from serbench.studies.deploy.backends import TriedBackend
from serbench.studies.deploy.models import Converted, FoldModel
from serbench.studies.deploy.opened import describe_model
from serbench.studies.deploy.process import PATIENCE_S, WorkerError, call_worker, describe_backend
from serbench_runtime.waveform import SAMPLE_RATE_HZ

SAME = "same classes"
"""The verdict on a backend that gives every utterance the class that the reference gives it."""

SCORING = ("studies/deploy/worker.py", "serbench_runtime/audio", "serbench_runtime/waveform.py")
"""Core modules that decide which audio the models receive."""

Posteriors = Sequence[NDArray[np.float32]]
"""Posteriors ``(U, C)`` of each outer fold's test side."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The accuracy of a backend on all outer test sides.

    Attributes:
        difference: paired difference of pooled UA from the reference; None for the reference
            itself.
        changed: number of utterances to which the reference gives another class.
        gap: greatest difference of a posterior from the reference's.
    """

    ua: Estimate
    difference: Difference | None
    changed: int
    gap: float

    @property
    def verdict(self) -> str:
        """The verdict on the difference, or that no utterance changed its class."""
        if self.difference is None:
            return "reference"
        return self.difference.verdict if self.changed else SAME


def score_folds(
    replay: Replay,
    candidate: TriedBackend,
    models: Sequence[FoldModel],
    converted: Sequence[Converted],
    threads: int,
    patience_s: float = PATIENCE_S,
) -> Posteriors:
    """Posteriors of every outer test side through a backend, from the cache if they are in it.

    Raises:
        WorkerError: the backend cannot be opened, gives no posteriors, or its process crashed or
            hung.
    """
    kept = FitCache(replay.cache, "posteriors")
    addresses = [
        _address(replay, model, each) for model, each in zip(models, converted, strict=True)
    ]
    found = {address: entry for address in addresses if (entry := kept.get(address))}
    missing = [n for n, address in enumerate(addresses) if address not in found]
    if missing:
        with tempfile.TemporaryDirectory(prefix="serbench-deploy-") as folder:
            items = [
                {
                    "model": describe_model(models[n].deployed),
                    "folder": str(converted[n].folder),
                    "audio": _audio(replay, models[n]),
                    "posteriors": str(Path(folder) / f"{n}.npy"),
                }
                for n in missing
            ]
            task = {"backend": describe_backend(candidate.backend), "items": items}
            try:
                call_worker("score", task, threads, patience_s)
            except WorkerError as error:
                raise WorkerError(f"test folds: {error}") from error
            for n, item in zip(missing, items, strict=True):
                posteriors = np.load(item["posteriors"], allow_pickle=False)
                kept.put(addresses[n], {"backend": candidate.name}, {"posteriors": posteriors})
                found[addresses[n]] = posteriors
    rows = (found[address] for address in addresses)
    return [each if isinstance(each, np.ndarray) else each.arrays["posteriors"] for each in rows]


def _test_ids(replay: Replay, model: FoldModel) -> tuple[str, ...]:
    return tuple(replay.folds.outer[model.student.outer - 1].test.ids)


def _audio(replay: Replay, model: FoldModel) -> list[str]:
    return [str(replay.table.by_id[i].path.resolve()) for i in _test_ids(replay, model)]


def _address(replay: Replay, model: FoldModel, converted: Converted) -> str:
    """Digest of everything that decides the posteriors of a fold's test side."""
    heard = [[i, replay.table.by_id[i].pcm_sha256] for i in _test_ids(replay, model)]
    return digest_of(
        {
            "converted": converted.address,
            "test side": heard,
            "sample rate": SAMPLE_RATE_HZ,
            "code": core_digest(SCORING),
        }
    )


def check_reference(replay: Replay, models: Sequence[FoldModel], reference: Posteriors) -> float:
    """Compare the reference with the run's posteriors; return the greatest difference.

    Raises:
        StoreError: the difference is greater than another machine's arithmetic explains.
    """
    return max(
        replay.check_same(model.student, _test_ids(replay, model), posteriors)
        for model, posteriors in zip(models, reference, strict=True)
    )


def compare_backends(
    replay: Replay, models: Sequence[FoldModel], posteriors: Mapping[str, Posteriors]
) -> dict[str, Accuracy]:
    """Score every backend, the first being the reference.

    Args:
        replay: the run.
        models: the models of all outer folds.
        posteriors: posteriors by backend.

    Returns:
        The accuracy by backend.
    """
    first = next(iter(posteriors))
    table = pd.concat(
        _rows(replay, name, model, rows)
        for name, folds in posteriors.items()
        for model, rows in zip(models, folds, strict=True)
    )
    compared = comparison(table, replay.table.labels, list(posteriors), question="models")
    reference = np.concatenate(posteriors[first])
    found = {}
    for result in compared.methods:
        own = np.concatenate(posteriors[result.method])
        found[result.method] = Accuracy(
            ua=result.pooled["ua"],
            difference=result.difference,
            changed=int((own.argmax(axis=1) != reference.argmax(axis=1)).sum()),
            gap=float(np.abs(own - reference).max()),
        )
    return found


def _rows(
    replay: Replay, name: str, model: FoldModel, posteriors: NDArray[np.float32]
) -> pd.DataFrame:
    """Rows as ``serbench.results.compare`` reads them, with the backend instead of the method."""
    ids, labels = _test_ids(replay, model), np.array(replay.table.labels)
    return pd.DataFrame(
        {
            "method": name,
            "seed": model.student.seed,
            "outer": model.student.outer,
            "utterance": ids,
            "speaker": [replay.table.by_id[i].speaker for i in ids],
            "label": labels[replay.labels_of(ids)],
            "predicted": labels[posteriors.argmax(axis=1)],
        }
    )
