"""L8: the labels of an outer test partition are handed out once, after the predictions exist."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from serbench.api import LeakageError, Params, StoreError
from serbench.api.json_text import read_model
from serbench.data.corpus.table import CorpusTable
from serbench.files.atomic import write_whole
from serbench.files.digests import name_digest
from serbench.protocol.guard.view import classes_of, id_set_digest
from serbench.protocol.splits.records import Partition, utterances_of


class Opening(Params):
    """One entry of the ledger: which outer test labels were read, and for which predictions.

    Attributes:
        method, outer, seed: fit that made the predictions; ``outer`` counts folds from 1.
        partition: name of the outer test partition.
        utterances: number of utterances of the partition.
        ids_digest: ``id_set_digest`` of these utterances.
        predictions_digest: digest of the predictions that existed before the labels were read.
        opened_at: UTC, ISO 8601.
    """

    method: str
    outer: int
    seed: int
    partition: str
    utterances: int
    ids_digest: str
    predictions_digest: str
    opened_at: str


class Seal:
    """Keeps outer test labels until predictions exist, and hands them out once.

    The ledger is a folder with one JSON file per (method, outer, seed). A file is written to the
    disk before the labels are handed out, so that another process or a later run sees it too.

    Args:
        path: the ledger's folder; made on the first opening.
    """

    def __init__(self, path: Path) -> None:
        self._folder = path

    def open(
        self,
        method: str,
        outer: int,
        seed: int,
        predictions_digest: str,
        table: CorpusTable,
        partition: Partition,
    ) -> NDArray[np.int64]:
        """The classes of ``partition.ids``, ``(N,)`` int64, in the order of the card's labels.

        The same predictions may be scored again (a resumed run); other predictions may not.

        Raises:
            LeakageError: L8, these labels were already read for this method, fold and seed with
                other predictions or for other utterances, or there are no predictions.
            SplitError: the table lacks an utterance.
            StoreError: the ledger cannot be read or written; no labels are handed out.
        """
        if not predictions_digest:
            raise LeakageError(
                "L8", f"{partition.name} cannot be opened before the predictions exist"
            )
        labels = classes_of(utterances_of(partition, table), table)
        wanted = Opening(
            method=method,
            outer=outer,
            seed=seed,
            partition=partition.name,
            utterances=len(partition.ids),
            ids_digest=id_set_digest(partition.ids),
            predictions_digest=predictions_digest,
            opened_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        path = self._folder / _file_name(method, outer, seed)
        if _read(path) is None:
            self._note(wanted, path)
        # The entry on the disk decides, also if another process has just written it.
        _require_same(_read(path), wanted, path)
        return labels

    def _note(self, entry: Opening, path: Path) -> None:
        try:
            write_whole(path, entry.model_dump_json(indent=2).encode(), once=True)
        except OSError as error:
            raise StoreError(
                f"the ledger {self._folder} cannot be written ({error}), so the test labels stay "
                "sealed; make the run folder writable and run the same command again"
            ) from error

    def openings(self) -> tuple[Opening, ...]:
        """The whole ledger, sorted by method, fold and seed.

        Raises:
            StoreError: an entry cannot be read.
        """
        entries = [entry for path in self._folder.glob("*.json") if (entry := _read(path))]
        return tuple(sorted(entries, key=lambda e: (e.method, e.outer, e.seed)))


def predictions_digest(ids: Sequence[str], posteriors: NDArray[np.float32]) -> str:
    """sha256 (hex) of predictions: N ids and their posteriors ``(N, C)`` float32."""
    digest = hashlib.sha256("\n".join(ids).encode())
    digest.update(np.ascontiguousarray(posteriors, dtype="<f4").tobytes())
    return digest.hexdigest()


def _file_name(method: str, outer: int, seed: int) -> str:
    """A file name that every file system allows, and that no two methods share."""
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", method)[:80]
    digest = name_digest(method, 8)
    return f"{plain}-{digest}-outer-{outer}-seed-{seed}.json"


def _read(path: Path) -> Opening | None:
    """The entry; None if it does not exist yet."""
    try:
        return read_model(Opening, path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise StoreError(
            f"the ledger entry {path} cannot be read ({error}), so serbench does not know whether "
            "the test labels were already used; start a new run in another folder"
        ) from error


def _require_same(entry: Opening | None, wanted: Opening, path: Path) -> None:
    """Prove that the ledger's entry is the wanted one, apart from its time."""
    if entry is None:
        raise StoreError(f"the ledger entry {path} was removed during the run")
    if entry.model_copy(update={"opened_at": wanted.opened_at}) == wanted:
        return
    other = "other predictions" if entry.ids_digest == wanted.ids_digest else "other utterances"
    raise LeakageError(
        "L8",
        f"the labels of {wanted.partition} were already read for {wanted.method}, seed "
        f"{wanted.seed}, with {other} ({entry.opened_at}, {path}); a changed method needs a new "
        "run in another folder",
    )
