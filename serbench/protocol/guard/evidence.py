"""The guard's evidence of a run, and the checks that each protocol breaks on purpose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from serbench.protocol.guard.canary import CanaryResult
from serbench.protocol.guard.certificate import AudioRecord, SearchRecord
from serbench.protocol.guard.checks import Window
from serbench.protocol.guard.near.search import NearPair
from serbench.protocol.guard.pretraining import Inheritance, Listening, Provenance
from serbench.protocol.guard.seal import Opening
from serbench.protocol.guard.view import FittedRecord
from serbench.protocol.splits.records import Partition
from serbench.settings import PROPER, ProtocolName

BREAKS: Mapping[ProtocolName, frozenset[str]] = {
    "speaker-independent": frozenset(),
    "leaky-random": frozenset({"L1"}),
    "leaky-early-stopping": frozenset({"L6"}),
    "leaky-random-early-stopping": frozenset({"L1", "L6"}),
    "leaky-normaliser": frozenset({"L6"}),
    "leaky-search": frozenset({"L6"}),
}
"""Checks that each protocol breaks on purpose. All other checks still apply."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the guard is shown of a run, besides its folds. Before a run it is empty.

    Attributes:
        plan_digest: as in ``plan.json``.
        protocol: the protocol, which decides what may be broken on purpose.
        segments: partitions with all their windows.
        fitted: ``PartitionView.fitted`` of every fit.
        openings: the seal's ledger.
        near: near-duplicates of the whole corpus; None if the audio was not compared.
        teachers: what the run's teachers were trained on; None if it was not checked.
        students: models whose weights students start from.
        canary: UA on permuted labels; empty if it was not measured.
        dropped: utterances that were left out of the corpus as copies.
        audio: unlabelled audio that students were trained on; None if there was none.
        copied: utterances with a copy in that audio.
        trained_only: utterances that the split uses for training only.
        searches: inner searches that tried a part of a grid.
    """

    plan_digest: str = ""
    protocol: ProtocolName = PROPER
    segments: Sequence[tuple[Partition, Sequence[Window]]] = ()
    fitted: Sequence[FittedRecord] = ()
    openings: Sequence[Opening] = ()
    near: Sequence[NearPair] | None = None
    teachers: Sequence[Provenance] | None = None
    students: Sequence[Inheritance] = ()
    front_ends: Sequence[Listening] = ()
    canary: Sequence[CanaryResult] = ()
    dropped: Sequence[str] = ()
    audio: AudioRecord | None = None
    copied: Sequence[NearPair] = ()
    trained_only: Sequence[str] = ()
    searches: Sequence[SearchRecord] = ()
