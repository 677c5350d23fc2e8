"""Entry point ``akd``: the AKD loss, the part of it that needs no labels, and its hybrid
student.
"""

from __future__ import annotations

from collections.abc import Sequence

from serbench.api import Loss, Student, hookimpl
from serbench_akd.akd import Akd
from serbench_akd.frames import Frames
from serbench_akd.hybrid import Hybrid


@hookimpl
def serbench_losses() -> Sequence[type[Loss]]:
    """The losses ``akd`` and ``frames``."""
    return [Akd, Frames]


@hookimpl
def serbench_students() -> Sequence[type[Student]]:
    """The student ``hybrid``."""
    return [Hybrid]
