"""Finds runs by folder or name."""

from __future__ import annotations

from pathlib import Path

from serbench.api import StoreError
from serbench.errors import listed, near_names

RUNS = Path("runs")
"""Default folder of runs."""


def list_runs(runs: Path = RUNS) -> tuple[Path, ...]:
    """The run folders below ``runs``, newest first."""
    if not runs.is_dir():
        return ()
    plans = [folder / "plan.json" for folder in runs.iterdir()]
    found = [plan for plan in plans if plan.is_file()]
    return tuple(
        plan.parent
        for plan in sorted(found, key=lambda plan: (plan.stat().st_mtime_ns, plan), reverse=True)
    )


def find_run(run: str | None, runs: Path = RUNS) -> Path:
    """The folder of ``run``: a folder, a name below ``runs``, or None for the newest run.

    Raises:
        StoreError: no such run exists; the message lists the runs.
    """
    there = list_runs(runs)
    if run is None:
        if not there:
            raise StoreError(
                f"no run is in {runs}; make one with `serbench run`, or name its folder"
            )
        return there[0]
    for candidate in (Path(run), runs / run):
        if (candidate / "plan.json").is_file():
            return candidate
    if Path(run).is_dir():
        raise StoreError(f"{run} is not a serbench run: it has no plan.json")
    names = [folder.name for folder in there]
    near = near_names(run, names, 1)
    hint = f"; did you mean {near[0]}?" if near else "."
    held = f"In {runs}: {listed(names, 10)}" if names else f"No run is in {runs}"
    raise StoreError(f"no run is called {run}{hint} {held}")
