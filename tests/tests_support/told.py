"""A made-up run, told to a tracker."""

from __future__ import annotations

from pathlib import Path

from serbench.api import Tracker
from serbench.testing.tracker import probe_events


def tell(tracker: Tracker, folder: Path, *, cached: bool = False, until: int | None = None) -> Path:
    """Tell of the run in ``folder``, or of its first events, and close the tracker."""
    folder.mkdir(parents=True, exist_ok=True)
    for what, event in list(probe_events(folder, cached=cached))[:until]:
        getattr(tracker, what)(event)
    tracker.close()
    return folder
