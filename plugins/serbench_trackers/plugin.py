"""Trackers, as the entry point ``trackers``."""

from __future__ import annotations

from collections.abc import Sequence

from serbench.api import Tracker, hookimpl
from serbench_trackers.jsonl import JsonLines
from serbench_trackers.mlflow_runs import MLflow
from serbench_trackers.tensorboard_files import TensorBoard


@hookimpl
def serbench_trackers() -> Sequence[type[Tracker]]:
    """The trackers ``jsonl``, which needs no other package, ``tensorboard`` and ``mlflow``."""
    return [JsonLines, TensorBoard, MLflow]
