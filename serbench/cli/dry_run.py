"""Output of ``serbench run --dry-run``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from serbench.cli.output import byte_size, print_table
from serbench.errors import StoreError, numbered

if TYPE_CHECKING:
    from serbench.running.dry_run.run import DryRun

STATES = {
    "new": "does not exist yet",
    "begun": "exists, not finished",
    "finished": "exists and is finished: the run only scores and reports it again",
}


def show_dry_run(methods: Sequence[str] = (), **arguments: Any) -> None:
    """Print what a run would do.

    Raises:
        SerbenchError: the run would end with this error, or the disk is too small.
    """
    from serbench.benchmark.dry_run import dry_run
    from serbench.cli.console import say
    from serbench.results.report.settings import duration

    found = dry_run(methods, progress=True, **arguments)
    rows = [
        (step.name, str(step.todo), str(step.kept), duration(step.seconds) if step.todo else "-")
        for step in found.steps
    ]
    print_table("Dry run", ("Step", "To do", "In the cache", "Estimated time"), rows)
    say(*_lines(found))
    for room in found.room:
        if not room.enough:
            raise StoreError(
                f"{room.folder}: the run needs about {byte_size(round(room.needed_bytes))}, but "
                f"{byte_size(room.free_bytes)} are free; free some space, or choose another folder "
                "with --out or SERBENCH_CACHE"
            )


def _lines(found: DryRun) -> Iterator[str]:
    from serbench.results.report.settings import duration

    yield f"Run: {os.path.relpath(found.folder)} ({STATES[found.state]})"
    yield f"Digest: {found.digest}"
    if not found.sample:
        yield "Everything is in the cache: nothing has to be computed."
        return
    workers = numbered(found.workers, "worker")
    most = "at most about" if found.at_most else "about"
    yield f"Time: {most} {duration(found.seconds)} with {workers}, besides reading and reporting"
    yield (
        f"The time is an estimate: a sample of {numbered(found.sample, 'training utterance')} was "
        f"computed on this machine in {duration(found.sample_s)}, with {workers} side by side, and "
        "its time was scaled to the corpus."
    )
    if found.at_most:
        yield "Early stopping and searches may save epochs and fits."
    if found.memory_bytes is not None:
        own, each = (byte_size(round(size)) for size in found.memory_bytes)
        yield f"Memory: about {own}, and {each} for each of {workers}"
    for room in found.room:
        yield (
            f"Disk: about {byte_size(round(room.needed_bytes))} below {room.folder}; "
            f"{byte_size(room.free_bytes)} are free"
        )
