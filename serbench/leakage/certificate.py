"""The certificate: what was checked, and what was fitted on what, of one run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import Field, ValidationError

from serbench.api import LeakageError, Params, StoreError
from serbench.corpus import CorpusTable
from serbench.leakage.checks import (
    Window,
    check_coverage,
    check_duplicates,
    check_nested,
    check_segments,
    check_split,
    text_overlap,
)
from serbench.leakage.seal import Opening, Seal
from serbench.leakage.view import FittedRecord, id_set_digest
from serbench.splits import Partition, Split, natural_key

SCHEMA_VERSION = 1

LEAKS = {
    "L1": "a speaker or session on both sides of a split",
    "L2": "an utterance on both sides of a split, or not tested exactly once",
    "L3": "a segment outside its utterance's partition or bounds",
    "L4": "the same audio under two ids on both sides",
    "L5": "near-duplicates on both sides",
    "L6": "something fitted outside its training partition",
    "L7": "a teacher pretrained on the evaluated corpus",
    "L8": "the outer test labels read more than once",
    "L9": "the same sentence on both sides",
    "L10": "better than chance on permuted labels",
}
"""The guard's codes, in order."""

UNCHECKED = {
    "L5": "not run: recordings are compared exactly (L4), not by fingerprint",
    "L7": "not run: what teachers were pretrained on is not compared with the corpus",
    "L10": "not run: the run was not repeated on permuted labels",
}
"""Leaks that a run's certificate makes no claim about, and why."""


class FoldSide(Params):
    """One side of a fold.

    Attributes:
        units: its speakers or sessions.
        utterances: how many.
        digest: ``id_set_digest`` of their ids.
    """

    units: tuple[str, ...]
    utterances: int
    digest: str


class FoldSummary(Params):
    """One fold.

    Attributes:
        name: ``"outer-1"``, ``"outer-1/inner-2"``.
        train: what is fitted on.
        test: what is scored: the outer test or the inner validation side.
    """

    name: str
    train: FoldSide
    test: FoldSide


class Check(Params):
    """One of the guard's checks.

    Attributes:
        code: ``"L1"`` … ``"L10"``.
        leak: what it looks for.
        outcome: ``"passed"``, ``"measured"``, or ``"not run: <reason>"``. A leak that is found
            stops the run, so no certificate says "failed".
        detail: how much was checked, or what was measured.
    """

    code: str
    leak: str
    outcome: str = Field(pattern=r"^(passed|measured|not run: .+)$")
    detail: str = ""


class Certificate(Params):
    """What the guard vouches for. Its digest is printed under every table.

    It holds no times and no paths, so the same run gives the same digest on any machine.

    Attributes:
        schema_version: 1.
        corpus: the corpus's name.
        corpus_digest: ``CorpusTable.digest``: ids, labels, speakers and PCM of every utterance.
        unit: ``"speaker"`` or ``"session"``, what folds group by.
        utterances: size of the corpus.
        units: all speakers or sessions, in natural order.
        folds: each outer fold, followed by its inner folds.
        fitted: everything that was fitted, by partition and name.
        checks: L1 … L10, each with its outcome.
    """

    schema_version: Literal[1]
    corpus: str
    corpus_digest: str
    unit: Literal["speaker", "session"]
    utterances: int
    units: tuple[str, ...]
    folds: tuple[FoldSummary, ...]
    fitted: tuple[FittedRecord, ...]
    checks: tuple[Check, ...]

    @property
    def digest(self) -> str:
        """sha256 (hex) of the canonical JSON: sorted keys, no spaces, UTF-8."""
        canonical = json.dumps(
            self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )
        return hashlib.sha256(canonical.encode()).hexdigest()

    def to_json(self) -> str:
        """Indented JSON for ``certificate.json``."""
        return self.model_dump_json(indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Certificate:
        """Read what ``to_json`` wrote.

        Raises:
            StoreError: it is damaged, or of another schema version.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "the file"
            raise StoreError(
                f"not a certificate of schema version {SCHEMA_VERSION}: {where}: {first['msg']}; "
                "it is damaged or was written by another version of serbench"
            ) from error


def certify(
    table: CorpusTable,
    outer: Sequence[Split],
    inner: Sequence[Sequence[Split]] = (),
    *,
    segments: Sequence[tuple[Partition, Sequence[Window]]] = (),
    fitted: Iterable[FittedRecord] = (),
    seal: Seal | None = None,
) -> Certificate:
    """Run every check that the guard has on a run, and write down what they found.

    Before a run it proves the folds (the other checks are "not run"); after it, with the fits'
    records and the seal, it proves the whole.

    Args:
        table: the corpus.
        outer: all outer folds.
        inner: the inner folds of each outer fold, in the same order; empty without a search.
        segments: partitions with all their windows.
        fitted: ``PartitionView.fitted`` of every fit.
        seal: the run's seal.

    Raises:
        LeakageError: a leak, by its code.
        StoreError: the seal's ledger cannot be read.
    """
    nested = [list(splits) for splits in inner] or [[] for _ in outer]
    every = [s for top, below in zip(outer, nested, strict=True) for s in (top, *below)]
    records = tuple(
        sorted(set(fitted), key=lambda r: (r.partition, r.what, r.utterances, r.digest))
    )
    found = {
        **_certify_folds(table, outer, nested, every),
        "L3": _certify_segments(table, segments),
        "L6": _certify_fitted(every, records),
        "L8": _certify_seal(outer, seal.openings() if seal else ()),
        "L9": _measure_texts(table, outer),
        **{code: (reason, "") for code, reason in UNCHECKED.items()},
    }
    return Certificate(
        schema_version=SCHEMA_VERSION,
        corpus=table.name,
        corpus_digest=table.digest,
        unit=table.card.unit,
        utterances=len(table.utterances),
        units=tuple(sorted(table.units, key=natural_key)),
        folds=tuple(
            FoldSummary(name=s.name, train=_side(s.train), test=_side(s.test)) for s in every
        ),
        fitted=records,
        checks=tuple(
            Check(code=code, leak=leak, outcome=found[code][0], detail=found[code][1])
            for code, leak in LEAKS.items()
        ),
    )


Finding = tuple[str, str]
"""Outcome and detail of a check."""


def _side(partition: Partition) -> FoldSide:
    return FoldSide(
        units=partition.units,
        utterances=len(partition.ids),
        digest=id_set_digest(partition.ids),
    )


def _certify_folds(
    table: CorpusTable,
    outer: Sequence[Split],
    nested: Sequence[Sequence[Split]],
    every: Sequence[Split],
) -> dict[str, Finding]:
    """L1, L2 and L4 over all folds, and that inner folds stay inside theirs."""
    for split in every:
        check_split(split, table)
    check_coverage(outer, table)
    for top, below in zip(outer, nested, strict=True):
        for split in below:
            check_nested(split, top)
    for split in every:
        check_duplicates(split, table)
    splits = f"{len(outer)} outer and {len(every) - len(outer)} inner folds"
    distinct = len({u.pcm_sha256 for u in table.utterances})
    count = len(table.utterances)
    return {
        "L1": ("passed", f"{splits}, grouped by {table.card.unit}"),
        "L2": ("passed", f"{splits}; each of {count} utterances is tested once"),
        "L4": ("passed", f"{splits}; {distinct} distinct recordings among {count} utterances"),
    }


def _certify_segments(
    table: CorpusTable, segments: Sequence[tuple[Partition, Sequence[Window]]]
) -> Finding:
    if not segments:
        return "not run: no segments were given", ""
    for partition, windows in segments:
        check_segments(windows, partition, table)
    total = sum(len(windows) for _, windows in segments)
    return "passed", f"{total} segments of {len(segments)} partitions"


def _certify_fitted(every: Sequence[Split], records: Sequence[FittedRecord]) -> Finding:
    """L6: every record is of a training side, and no larger than it."""
    if not records:
        return "not run: nothing was fitted", ""
    sides = {split.train.name: _side(split.train) for split in every}
    for record in records:
        side = sides.get(record.partition)
        if side is None:
            raise LeakageError(
                "L6", f"{record.what} was fitted on {record.partition}, which is no training side"
            )
        whole = record.utterances == side.utterances
        if record.utterances > side.utterances or (whole and record.digest != side.digest):
            raise LeakageError(
                "L6", f"{record.what} was fitted on other utterances than {record.partition}'s own"
            )
    touched = len({record.partition for record in records})
    return "passed", f"{len(records)} fitted things on {touched} training partitions"


def _certify_seal(outer: Sequence[Split], openings: Sequence[Opening]) -> Finding:
    """L8: the ledger knows one opening for each method, fold and seed, of this run's folds."""
    if not openings:
        return "not run: no outer test labels were read", ""
    sides = {split.test.name: id_set_digest(split.test.ids) for split in outer}
    for opening in openings:
        if sides.get(opening.partition) != opening.ids_digest:
            raise LeakageError(
                "L8",
                f"the ledger has {opening.partition}, read for {opening.method}, which is not an "
                "outer test side of this run",
            )
    methods = len({opening.method for opening in openings})
    return "passed", f"{len(openings)} readings of {methods} methods, one per fold and seed"


def _measure_texts(table: CorpusTable, outer: Sequence[Split]) -> Finding:
    """L9 over the outer folds."""
    overlaps = [overlap for split in outer if (overlap := text_overlap(split, table))]
    if not overlaps:
        return "not run: the corpus does not say which sentences are spoken", ""
    heard, tested = sum(o.heard for o in overlaps), sum(o.tested for o in overlaps)
    sentences = len({text for overlap in overlaps for text in overlap.shared})
    return "measured", (
        f"{heard} of {tested} test utterances ({100 * heard / tested:.1f} %) speak a sentence "
        f"that is also in training; {sentences} such sentences"
    )
