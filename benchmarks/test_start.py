"""How long quick commands take, from the start of a process: ``cpu_s`` of each is in the JSON."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from tests_support.run_maker import make_run  # pyright: ignore[reportMissingImports]

from serbench.results.report.write import write_report

COMMANDS = (
    *("--version", "--help", "list", "plugins", "show", "runs", "registry check"),
    *("run --help", "run akdd --dataset demo"),
)
COMPLETING = {
    "_SERBENCH_COMPLETE": "complete_bash",
    "COMP_WORDS": "serbench run --pro",
    "COMP_CWORD": "2",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run and its report."""
    place = tmp_path_factory.mktemp("place")
    folder = make_run(place / "runs" / "kd", {"kd": 0.8, "akd": 0.7})
    write_report([folder], folder)
    return place


@pytest.mark.parametrize("command", COMMANDS)
def test_start(benchmark: BenchmarkFixture, place: Path, command: str) -> None:
    _measure(benchmark, place, command.split(), {})


def test_completion(benchmark: BenchmarkFixture, place: Path) -> None:
    _measure(benchmark, place, [], COMPLETING)


def _measure(
    benchmark: BenchmarkFixture, place: Path, arguments: list[str], variables: dict[str, str]
) -> None:
    """Wall time as the benchmark's own, and the least CPU time of a round as ``cpu_s``."""
    cpu_s = []

    def start() -> bytes:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-m", "serbench", *arguments],
            cwd=place,
            env=os.environ | variables,
            capture_output=True,
            check=False,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_s.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        return done.stdout + done.stderr

    assert benchmark.pedantic(start, rounds=5, warmup_rounds=1)
    benchmark.extra_info["cpu_s"] = round(min(cpu_s), 3)
