"""Start identical commands at once on an empty cache, again and again, and count what goes wrong.

    python tests/soak/together.py --tries 12 --folder /tmp/together

Every command must end with 0 and print what the others print, and write the same predictions.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

RUN = [
    *("run", "hybrid", "--dataset", "demo", "--profile", "demo"),
    *("--set", "training.epochs=1", "--jobs", "1"),
]


def started(folder: Path, number: int, command: list[str]) -> subprocess.Popen[bytes]:
    """A command with a runs folder of its own and the cache that all share."""
    environment = {**os.environ, "SERBENCH_CACHE": str(folder / "cache")}
    runs = ["--out", str(folder / f"runs-{number}")]
    with (folder / f"out-{number}.txt").open("wb") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "serbench", *command, *runs],
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment,
        )


def predictions(runs: Path) -> str:
    """Digests of what the runs in a folder predict."""
    files = sorted(runs.glob("*/predictions.parquet"))
    return " ".join(hashlib.sha256(file.read_bytes()).hexdigest()[:12] for file in files)


def one_try(folder: Path, command: list[str], processes: int, delay_s: float) -> list[str]:
    """What went wrong in one try, one line each."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    running = []
    for number in range(processes):
        running.append(started(folder, number, command))
        time.sleep(delay_s)
    codes = [process.wait() for process in running]
    said = [predictions(folder / f"runs-{number}") for number in range(processes)]
    wrong = [f"process {n} exited with {code}" for n, code in enumerate(codes) if code]
    if len(set(said)) > 1 and not wrong:
        wrong.append(f"predictions differ: {said}")
    return wrong


def main() -> None:
    """Try, and print a line for each try."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tries", type=int, default=12)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path("build/together"))
    parser.add_argument("command", nargs="*", default=RUN)
    asked = parser.parse_args()
    failed = 0
    for number in range(asked.tries):
        # Together at first, then ever later, so that other moments meet.
        delay_s = 0.25 * (number % 4)
        wrong = one_try(asked.folder, asked.command, asked.processes, delay_s)
        failed += bool(wrong)
        print(f"try {number + 1}, {delay_s:g} s apart: {'; '.join(wrong) or 'well'}", flush=True)
    print(f"{failed} of {asked.tries} tries failed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
