"""Scores of a method or a fold that a run measured, for the provenance of exported models."""

from __future__ import annotations

import numpy as np

from serbench.learning.evaluate import score
from serbench.running.replay.run import Replay
from serbench.running.replay.students import StoredStudent


def cross_validated(replay: Replay, method: str) -> float:
    """UA of a method over all outer test folds and seeds, 0 … 1."""
    return _ua(replay, f"method == {method!r}")


def fold_score(replay: Replay, student: StoredStudent) -> float:
    """UA of a student on its own outer test fold, 0 … 1."""
    return _ua(
        replay,
        f"method == {student.method!r} and seed == {student.seed} and outer == {student.outer}",
    )


def _ua(replay: Replay, which: str) -> float:
    rows = replay.run.predictions.query(which)
    place = {label: number for number, label in enumerate(replay.table.labels)}
    labels, predicted = (
        np.array([place[str(label)] for label in rows[column]]) for column in ("label", "predicted")
    )
    return round(score(labels, predicted, len(place)).ua, 6)
