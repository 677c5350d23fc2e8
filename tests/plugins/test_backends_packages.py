from __future__ import annotations

import ctypes
import importlib
import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from serbench.api import PluginError
from serbench_backends.packages import first_usable, imported, missing, nvidia_gpus, unusable


def broken(module: str) -> None:
    raise OSError(f"lib{module}.so: cannot open shared object file\nand more")


def test_what_is_there_is_usable() -> None:
    assert unusable("numpy", "numpy") is None


def test_what_is_not_there_is_to_be_installed() -> None:
    assert unusable("no_such_runtime", "serbench[x]") == (
        "no_such_runtime is not installed: pip install 'serbench[x]'"
    )


def test_a_broken_package_says_why_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib, "import_module", broken)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: object())
    monkeypatch.delitem(sys.modules, "thing", raising=False)
    assert unusable("thing", "x") == (
        "thing cannot be imported: OSError: libthing.so: cannot open shared object file"
    )


def test_a_package_that_cannot_even_be_looked_for_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "blocked", None)
    reason = unusable("blocked", "x")
    assert reason is not None
    assert reason.startswith("blocked cannot be imported: ModuleNotFoundError")


def test_the_first_that_works_is_taken_and_a_broken_one_told_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert first_usable(("no_such_runtime", "json"), "x") == ("json", None)
    monkeypatch.setitem(sys.modules, "blocked", None)
    module, reason = first_usable(("no_such_runtime", "blocked"), "x")
    assert module is None
    assert str(reason).startswith("blocked cannot be imported")
    assert first_usable(("no_such_runtime",), "x") == (
        None, "no_such_runtime is not installed: pip install 'x'",
    )  # fmt: skip


class Driver:
    def __init__(self, started: int, gpus: int) -> None:
        self.started, self.gpus = started, gpus

    def cuInit(self, _: int) -> int:  # noqa: N802 - the driver's name
        return self.started

    def cuDeviceGetCount(self, count: object) -> int:  # noqa: N802 - the driver's name
        count._obj.value = self.gpus  # pyright: ignore[reportAttributeAccessIssue]
        return 0


@pytest.mark.parametrize(
    ("driver", "gpus"),
    [(Driver(0, 2), 2), (Driver(0, 0), 0), (Driver(100, 2), 0), (SimpleNamespace(), 0)],
)
def test_gpus_are_counted_by_the_driver(
    driver: object, gpus: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: driver)
    assert nvidia_gpus() == gpus


def test_without_a_driver_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", broken)
    assert nvidia_gpus() == 0


def test_a_missing_package_is_named_with_its_use_and_its_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "gone" else object()
    )
    assert missing("X", "x", {"here": "the runtime"}) is None
    assert missing("X", "x", {"here": "the runtime", "gone": "the converter"}) == (
        "the converter of X is not installed (no module gone): pip install 'serbench[x]'"
    )


@pytest.mark.parametrize("error", [ImportError("no parent"), ValueError("__spec__ is None")])
def test_a_package_that_cannot_be_looked_for_is_missing(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find_spec(_: str) -> object:
        raise error

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    assert missing("X", "x", {"a.b": "the runtime"}) is not None


def test_a_broken_package_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "raise OSError('libthing.so: cannot open\\nand more')\n"
    (tmp_path / "broken_runtime.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PluginError) as caught:
        imported("broken_runtime")
    assert str(caught.value) == (
        "broken_runtime cannot be imported: OSError: libthing.so: cannot open"
    )
