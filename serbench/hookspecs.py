"""The hooks of plugins. A plugin is a module or object that implements some of these hooks and is
named in the entry-point group ``serbench``.
"""

from __future__ import annotations

from collections.abc import Sequence

from serbench.api.backend import Backend
from serbench.api.corpus import Corpus
from serbench.api.events import EpochEvent, FoldEvent, RunEvent
from serbench.api.front_end import FrontEnd
from serbench.api.loss import Loss
from serbench.api.markers import hookspec
from serbench.api.student import Student
from serbench.api.teacher import Teacher
from serbench.api.tracker import Tracker


@hookspec
def serbench_corpora() -> Sequence[type[Corpus]]:  # pyright: ignore[reportReturnType]
    """Corpus classes."""


@hookspec
def serbench_teachers() -> Sequence[type[Teacher]]:  # pyright: ignore[reportReturnType]
    """Teacher classes."""


@hookspec
def serbench_front_ends() -> Sequence[type[FrontEnd]]:  # pyright: ignore[reportReturnType]
    """Front end classes."""


@hookspec
def serbench_students() -> Sequence[type[Student]]:  # pyright: ignore[reportReturnType]
    """Student classes."""


@hookspec
def serbench_losses() -> Sequence[type[Loss]]:  # pyright: ignore[reportReturnType]
    """Loss classes."""


@hookspec
def serbench_backends() -> Sequence[type[Backend]]:  # pyright: ignore[reportReturnType]
    """Backend classes."""


@hookspec
def serbench_trackers() -> Sequence[type[Tracker]]:  # pyright: ignore[reportReturnType]
    """Tracker classes."""


@hookspec
def serbench_run_started(event: RunEvent) -> None:
    """A run is about to start."""


@hookspec
def serbench_fit_epoch(event: EpochEvent) -> None:
    """A fit has finished an epoch."""


@hookspec
def serbench_fold_scored(event: FoldEvent) -> None:
    """An outer test fold has been scored."""


@hookspec
def serbench_run_finished(event: RunEvent) -> None:
    """A run is complete and stored."""
