"""``serbench run --dry-run``: what a run would do, and how long it would take."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from serbench.benchmark.arguments import Names
from serbench.benchmark.run import ready_run, run

if TYPE_CHECKING:
    from serbench.running.dry_run.run import DryRun


def dry_run(methods: Names = (), **arguments: Any) -> DryRun:
    """Look at what ``serbench.run`` would do with the same arguments, and estimate its duration.

    No run folder is made, and no fit is kept.

    Raises:
        SerbenchError: as ``serbench.run``.
    """
    given = inspect.signature(run).bind(methods, **arguments)
    given.apply_defaults()
    plan, known, resources = ready_run(given.arguments)
    from serbench.benchmark.progress import progress_observer
    from serbench.running.dry_run.run import dry_run as look

    shown = given.arguments["progress"]
    with progress_observer(known.plugins.hook, shown=shown) as watch:
        return look(plan, resources, watch)
