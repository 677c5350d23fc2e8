from __future__ import annotations

from types import SimpleNamespace

import pytest

from serbench.api import EpochEvent
from serbench.cli import progress


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
    assert lines[4:] == ["fits: 1 to run, 0 already there", "fits: 0/1, about 9 min left"]
