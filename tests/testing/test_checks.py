from __future__ import annotations

from unittest import SkipTest

import pytest

from serbench.testing import Check
from serbench.testing.checks import run_all


def raising(error: Exception, name: str = "c") -> Check:
    def run() -> None:
        raise error

    return Check(name, run)


FINE = Check("fine", lambda: None)


def test_all_failures_are_told_together_and_equal_ones_once() -> None:
    checks = [
        FINE,
        raising(AssertionError("a is wrong"), "first"),
        FINE,
        raising(AssertionError("b is wrong"), "second"),
        raising(AssertionError("a is wrong"), "third"),
    ]
    with pytest.raises(AssertionError) as raised:
        run_all(checks)
    assert str(raised.value) == "first; third: a is wrong\nsecond: b is wrong"


def test_nothing_is_tried_on_a_plugin_that_is_not_there() -> None:
    ran: list[str] = []
    checks = [raising(AssertionError("no class")), Check("next", lambda: ran.append("next"))]
    with pytest.raises(AssertionError, match=r"^c: no class$"):
        run_all(checks)
    assert ran == []


def test_an_error_of_the_plugin_is_told_with_its_traceback() -> None:
    crash = ZeroDivisionError("by zero")
    with pytest.raises(AssertionError, match="crash: raised ZeroDivisionError: by zero") as raised:
        run_all([FINE, raising(AssertionError("x")), raising(crash, "crash")])
    assert raised.value.__cause__ is crash


def test_what_cannot_be_checked_here_gives_its_reason() -> None:
    assert run_all([FINE, FINE]) is None
    assert run_all([FINE, raising(SkipTest("no GPU")), raising(SkipTest("no disk"))]) == "no GPU"


def test_a_failure_shows_the_frames_of_the_plugin_and_its_test_alone() -> None:
    with pytest.raises(AssertionError) as raised:
        run_all([raising(AssertionError("x"))])
    shown = raised.traceback.filter(raised)
    assert [entry.path.name for entry in shown] == ["test_checks.py"]
