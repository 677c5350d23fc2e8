"""A small clean corpus with its folds, in which the tests plant one leak each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from serbench.api import CorpusCard
from serbench.data.corpus.table import CorpusTable, Utterance, table_digest
from serbench.protocol.splits.inner import inner_splits
from serbench.protocol.splits.outer import outer_splits
from serbench.protocol.splits.records import Split

LABELS = ("anger", "joy", "sadness")


class Toy:
    """Six speakers (two per session) who each read three sentences in three emotions."""

    def __init__(self, unit: str = "speaker") -> None:
        utterances = tuple(
            Utterance(
                id=f"s{speaker}-{text}-{label}",
                path=Path(f"s{speaker}-{text}-{label}.wav"),
                speaker=f"s{speaker}",
                session=f"session {(speaker + 1) // 2}",
                label=label,
                text=text,
                duration_s=4.0,
                sample_rate_hz=16_000,
                channels=1,
                pcm_sha256=f"pcm of s{speaker}-{text}-{label}",
            )
            for speaker in range(1, 7)
            for text in ("a", "b", "c")
            for label in LABELS
        )
        card = CorpusCard(
            title="toy",
            language="none",
            licence="CC0",
            home="",
            citation="",
            elicitation="synthetic",
            labels=LABELS,
            unit="session" if unit == "session" else "speaker",
            fold_sets={"pairs": (("s1", "s2"), ("s3", "s4"), ("s5", "s6"))},
        )
        self.table = CorpusTable("toy", card, Path(), utterances, table_digest(utterances))

    def outer(self, folds: str = "pairs") -> tuple[Split, ...]:
        return outer_splits(self.table, folds, 3)

    def inner(self, outer: tuple[Split, ...]) -> list[tuple[Split, ...]]:
        return [inner_splits(self.table, outer, index, "units") for index in range(len(outer))]

    def changed(self, utterance: str, **values: object) -> CorpusTable:
        """The table with one utterance altered."""
        utterances = tuple(
            replace(u, **values) if u.id == utterance else u for u in self.table.utterances
        )
        return replace(self.table, utterances=utterances, digest=table_digest(utterances))


@pytest.fixture(scope="session")
def toy() -> Toy:
    return Toy()


@pytest.fixture(scope="session")
def session_toy() -> Toy:
    return Toy("session")
