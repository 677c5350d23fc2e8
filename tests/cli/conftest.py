from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests_support.replays import Installed

StandIn = Callable[[Path], Path]
Serbench = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def serbench(tmp_path: Path) -> Serbench:
    """Runs ``python -m serbench ARGUMENTS`` in an empty folder, with ``packages`` in its path."""

    def run(*arguments: str, packages: Path | None = None) -> subprocess.CompletedProcess[str]:
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        environment |= {"OMP_NUM_THREADS": "1", "TERMINAL_WIDTH": "100"}
        if packages is not None:
            environment["PYTHONPATH"] = str(packages)
        command = [sys.executable, "-m", "serbench", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    return run


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Goes to a folder with a finished run; plugins of tests stand for the installed ones."""

    def go(root: Path) -> Path:
        monkeypatch.chdir(root)
        monkeypatch.setenv("SERBENCH_CACHE", str(root / "cache"))
        nobody = SimpleNamespace(get_hookimpls=list)
        installed = Installed()
        installed.hook = SimpleNamespace(serbench_fit_epoch=nobody)  # pyright: ignore[reportAttributeAccessIssue]
        known = SimpleNamespace(datasets={}, teachers={})
        # First where names are imported: what is imported only now must import the real ones.
        monkeypatch.setattr("serbench.studies.opened.load_plugins", lambda: installed)
        monkeypatch.setattr("serbench.studies.opened.load_registry", lambda *_, **__: known)
        monkeypatch.setattr("serbench.running.plugins.load_plugins", lambda: installed)
        monkeypatch.setattr("serbench.running.registry.load.load_registry", lambda *_, **__: known)
        return root

    return go
