"""Entry point ``baselines``: what the flagship is held against."""

from __future__ import annotations

from collections.abc import Sequence

from serbench.api import Loss, Student, hookimpl
from serbench_baselines.ce import CrossEntropy
from serbench_baselines.kd import Distillation
from serbench_baselines.transformer import Transformer


@hookimpl
def serbench_losses() -> Sequence[type[Loss]]:
    """``ce`` and ``kd``."""
    return [CrossEntropy, Distillation]


@hookimpl
def serbench_students() -> Sequence[type[Student]]:
    """``transformer``."""
    return [Transformer]
