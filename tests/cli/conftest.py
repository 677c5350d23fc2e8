from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

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
