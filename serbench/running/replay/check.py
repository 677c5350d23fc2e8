"""Checks that a run folder, the corpus and the code on this machine agree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from serbench.api import CorpusError, StoreError
from serbench.data.corpus.table import CorpusTable
from serbench.files.source import core_digest, package_digest
from serbench.protocol.guard.seal import Seal, predictions_digest
from serbench.running.harness.code import FIT, HEAD
from serbench.running.harness.folds import Folds
from serbench.running.replay.stored import StoredPlan
from serbench.running.replay.students import TOLERANCE, StoredStudent
from serbench.running.store.run import RunStore


def check_ledger(store: RunStore, predictions: pd.DataFrame, labels: Sequence[str]) -> None:
    """Check that the run read the labels of every outer test side with its stored predictions.

    Raises:
        StoreError: it did not, or the predictions were changed since.
    """
    read = {
        (opening.method, opening.outer, opening.seed): opening.predictions_digest
        for opening in Seal(store.seal_path).openings()
    }
    columns = [f"p_{label}" for label in labels]
    for key, rows in predictions.groupby(["method", "outer", "seed"], sort=False):
        method, outer, seed = str(key[0]), int(key[1]), int(key[2])  # pyright: ignore[reportIndexIssue]
        ids = [str(utterance) for utterance in rows["utterance"]]
        digest = predictions_digest(ids, rows[columns].to_numpy(dtype=np.float32))
        if read.get((method, outer, seed)) != digest:
            raise StoreError(
                f"{store.folder}: the predictions of {method}, outer fold {outer}, seed {seed} "
                "are not those that the ledger recorded when the labels were read; `serbench "
                "verify` shows more"
            )


def check_same_corpus(store: RunStore, table: CorpusTable, *, dropped: bool) -> None:
    """Check that the corpus has all utterances of ``utterances.csv``, with their audio and labels.

    Args:
        store: the run.
        table: the corpus on this machine.
        dropped: whether the run left copies out, so that the corpus may have more.

    Raises:
        CorpusError: the corpus does not have them.
        StoreError: ``utterances.csv`` is missing or damaged.
    """
    kept = store.utterances()
    gone = [i for i in kept if i not in table.by_id]
    new = [] if dropped else [i for i in table.ids if i not in kept]
    changed = [
        i
        for i, row in kept.items()
        if (here := table.by_id.get(i))
        and (here.pcm_sha256, here.label) != (row["pcm_sha256"], row["label"])
    ]
    faults = [
        f"{len(ids)} {what}, such as {ids[0]}"
        for ids, what in (
            (gone, "utterances of the run are missing"),
            (new, "are new"),
            (changed, "have another audio or label"),
        )
        if ids
    ]
    if faults:
        raise CorpusError(
            f"{table.folder} is not the corpus of {store.folder}: {'; '.join(faults)}; name the "
            "run's corpus with --data-dir"
        )


def check_weights(folder: Path, students: Sequence[StoredStudent]) -> None:
    """Check that the weights of the run's students are in its folder.

    Raises:
        StoreError: weights are missing, or the run has no student.
    """
    missing = [student.path for student in students if not student.path.is_file()]
    if missing or not students:
        raise StoreError(
            f"{folder} lacks the weights of {len(missing) or 'all'} students"
            + (f", such as {missing[0]}" if missing else "")
            + "; run the same command again to make them"
        )


def check_folds(stored: StoredPlan, folds: Folds) -> None:
    """Check that the recomputed folds are those of the plan.

    Raises:
        StoreError: the folds differ.
    """
    same = {
        "corpus": folds.table.digest == stored.plan["dataset"]["corpus_digest"],
        "folds": folds.digest == stored.plan["folds_digest"],
    }
    if differing := [what for what, agrees in same.items() if not agrees]:
        raise StoreError(
            f"the recomputed {' and '.join(differing)} of the run are not those of plan.json; "
            "`serbench verify` says why"
        )


def changed_code(stored: StoredPlan, students: Iterable[StoredStudent]) -> tuple[str, ...]:
    """One sentence if code that predictions depend on has changed since the run was
    made; else empty.
    """
    now = {"fit": core_digest(FIT)}
    if stored.plan["teachers"]:
        now["head"] = core_digest(HEAD)
    for student in students:
        for plugin in (student.candidate.student, student.candidate.front_end):
            now[type(plugin).__module__] = package_digest(type(plugin))
    kept = stored.plan["code"]
    changed = [name for name, digest in now.items() if kept.get(name) != digest]
    if not changed:
        return ()
    return (
        f"Code has changed since the run was made ({', '.join(changed)}); its models are "
        "replayed with the current code.",
    )


def kept_posteriors(
    predictions: pd.DataFrame, labels: Sequence[str], method: str, outer: int, seed: int
) -> pd.DataFrame:
    """The run's posteriors of one method, outer fold and seed: utterances by classes.

    Raises:
        StoreError: the run has no such predictions.
    """
    rows = predictions[
        (predictions["method"] == method)
        & (predictions["outer"] == outer)
        & (predictions["seed"] == seed)
    ].set_index("utterance")
    if rows.empty:
        raise StoreError(f"the run has no predictions of {method}, outer fold {outer}, seed {seed}")
    named = {f"p_{label}": label for label in labels}
    return rows.filter(list(named)).rename(columns=named)


def largest_gap(
    name: str, kept: pd.DataFrame, ids: Sequence[str], posteriors: NDArray[np.floating]
) -> float:
    """The largest difference between posteriors ``(U, C)`` of ``ids`` and the stored ones.

    Args:
        name: name of the student.
        kept: result of ``kept_posteriors``.
        ids: utterances, in any order.
        posteriors: the student's output for them here.

    Raises:
        StoreError: the difference is larger than the arithmetic of another machine can cause.
    """
    gap = float(np.abs(kept.reindex(list(ids)).to_numpy(np.float64) - posteriors).max())
    if not (gap <= TOLERANCE and len(ids) == len(kept)):  # NaN if a row is missing
        raise StoreError(
            f"{name} does not predict what the run has stored: posteriors differ by up to "
            f"{gap:.3g}, but another machine explains only {TOLERANCE:g}. The code of its student "
            "or front end has changed since, or a file of the run was changed (`serbench verify` "
            "says which)"
        )
    return gap
