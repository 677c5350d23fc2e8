"""``serbench run --dry-run``: what a run would do, and how long it would take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serbench.benchmark.arguments import Names
from serbench.benchmark.run import arguments_of, ready_run

if TYPE_CHECKING:
    from serbench.running.dry_run.run import DryRun


def dry_run(methods: Names = (), **arguments: Any) -> DryRun:
    """Look at what ``serbench.run`` would do with the same arguments, and estimate its duration.

    No run folder is made, and no fit is kept.

    Raises:
        SerbenchError: as ``serbench.run``.
    """
    given = arguments_of(methods, **arguments)
    plan, known, resources = ready_run(given)
    from serbench.benchmark.progress import progress_observer
    from serbench.running.dry_run.run import dry_run as look

    with progress_observer(known.plugins.hook, shown=given["progress"]) as watch:
        return look(plan, resources, watch)
