from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests_support.runs import resources, run_plan
from tests_support.tables import write_noise

from serbench.files.cache_use import GATE, cache_users, cleaning_cache, is_held, using_cache
from serbench.running.harness.observer import Observer
from serbench.running.harness.run import run

HOLD = """
import sys
from pathlib import Path
from serbench.files.cache_use import using_cache
with using_cache(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_user_is_known_while_it_uses_the_cache(tmp_path: Path) -> None:
    assert cache_users(tmp_path) == ()
    with using_cache(tmp_path), using_cache(tmp_path):
        assert cache_users(tmp_path) == (os.getpid(),)
    assert cache_users(tmp_path) == ()
    assert [path.name for path in (tmp_path / "users").iterdir()] == [GATE]


def test_another_process_is_known_until_it_is_killed(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        assert cache_users(tmp_path) == (process.pid,)
        process.kill()
    assert cache_users(tmp_path) == ()
    (left,) = (tmp_path / "users").glob("*-*.lock")
    assert not is_held(left)


def test_a_cache_that_cannot_be_written_is_used_without_a_lock(tmp_path: Path) -> None:
    (tmp_path / "users").touch()
    with using_cache(tmp_path):
        assert (tmp_path / "users").is_file()


def test_nobody_begins_while_the_cache_is_cleaned(tmp_path: Path) -> None:
    began = threading.Event()

    def use() -> None:
        with using_cache(tmp_path):
            began.set()

    with cleaning_cache(tmp_path) as users:
        assert users == ()
    with using_cache(tmp_path), cleaning_cache(tmp_path) as users:
        assert users == (os.getpid(),)
    with cleaning_cache(tmp_path):
        waiting = threading.Thread(target=use)
        waiting.start()
        assert not began.wait(0.2)
    waiting.join()
    assert began.is_set()


def test_a_run_holds_the_cache(tmp_path: Path) -> None:
    write_noise(tmp_path / "noise", speakers=3, utterances=2)
    place = resources(tmp_path)

    class Stopping(Observer):
        def advance(self, stage: str, done: int, total: int) -> None:
            assert cache_users(place.cache) == (os.getpid(),)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(run_plan(tmp_path / "noise"), place, Stopping())
    assert cache_users(tmp_path / "cache") == ()
