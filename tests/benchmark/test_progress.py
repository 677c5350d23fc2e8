from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from rich.console import Console
from rich.progress import Progress

from serbench.api import EpochEvent
from serbench.benchmark import progress
from serbench.learning.fit.task import FitResult, FitTask


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> tuple[progress.LineObserver, list[str]]:
    """An observer off a terminal, and its lines."""
    lines: list[str] = []
    observer = progress.LineObserver(SimpleNamespace())  # pyright: ignore[reportArgumentType]
    monkeypatch.setattr(observer, "announce", lines.append)
    return observer, lines


def test_a_long_stage_is_told_now_and_then(
    told: tuple[progress.LineObserver, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    observer, lines = told
    now_s = observer.last
    monkeypatch.setattr(progress.time, "monotonic", lambda: now_s)
    for done in range(101):
        observer.advance("students", done, 100)
        now_s += 1.0
    assert lines == ["students: 30/100", "students: 60/100", "students: 90/100", "students: done"]


def test_the_longer_it_takes_the_fewer_lines(
    told: tuple[progress.LineObserver, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    observer, lines = told
    now_s = observer.last
    monkeypatch.setattr(progress.time, "monotonic", lambda: now_s)
    for done in range(36_000):  # ten hours
        observer.advance("students", done, 36_000)
        now_s += 1.0
    assert 36_000 / progress.SELDOM_S < len(lines) < 200


def test_a_short_stage_is_one_line(told: tuple[progress.LineObserver, list[str]]) -> None:
    observer, lines = told
    for done in range(6):
        observer.advance("corpus", done, 5)
    observer.advance("corpus", 5, 5)
    assert lines == ["corpus: done"]


def test_a_pretraining_is_no_fit(
    told: tuple[progress.LineObserver, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its epochs come before any fit is planned, and are told of as a stage."""
    observer, lines = told
    observer.hook = SimpleNamespace(serbench_fit_epoch=SimpleNamespace(get_hookimpls=list))  # pyright: ignore[reportAttributeAccessIssue]
    now_s = observer.last
    monkeypatch.setattr(progress.time, "monotonic", lambda: now_s)
    for done in range(1, 5):
        now_s += progress.LINE_EVERY_S + 1.0
        observer.epoch(EpochEvent("akd/seed-0/pretraining", done, 4, {"total": 1.0}))
        observer.advance("pretraining (epochs)", done, 4)
    stage = "pretraining (epochs)"
    assert lines == [f"{stage}: 1/4", f"{stage}: 2/4", f"{stage}: 3/4", f"{stage}: done"]
    task = SimpleNamespace(name="akd/seed-0/outer-1", epochs=10)
    observer.fits_planned([task], 0)  # pyright: ignore[reportArgumentType]
    now_s += 60.0
    observer.epoch(EpochEvent("akd/seed-0/outer-1", 5, 10, {"total": 1.0}))
    observer.epoch(EpochEvent("akd/seed-1/pretraining", 1, 4, {"total": 1.0}))
    assert lines[4:] == ["fits: 1 to run, 0 in the cache", "fits: 0/1, about 9 min left"]


def planned(*names: str, epochs: int) -> list[FitTask]:
    return [SimpleNamespace(name=name, epochs=epochs) for name in names]  # pyright: ignore[reportReturnType]


def test_what_the_fits_of_a_method_will_take_is_told_after_its_first_epoch(
    told: tuple[progress.LineObserver, list[str]],
) -> None:
    observer, lines = told
    observer.hook = SimpleNamespace(serbench_fit_epoch=SimpleNamespace(get_hookimpls=list))  # pyright: ignore[reportAttributeAccessIssue]
    long = [f"long/seed-{n}/outer-1" for n in range(20)]
    observer.fits_planned(
        [*planned(*long, epochs=15), *planned("short/seed-0/outer-1", epochs=15)], 0
    )
    del lines[:]
    for fit, epoch, seconds in (
        (long[3], 1, 16.0), (long[4], 1, 99.0), (long[3], 2, 99.0), ("short/seed-0/outer-1", 1, 1),
        ("other/seed-0/pretraining", 1, 999.0),
    ):  # fmt: skip
        observer.epoch(EpochEvent(fit, epoch, 15, {"total": 1.0}, seconds=seconds))
    assert lines == ["long: about 4 min 00 s per fit, 1 h 20 min for 20 in sequence"]


def test_epochs_of_a_fit_that_goes_on_are_not_waited_for(
    told: tuple[progress.LineObserver, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    observer, lines = told
    observer.hook = SimpleNamespace(serbench_fit_epoch=SimpleNamespace(get_hookimpls=list))  # pyright: ignore[reportAttributeAccessIssue]
    observer.fits_planned(planned("m/seed-0/outer-1", epochs=10), 0)
    for epoch in range(1, 9):
        observer.epoch_again(EpochEvent("m/seed-0/outer-1", epoch, 10, {"total": 1.0}, cached=True))
    now_s = observer.last + 60.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now_s)
    observer.epoch(EpochEvent("m/seed-0/outer-1", 9, 10, {"total": 1.0}))
    assert lines[1:] == ["fits: 0/1, about 1 min left"]


def test_news_of_epochs_after_a_fit_is_done_harms_nothing() -> None:
    """They come from another thread, while the main one takes results."""
    hook = SimpleNamespace(serbench_fit_epoch=SimpleNamespace(get_hookimpls=list))
    names = [f"akd/seed-{seed}" for seed in range(60)]
    with Progress(console=Console(file=io.StringIO())) as bars:
        observer = progress.BarObserver(hook, bars)  # pyright: ignore[reportArgumentType]
        observer.fits_planned([SimpleNamespace(name=n, epochs=9) for n in names], 0)  # pyright: ignore[reportArgumentType]

        def tell() -> None:
            for name in names:
                observer.epoch(EpochEvent(name, 1, 9, {"total": 1.0}))

        with ThreadPoolExecutor(3) as pool, switching_often():
            told = [pool.submit(tell) for _ in range(3)]
            for name in names:
                observer.fit_done(SimpleNamespace(name=name, validation_ua=None))  # pyright: ignore[reportArgumentType]
        assert [each.exception() for each in told] == [None] * 3


@contextmanager
def switching_often() -> Iterator[None]:
    """Threads take turns after every few instructions."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def ended(name: str, validation_ua: float | None) -> FitResult:
    return SimpleNamespace(name=name, validation_ua=validation_ua)  # pyright: ignore[reportReturnType]


INNER = (("akd", 1), ("akd", 2), ("kd", 1))


def test_validation_ua_is_told_as_fits_end_and_for_each_method_at_the_end(
    told: tuple[progress.LineObserver, list[str]],
) -> None:
    observer, lines = told
    names = [f"{method}/seed-0/outer-1/candidate-1/inner-{n}" for method, n in INNER]
    observer.fits_planned(planned(*names, epochs=1), 0, later=1)
    assert lines == ["fits: 3 to run, 0 in the cache; 1 refit to follow"]
    del lines[:]
    for name, ua in zip(names, (0.5, 0.7, 0.4), strict=True):
        observer.fit_done(ended(name, ua))
    observer.fits_added(planned("akd/seed-0/outer-1", epochs=1), 0)
    assert observer.fits == 4
    observer.fit_done(ended("akd/seed-0/outer-1", None))
    assert lines == [
        "fits: 1/4, last validation UA 50.0 % (akd/seed-0/outer-1/candidate-1/inner-1)",
        "akd: validation UA 60.0 %, mean of 2 fits",
        "kd: validation UA 40.0 %, mean of 1 fit",
    ]


def test_the_bar_of_all_fits_has_the_last_validation_ua() -> None:
    with Progress(console=Console(file=io.StringIO())) as bars:
        observer = progress.BarObserver(SimpleNamespace(), bars)  # pyright: ignore[reportArgumentType]
        observer.fits_planned(planned("a/seed-0/outer-1", "a/seed-0/outer-2", epochs=3), 0)
        observer.fit_done(ended("a/seed-0/outer-1", 0.625))
        (bar,) = bars.tasks
        assert bar.fields["note"] == "1/2 fits, last validation UA 62.5 % (a/seed-0/outer-1)"
        observer.fit_done(ended("a/seed-0/outer-2", None))
        assert bars.finished
