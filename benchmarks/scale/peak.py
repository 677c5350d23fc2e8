"""Run a command, and print the most memory that it and its workers had together (Linux).

    python benchmarks/scale/peak.py serbench run hybrid-tiny+ce --dataset scale --jobs 2

Memory is the sum of the proportional set sizes (PSS) of all its processes, four times a second: a
page that several of them share counts once.
"""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import suppress

import psutil  # pyright: ignore[reportMissingModuleSource]

EVERY_S = 0.25


def main() -> int:
    """The exit code of the command."""
    command = subprocess.Popen(sys.argv[1:])
    process, most = psutil.Process(command.pid), [0]
    while command.poll() is None:
        with suppress(psutil.Error):
            now = [pss(each) for each in (process, *process.children(recursive=True))]
            most = max(most, sorted(now, reverse=True), key=sum)
        time.sleep(EVERY_S)
    each = " + ".join(f"{size / 1e6:,.0f}" for size in most if size > 5e7)
    sys.stderr.write(f"{sum(most) / 1e6:,.0f} MB at most; processes of over 50 MB: {each}\n")
    return command.returncode


def pss(process: psutil.Process) -> int:
    """In bytes; 0 of a process that has ended."""
    try:
        return process.memory_full_info().pss
    except psutil.Error:
        return 0


if __name__ == "__main__":
    sys.exit(main())
