"""Fixtures shared by all tests: where the real data is, and a cache of their own."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

if find_spec("jaxtyping"):  # without it, tests/test_shapes.py is skipped
    from tests_support.shapes import PACKAGES, ShapeFinder

    sys.meta_path.insert(0, ShapeFinder(PACKAGES))

# How fast examples are drawn says something of the machine's load, not of what is tested.
hypothesis_settings.register_profile(
    "serbench", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("serbench")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests begin first, so that none is left alone at the end of a parallel run."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or fills the user's cache or corpora."""
    if "SERBENCH_CACHE" not in os.environ or "pytest" not in os.environ["SERBENCH_CACHE"]:
        monkeypatch.setenv("SERBENCH_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.delenv("SERBENCH_DATA", raising=False)


@pytest.fixture(autouse=True, scope="session")
def _files_are_not_forced_to_the_disk() -> Iterator[None]:
    """Waiting for the disk takes a large part of the suite's time, and no test cuts the power."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(autouse=True, scope="session")
def _figures_without_files() -> Iterator[Callable[..., dict[str, bytes]]]:
    """Reports build their figures, but do not write them as PNG, PDF and SVG, which takes most of a
    report's time. Tests that look at these files ask for ``figure_files``.
    """
    from serbench.results.figure import png

    def built(figure: Any, *_: object) -> dict[str, bytes]:
        png.drawn(figure)
        return {".png": b"\x89PNG"}

    real = png.figure_files
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(png, "figure_files", built)
        yield real


@pytest.fixture(scope="module")
def figure_files(_figures_without_files: Callable[..., dict[str, bytes]]) -> Iterator[None]:
    """Files of figures as users get them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("serbench.results.figure.png.figure_files", _figures_without_files)
        yield


@pytest.fixture
def heard_signals() -> Iterator[None]:
    """What stops a command is heard, though the tests run in the background or under nohup."""
    before = {signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler)}
    if hasattr(signal, "SIGHUP"):
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    with playwright.sync_playwright() as started:
        try:
            chromium = started.chromium.launch(executable_path=found, args=["--no-sandbox"])
        except playwright.Error as error:
            pytest.skip(f"no Chromium starts here: {str(error).splitlines()[0]}")
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the real corpus and the real weights."""
    named = os.environ.get("SERBENCH_TEST_SHARED")
    if not named:
        pytest.skip("SERBENCH_TEST_SHARED does not name a folder with real data")
    return Path(named)


@pytest.fixture(scope="session")
def emodb(shared: Path) -> Path:
    """The real EmoDB."""
    folder = shared / "corpora" / "emodb"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    return folder


@pytest.fixture(scope="session")
def ravdess(shared: Path) -> Path:
    """RAVDESS's speech as FLAC at 16 kHz."""
    folder = shared / "corpora" / "ravdess"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    return folder


@pytest.fixture(scope="session")
def whisper_base(shared: Path) -> Path:
    """The real Whisper-base encoder."""
    folder = shared / "weights" / "whisper-base-encoder"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    return folder


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """A command line that a test calls sets logging up for the whole process."""
    root, own = logging.getLogger(), logging.getLogger("serbench")
    handlers, levels = root.handlers[:], (root.level, own.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    own.setLevel(levels[1])
