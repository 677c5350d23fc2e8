"""Measure what commands cost by the size of the corpus, and print it as Markdown.

    python benchmarks/scale/measure.py /tmp/scale --sizes 1000 10000 100000 --runs 300

makes the corpora with generate.py in ``/tmp/scale/SIZE`` (those that are there are kept), runs the
commands on each with an empty cache and one thread, and prints CPU time and the most memory of each
command. ``--runs`` adds a leaderboard of that many runs on 500 utterances. Of 100,000 utterances,
the corpus takes 3 GB of disk, the cache 5 GB.

CPU time is that of the process and its children: unlike elapsed time, it hardly depends on what
else the machine does. Memory is the greatest resident size of any one process, files that are
mapped included.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
SERBENCH = (sys.executable, "-m", "serbench")
RUN = (
    "run hybrid-tiny+ce --dataset scale --profile demo --set training.epochs=1 "
    "--set protocol.folds=official --jobs 1 --out {runs}"
)
COMMANDS = ("folds scale", "corpus check scale", RUN, "verify {run}", "report {run} --html")
SMALL = 500
"""Utterances of the corpus of many runs: ten speakers, of which two are tested."""


class Cost(NamedTuple):
    """Of one command: time in seconds, memory in bytes."""

    cpu_s: float
    elapsed_s: float
    peak_bytes: int


def main() -> None:
    """Measure, and print the rows as they come."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sizes", type=int, nargs="*", default=[1_000, 10_000, 100_000])
    parser.add_argument("--runs", type=int, default=0, help="runs of a leaderboard")
    parser.add_argument("--many", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.many:
        many_runs(given.many)
        return
    print("| Utterances | Command | CPU s | CPU ms each | Elapsed s | Peak MB |")
    print("| --: | :-- | --: | --: | --: | --: |")
    for size in given.sizes:
        for command, cost in measured(given.folder.resolve() / str(size), size):
            print(
                f"| {size:,} | `{command}` | {cost.cpu_s:.0f} | {1_000 * cost.cpu_s / size:.2f} | "
                f"{cost.elapsed_s:.0f} | {cost.peak_bytes / 1e6:,.0f} |",
                flush=True,
            )
    if given.runs:
        cost = leaderboard(given.folder.resolve() / "leaderboard", given.runs)
        print(
            f"| {given.runs} runs | `leaderboard` | {cost.cpu_s:.0f} | "
            f"{1_000 * cost.cpu_s / given.runs:.0f} | {cost.elapsed_s:.0f} | "
            f"{cost.peak_bytes / 1e6:,.0f} |"
        )


def measured(folder: Path, size: int) -> Iterator[tuple[str, Cost]]:
    """Each command on a corpus, from an empty cache on."""
    generate(folder, size)
    runs = folder / "runs"
    for old in (runs, folder / "cache"):
        shutil.rmtree(old, ignore_errors=True)
    for command in COMMANDS:
        run = next(runs.iterdir()) if "{run}" in command else ""
        words = shlex.split(command.format(runs=runs, run=run))
        yield (
            words[0] if words[0] != "corpus" else "corpus check",
            cost_of(folder, *SERBENCH, *words),
        )
    shutil.rmtree(folder / "cache")


def generate(folder: Path, size: int) -> None:
    """The corpus, where it is not there yet."""
    if not (folder / "serbench.toml").is_file():
        make = (sys.executable, str(HERE / "generate.py"), str(size), str(folder))
        subprocess.run(make, check=True)


def cost_of(folder: Path, *command: str) -> Cost:
    """Run a command in ``folder`` with a cache of its own."""
    environment = {**os.environ, "SERBENCH_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    began = time.perf_counter()
    with (folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{shlex.join(command)} failed, see {folder / 'log.txt'}")
    elapsed_s = time.perf_counter() - began
    unit = 1 if sys.platform == "darwin" else 1024
    return Cost(usage.ru_utime + usage.ru_stime, elapsed_s, usage.ru_maxrss * unit)


def leaderboard(folder: Path, runs: int) -> Cost:
    """What the site of that many runs costs; runs that are there already are kept."""
    generate(folder, SMALL)
    cost_of(folder, sys.executable, str(HERE / "measure.py"), str(folder), "--many", str(runs))
    return cost_of(folder, *SERBENCH, "leaderboard", "runs", "--output", "site")


def many_runs(count: int) -> None:
    """Runs in the working folder that differ in their learning rate, each with its own fit."""
    import serbench

    for number in range(count):
        serbench.run(
            "hybrid-tiny+ce",
            dataset="scale",
            profile="demo",
            settings={
                "training.epochs": 1,
                "training.learning_rate": 1e-3 + number * 1e-6,
                "protocol.folds": "official",
            },
            jobs=1,
            progress=False,
        )


if __name__ == "__main__":
    main()
