"""The contract of trackers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

from serbench.api import EpochEvent, FoldEvent, PooledScore, RunEvent, Tracker
from serbench.testing.checks import Check, together
from serbench.testing.common import make, require, require_available

__tracebackhide__ = True

RUN_FILES = ("plan.json", "certificate.json", "report.md", "tables/comparison.csv")
CONTENT = b"{}\n"

METHODS = ("plain", "ablation:row", "teacher:functionals")
PLAN: dict[str, object] = {
    "digest": "0" * 64,
    "serbench_version": "0.0.0",
    "dataset": {"name": "probe", "corpus": "probe", "params": {}, "labels": ["high", "low"]},
    "folds": "pairs",
    "protocol": {"name": "speaker-independent", "seeds": 2, "search": None},
    "profile": "demo",
    "teachers": {"functionals": {"plugin": "functionals", "params": {}}},
    "methods": [
        {
            "name": name,
            "student": "s",
            "loss": "l",
            "teachers": ["functionals"],
            "student_params": {"dim": 8, "stem": [1, 2]},
            "loss_params": {"smooth": 0.5, "gated": True, "limit": None},
            "settings": {"training": {"epochs": 3, "optimizer": "adamw"}},
            "candidates": [{}],
        }
        for name in METHODS[:2]
    ],
    "seeds": [0, 1],
    "device": "cpu",
    "command": "serbench run plain ablation:row --dataset probe | tee 'a file'",
}
"""Part of a ``plan.json`` that a tracker may use."""


def tracker_checks(cls: type, params: Mapping[str, object] | None = None) -> Iterator[Check]:
    """Checks of the contract of trackers.

    A tracker receives all events of a made-up run, from two threads, as in a run with several
    processes. Then a second run is stopped half-way, and another instance receives it again in the
    same folder, with fits from the cache. The run's own files and the events must not change. All
    checks but the first are skipped if the tracker cannot be used.

    Args:
        cls: the plugin class.
        params: if its ``Params`` have no defaults, or to check other values; the check may fill the
            place that they write to.
    """
    yield Check("class and parameters", partial(make, cls, params))
    yield Check("availability", partial(_available, cls, params))
    yield Check("a run that failed before it began", lambda: _available(cls, params).close())
    yield Check("a whole run", partial(_check_whole, cls, params))
    yield Check("a run that was stopped", partial(_check_stopped, cls, params))


check_tracker = together(tracker_checks)
"""Run all ``tracker_checks`` and report every failure together in one ``AssertionError``. Returns
the reason if a tracker cannot be used here, else None.
"""


def _available(cls: type, params: Mapping[str, object] | None) -> Tracker:
    """A new instance, if one can be used here."""
    tracker: Tracker = make(cls, params)
    reason = tracker.unavailable()
    require("\n" not in str(reason), f"the reason must be one line, not {reason!r}")
    require_available(reason)
    return tracker


def _check_whole(cls: type, params: Mapping[str, object] | None) -> None:
    with TemporaryDirectory(prefix="serbench-check-") as name:
        _tell(_available(cls, params), _folder(Path(name) / "probe-whole"))


def _check_stopped(cls: type, params: Mapping[str, object] | None) -> None:
    with TemporaryDirectory(prefix="serbench-check-") as name:
        folder = _folder(Path(name) / "probe-stopped")
        _tell(_available(cls, params), folder, until=9)
        _tell(make(cls, params), folder, cached=True)
        _tell(make(cls, params), folder, cached=True)


def _folder(folder: Path) -> Path:
    """A run's folder with files that trackers must not change."""
    for name in RUN_FILES:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(CONTENT)
    return folder


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def _tell(
    tracker: Tracker, folder: Path, *, cached: bool = False, until: int | None = None
) -> None:
    """Send a run's events, or the first of them; the run ends with two calls of ``close``."""
    for number, (what, event) in enumerate(probe_events(folder, cached=cached)):
        if until is not None and number >= until:
            break
        before = deepcopy(event)
        if what == "fit_epoch":  # as from worker processes
            _in_a_thread(tracker, event)
        else:
            _call(tracker, what, event)
        same = event == before and getattr(event, "plan", None) == getattr(before, "plan", None)
        require(same, f"{what} must not change its event")
    for _ in range(2):
        _call(tracker, "close")
    changed = [name for name in RUN_FILES if _content(folder / name) != CONTENT]
    require(not changed, f"a tracker must not change the run's own files; it changed {changed}")


def probe_events(folder: Path, *, cached: bool = False) -> Iterator[tuple[str, object]]:
    """Every event of a made-up run in ``folder``: the method to call, and its arguments.

    Two methods and a teacher, two seeds, two outer folds; before them a canary and a pretraining;
    inner fits that stop early; epochs of several fits interleaved.

    Args:
        folder: of the run.
        cached: whether the fits come from the cache.
    """
    yield "run_started", RunEvent(folder, "0" * 64, 12, PLAN)
    yield "fit_epoch", EpochEvent("plain/seed-0/outer-1", 1, 2, {"total": 9.0}, None, cached, 1)
    terms = {"hint": 2.0, "total": 2.0}
    yield "fit_epoch", EpochEvent("plain/seed-0/pretraining", 1, 1, terms, None, cached)
    for epoch in (1, 2, 3):
        for method in METHODS[:2]:
            for seed in (0, 1):
                for outer in (1, 2):
                    fit = f"{method}/seed-{seed}/outer-{outer}"
                    terms = {"ce": 1 / epoch, "total": 2 / epoch}
                    yield "fit_epoch", EpochEvent(fit, epoch, 3, terms, None, cached)
                    if epoch < 3:
                        inner = f"{fit}/candidate-1/inner-1"
                        yield "fit_epoch", EpochEvent(inner, epoch, 3, terms, 0.5, cached)
    for method in METHODS:
        for seed in (0, 1) if method in METHODS[:2] else (0,):
            for outer in (1, 2):
                yield "fold_scored", FoldEvent(method, outer, seed, 0.5, 0.25 * outer, 0.5)
    scores = tuple(
        PooledScore(method, metric, 0.5, 0.375, 0.625)
        for method in METHODS
        for metric in ("wa", "ua", "macro_f1")
    )
    yield "run_finished", RunEvent(folder, "0" * 64, 12, PLAN, "1" * 64, scores)


def _call(tracker: Tracker, what: str, *events: object) -> None:
    try:
        getattr(tracker, what)(*events)
    except Exception as error:
        raise AssertionError(f"{what} raised {type(error).__name__}: {error}") from error


def _in_a_thread(tracker: Tracker, event: object) -> None:
    raised: list[AssertionError] = []

    def call() -> None:
        try:
            _call(tracker, "fit_epoch", event)
        except AssertionError as error:
            raised.append(error)

    thread = Thread(target=call)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]
