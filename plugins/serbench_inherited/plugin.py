"""Entry point ``inherited``: students that inherit the first blocks of a pretrained encoder."""

from __future__ import annotations

from collections.abc import Sequence

from serbench.api import Student, hookimpl
from serbench_inherited.inherited import Inherited


@hookimpl
def serbench_students() -> Sequence[type[Student]]:
    """The student ``inherited``."""
    return [Inherited]
