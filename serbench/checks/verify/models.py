"""Predict again with the stored students."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from serbench.api import Advance
from serbench.checks.finding import Finding, Unit
from serbench.checks.verify.checks import compared
from serbench.learning.extract import speech_frames
from serbench.learning.segments import segment_partition
from serbench.running.harness.folds import Folds
from serbench.running.replay.stored import StoredPlan
from serbench.running.replay.students import TOLERANCE, predict_windows, stored_students
from serbench.running.store.run import RunStore


def check_models(
    stored: StoredPlan, store: RunStore, folds: Folds, cache: Path, advance: Advance
) -> Finding:
    """Compare the stored posteriors with those of the stored students.

    A teacher's own rows are not recomputed: its head is not stored.
    """
    predictions = store.predictions()
    columns = [f"p_{label}" for label in folds.table.labels]
    students = stored_students(stored, store)
    differences, worst = [], 0.0
    for number, student in enumerate(students, start=1):
        test = folds.outer[student.outer - 1].test
        rows = predictions[
            (predictions["method"] == student.method)
            & (predictions["outer"] == student.outer)
            & (predictions["seed"] == student.seed)
        ].set_index("utterance")
        candidate = student.candidate
        ids, again = predict_windows(
            student,
            speech_frames(folds.table, candidate.front_end, cache, lambda *_: None),
            segment_partition(folds.table, test, candidate.cutting),
            stored.backend(),
            torch.device("cpu"),
        )
        student.release()
        kept = rows.reindex(list(ids))[columns].to_numpy(dtype=np.float64)
        gap = float(np.abs(again - kept).max())
        worst = max(worst, gap)
        if not gap <= TOLERANCE:  # also if a row is missing
            differences.append(Unit(student.name, f"posteriors differ by up to {gap:.3g}"))
        advance(number, len(students))
    detail = (
        f"{len(students)} students predict the same posteriors (greatest difference {worst:.1g})"
    )
    return compared("students", detail, differences)
