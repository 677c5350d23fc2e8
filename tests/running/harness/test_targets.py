from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from tests_support.tables import noise_table

from serbench.api import TeacherCard
from serbench.learning.teach.embeddings import TeacherEmbeddings
from serbench.protocol.guard.view import PartitionView
from serbench.protocol.splits.outer import outer_splits
from serbench.running.harness.targets import fit_targets
from serbench.settings import HeadSettings


def test_a_head_kept_under_other_names_is_noted_under_this_ones(tmp_path: Path) -> None:
    table = noise_table(tmp_path / "noise", speakers=4, utterances=4)
    count = len(table.ids)
    middle = TeacherEmbeddings(
        name="whisper@3",
        card=TeacherCard("toy", "x", "x", "x"),
        ids=table.ids,
        pooled=np.random.default_rng(0).normal(size=(count, 1, 6)).astype(np.float32),
        frames=np.zeros((count, 1, 2), np.float16),
        frame_start=np.arange(count),
        frame_count=np.ones(count, np.int64),
        frame_rate_hz=50.0,
        digest="middle",
    )
    lower = replace(middle, name="whisper@2", digest="lower")
    (split, *_) = outer_splits(table, "loso", 5)
    head = HeadSettings(groups=2)

    def noted(*teachers: TeacherEmbeddings) -> dict[str, list[str]]:
        view = PartitionView(split.train, table)
        named = {each.name: each for each in teachers}
        made = fit_targets(named, {"p": view}, [head], len(table.labels), tmp_path / "cache", 1)
        return {name: [each.what for each in target.fitted] for (name, *_), target in made.items()}

    together = noted(lower, middle)
    assert together == {name: [f"head of {name}"] for name in ("whisper@2", "whisper@3")}
    assert noted(replace(middle, name="whisper")) == {"whisper": ["head of whisper"]}
