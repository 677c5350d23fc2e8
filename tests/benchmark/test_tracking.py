from __future__ import annotations

import logging
import threading
import time
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from serbench.api import (
    EpochEvent,
    Params,
    PluginError,
    PooledScore,
    RegistryError,
    RunEvent,
    Tracker,
    hookimpl,
)
from serbench.benchmark import tracking
from serbench.benchmark.progress import LineObserver
from serbench.benchmark.tracking import NamedTracker, Trackers, make_trackers
from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry
from serbench.running.registry.lookup import Registry

EPOCH = EpochEvent("m/seed-0/outer-1", 1, 1, {"total": 1.0})
START = RunEvent(Path("runs/x"), "digest", 1)


class Listener(Tracker):
    """Remembers what it is told, and raises where it is told to."""

    name = "listener"
    Params = Params

    def __init__(self, raises: BaseException | None = None, on: tuple[str, ...] = ()) -> None:
        super().__init__(Params())
        self.raises, self.on = raises, on
        self.told: list[str] = []

    def _hear(self, what: str) -> None:
        self.told.append(what)
        if self.raises and what in self.on:
            raise self.raises

    def run_started(self, event: RunEvent) -> None:
        self._hear("run_started")

    def fit_epoch(self, event: EpochEvent) -> None:
        self._hear("fit_epoch")

    def run_finished(self, event: RunEvent) -> None:
        self.scores = event.scores
        self._hear("run_finished")

    def close(self) -> None:
        self._hear("close")


def several(*trackers: Tracker) -> Trackers:
    return Trackers(
        [NamedTracker(f"t{n}", f"package-{n} 1.{n}", each) for n, each in enumerate(trackers)]
    )


@pytest.mark.parametrize("error", [KeyError("full\n disk"), SystemExit("full  disk")])
def test_one_that_raises_is_told_of_once_and_off_for_the_rest(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = Listener(error, ("fit_epoch", "close")), Listener()
    trackers = several(bad, good)
    trackers.tell("run_started", START)
    for _ in range(3):
        trackers.tell("fit_epoch", EPOCH)
    trackers.close()
    assert bad.told == ["run_started", "fit_epoch", "close"]
    assert good.told == ["run_started", *["fit_epoch"] * 3, "close"]
    (record,) = (each for each in caplog.records if each.levelno >= logging.WARNING)
    message = record.getMessage()
    assert "tracker t0 (package-0 1.0) failed on fit_epoch and is switched off" in message
    assert type(error).__name__ in message
    assert "\n" not in message
    assert record.exc_info is None


def test_one_that_cannot_let_go_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    several(Listener(OSError("busy"), ("close",))).close()
    assert [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING] == [
        "tracker t0 (package-0 1.0) failed on close and is switched off; the run "
        "continues and loses nothing else: OSError: busy"
    ]


def test_ctrl_c_is_passed_on() -> None:
    with pytest.raises(KeyboardInterrupt):
        several(Listener(KeyboardInterrupt(), ("fit_epoch",))).tell("fit_epoch", EPOCH)


def test_the_end_is_told_with_the_scores_of_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = (PooledScore("m", "ua", 0.5, 0.4, 0.6),)
    monkeypatch.setattr(tracking, "pooled_scores", lambda folder: scores)
    listener = Listener()
    trackers = several(listener)
    trackers.finish(START.folder)
    assert listener.told == []  # a run that has not ended
    trackers.complete(START)
    assert listener.told == []
    trackers.finish(START.folder)
    assert listener.told == ["run_finished"]
    assert listener.scores == scores


def test_nothing_is_read_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "pooled_scores", lambda folder: pytest.fail("read"))
    trackers = Trackers()
    trackers.complete(START)
    trackers.finish(START.folder)


def test_calls_from_two_threads_come_one_after_another() -> None:
    class Slow(Listener):
        inside = most = 0

        def fit_epoch(self, event: EpochEvent) -> None:
            self.inside += 1
            self.most = max(self.most, self.inside)
            time.sleep(0.005)
            self.inside -= 1

    slow = Slow()
    trackers = several(slow)

    def tell() -> None:
        for _ in range(5):
            trackers.tell("fit_epoch", EPOCH)

    threads = [threading.Thread(target=tell) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert slow.most == 1


def test_epochs_that_are_told_again_reach_trackers_and_not_the_raw_hooks() -> None:
    heard: list[object] = []
    implementation = SimpleNamespace(plugin_name="p", argnames=("event",), function=heard.append)
    listeners = SimpleNamespace(get_hookimpls=lambda: [implementation])
    hook = SimpleNamespace(serbench_fit_epoch=listeners)
    listener = Listener()
    observer = LineObserver(hook, several(listener))  # pyright: ignore[reportArgumentType]
    observer.epoch_again(EPOCH)
    assert (listener.told, heard) == (["fit_epoch"], [])
    observer.epoch(EPOCH)
    assert (listener.told, heard) == (["fit_epoch"] * 2, [EPOCH])


def test_a_raw_hook_that_raises_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    def broken(event: object) -> None:
        raise ValueError("no")

    implementation = SimpleNamespace(plugin_name="p", argnames=("event",), function=broken)
    hook = SimpleNamespace(
        serbench_fit_epoch=SimpleNamespace(get_hookimpls=lambda: [implementation])
    )
    observer = LineObserver(hook)  # pyright: ignore[reportArgumentType]
    observer.epoch(EPOCH)
    observer.epoch(EPOCH)
    assert [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING] == [
        "plugin p failed on serbench_fit_epoch and is switched off: ValueError: no"
    ]


# ── from names ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Ours, and a stranger's trackers."""

    class Nosy(Listener):
        name = "nosy"

        def __init__(self, params: Params) -> None:
            super().__init__()

    class Missing(Nosy):
        name = "missing"

        def unavailable(self) -> str:
            return "quux is not installed: pip install quux"

    class Broken(Nosy):
        name = "broken"

        def unavailable(self) -> str:
            raise RuntimeError("oops")

    module = ModuleType("trackers_of_a_stranger")
    vars(module)["serbench_trackers"] = hookimpl(lambda: [Nosy, Missing, Broken])
    monkeypatch.setitem(__import__("sys").modules, module.__name__, module)
    point = EntryPoint("theirs", module.__name__, "serbench")
    vars(point)["dist"] = SimpleNamespace(name="stranger", version="2.0")
    monkeypatch.chdir(tmp_path)
    return load_registry(load_plugins([*entry_points(group="serbench"), point]))


def names(trackers: Trackers) -> list[str]:
    return [each.name for each in trackers.trackers]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ((), ["jsonl"]),
        (("nosy",), ["jsonl", "nosy"]),
        (("nosy", "jsonl", "nosy"), ["jsonl", "nosy"]),
        (("none",), []),
        (("none", "nosy"), ["nosy"]),
        (("nosy", "none"), ["nosy"]),
    ],
)
def test_json_lines_are_there_unless_none_is_asked_for(
    registry: Registry, asked: tuple[str, ...], expected: list[str]
) -> None:
    assert names(make_trackers(registry, asked)) == expected


def test_an_unknown_name_is_told_with_near_ones(registry: Registry) -> None:
    with pytest.raises(RegistryError, match=r"no tracker is called 'nosey'; did you mean 'nosy'"):
        make_trackers(registry, ["nosey"])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing", r"tracker missing \(stranger 2.0\): quux is not installed: pip install quux"),
        ("broken", r"tracker broken \(stranger 2.0\): its check failed, .*: RuntimeError: oops"),
    ],
)
def test_one_that_cannot_be_used_stops_the_run_before_it_begins(
    registry: Registry, name: str, message: str
) -> None:
    with pytest.raises(PluginError, match=message):
        make_trackers(registry, [name])


def test_the_registry_gives_trackers_names_and_parameters(tmp_path: Path) -> None:
    overlay = tmp_path / "serbench.toml"
    overlay.write_text('[trackers.board]\nplugin = "tensorboard"\nparams = { folder = "tb" }\n')
    known = load_registry(load_plugins(), overlay)
    tracker: Tracker = known.make("trackers", "board")  # pyright: ignore[reportAssignmentType]
    assert tracker.params.folder == "tb"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            '[trackers.x]\nplugin = "tensorbord"\n',
            r"trackers.x.plugin: no tracker plugin is called",
        ),
        ('[trackers.tensorboard]\nparams = { foldr = "x" }\n', r"foldr: unknown key; did you mean"),
        ('[trackers.none]\nplugin = "jsonl"\n', r"trackers.none: --tracker none means no"),
    ],
)
def test_the_registry_checks_trackers(tmp_path: Path, entry: str, message: str) -> None:
    overlay = tmp_path / "serbench.toml"
    overlay.write_text(entry)
    with pytest.raises(RegistryError, match=message):
        load_registry(load_plugins(), overlay)
