"""Worker processes and the command that started them."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from multiprocessing import resource_tracker

from serbench_runtime.cli.stopping import STOPS

POLL_S = 0.3


@cache
def end_with(parent: int) -> None:
    """End this process soon after ``parent`` has, even if that was killed: nobody waits for it.

    Args:
        parent: process id of the command that started this process.
    """
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(POLL_S)
    os._exit(1)


@contextmanager
def starting_workers() -> Iterator[None]:
    """Processes that are started meanwhile hear no Ctrl-C, nor what else stops a command.

    A terminal and a batch system tell that to all processes of a command; its own process ends the
    others. It hears of it itself when all have been started: one that is started by half cannot be
    ended, and complains.
    """
    if not hasattr(signal, "pthread_sigmask") or not _is_main_thread():
        yield
        return
    from joblib.externals.loky.backend import resource_tracker as loky_tracker

    # These two let signals through again when they are started.
    resource_tracker.ensure_running()
    loky_tracker.ensure_running()
    heard: list[int] = []
    handlers = {each: signal.signal(each, lambda number, _: heard.append(number)) for each in STOPS}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number in heard[:1]:
            signal.raise_signal(number)


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
