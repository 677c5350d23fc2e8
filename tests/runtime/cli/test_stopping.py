"""What stops a command, on real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from serbench_runtime.cli.stopping import MESSAGE

COMMAND = """
import sys, time
from serbench.cli import app, main
from serbench_runtime.cli import stopping

@app.command("waits")
def waits() -> None:
    print("ready", flush=True)
{body}

sys.argv = ["serbench", "waits"]
main()
"""

WAITS = "    time.sleep(60)"

REFUSES = """
    stopping.GRACE_S = 0.2
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        time.sleep(60)
"""

WORKS = """
    from serbench.running.executors.local import LocalExecutor
    for _ in LocalExecutor(2).each_call(time.sleep, [60, 60]):
        pass
"""

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's"),
    pytest.mark.usefixtures("heard_signals"),
]


def started(body: str, **environment: str) -> subprocess.Popen[str]:
    """A command that has begun."""
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND.format(body=body)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, **environment},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def of_session(leader: int) -> set[int]:
    """Process ids of a session, but its leader's."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, session = stat.read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if int(session) == leader and state != "Z":
            found.add(int(stat.parent.name))
    return found - {leader}


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129), ("SIGINT", 130)])
def test_what_stops_a_command_is_told_once(name: str, code: int) -> None:
    process = started(WAITS)
    process.send_signal(signal.Signals[name])
    assert process.communicate(timeout=30) == ("", f"{MESSAGE}\n")
    assert process.returncode == code


def test_a_command_that_does_not_stop_is_ended() -> None:
    process = started(REFUSES)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=30) == ("", f"{MESSAGE}\n")
    assert process.returncode == 143


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are found in /proc")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL"])
def test_no_worker_outlives_its_command(name: str) -> None:
    process = started(WORKS)
    while len(of_session(process.pid)) < 4:  # two workers, and two that clean up behind them
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.Signals[name])
    _, err = process.communicate(timeout=60)  # to the end of all that share its streams
    while of_session(process.pid):  # they close their streams before they are gone
        time.sleep(0.02)
    if name == "SIGTERM":
        assert process.returncode == 143
        assert err == f"{MESSAGE}\n"
