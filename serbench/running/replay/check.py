"""Whether a run folder, the corpus here and the code here fit each other."""

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
from serbench.running.plan.records import digest_of
from serbench.running.replay.stored import StoredPlan
from serbench.running.replay.students import TOLERANCE, StoredStudent
from serbench.running.store.run import RunStore


def check_ledger(store: RunStore, predictions: pd.DataFrame, labels: Sequence[str]) -> None:
    """The run has read the labels of every outer test side, with the predictions that it keeps.

    Raises:
        StoreError: it has not, or the predictions were changed since.
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
                f"{store.folder}: the predictions of {method}, outer fold {outer}, seed {seed} are "
                "not those that the ledger says the labels were read for; serbench verify tells "
                "more"
            )


def check_same_corpus(store: RunStore, table: CorpusTable, *, dropped: bool) -> None:
    """The corpus here holds what ``utterances.csv`` lists, each with its audio and label.

    Args:
        store: the run.
        table: the corpus here.
        dropped: whether the run left copies out, so that more may be here.

    Raises:
        CorpusError: it does not.
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
            (gone, "utterances of the run are not there"),
            (new, "are there that the run did not have"),
            (changed, "have another audio or label"),
        )
        if ids
    ]
    if faults:
        raise CorpusError(
            f"{table.folder} is another corpus than that of {store.folder}: {'; '.join(faults)}; "
            "name the run's own with --data-dir"
        )


def check_weights(folder: Path, students: Sequence[StoredStudent]) -> None:
    """The weights of the run's students are in its folder.

    Raises:
        StoreError: some are not, or the run has no student.
    """
    missing = [student.path for student in students if not student.path.is_file()]
    if missing or not students:
        raise StoreError(
            f"{folder} lacks the weights of {len(missing) or 'all'} students"
            + (f", such as {missing[0]}" if missing else "")
            + "; run the same command again to have them"
        )


def check_folds(stored: StoredPlan, folds: Folds) -> None:
    """The folds made anew are those of the plan.

    Raises:
        StoreError: they are not.
    """
    made = digest_of([[split.name, list(split.test.ids)] for split in folds.outer])
    same = {
        "corpus": folds.table.digest == stored.plan["dataset"]["corpus_digest"],
        "folds": made == stored.plan["folds_digest"],
    }
    if differing := [what for what, agrees in same.items() if not agrees]:
        raise StoreError(
            f"made anew, the {' and '.join(differing)} of the run are not those of plan.json; "
            "serbench verify tells why"
        )


def changed_code(stored: StoredPlan, students: Iterable[StoredStudent]) -> tuple[str, ...]:
    """A sentence where code that predictions go through has changed since the run was made."""
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
        f"Code has changed since the run was made ({', '.join(changed)}); its models are replayed "
        "with that of today.",
    )


def kept_posteriors(
    predictions: pd.DataFrame, labels: Sequence[str], method: str, outer: int, seed: int
) -> pd.DataFrame:
    """The run's posteriors of one reading: utterances by classes.

    Raises:
        StoreError: there are none.
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
    """The greatest difference between posteriors ``(U, C)`` of ``ids`` and those that are kept.

    Args:
        name: of the student.
        kept: as ``kept_posteriors`` gives them.
        ids: utterances, in any order.
        posteriors: what the student gives for them here.

    Raises:
        StoreError: it is greater than another machine's arithmetic explains.
    """
    gap = float(np.abs(kept.reindex(list(ids)).to_numpy(np.float64) - posteriors).max())
    if not (gap <= TOLERANCE and len(ids) == len(kept)):  # also where a row is missing
        raise StoreError(
            f"{name} does not predict what the run has kept of it: posteriors differ by up to "
            f"{gap:.3g}, and {TOLERANCE:g} is what another machine explains; the code of its "
            "student or of the front end has changed since, or a file of the run was changed "
            "(serbench verify tells which)"
        )
    return gap
