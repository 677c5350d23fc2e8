"""Connects worker processes with the command that started them."""

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


def begin_worker(parent: int, growth_bytes: int) -> None:
    """Prepare a worker process of joblib.

    A worker whose memory has grown by 300 MB since its first item counts as leaking: joblib ends
    it with a warning, and starts another one, which takes seconds. A fit needs more than that.

    Args:
        parent: process id of the command that started this process.
        growth_bytes: number of bytes by which the memory of a worker may grow.
    """
    from joblib.externals.loky import process_executor

    process_executor._MAX_MEMORY_LEAK_SIZE = growth_bytes
    end_with(parent)


@cache
def end_with(parent: int) -> None:
    """End this process soon after ``parent`` ends. This also works if ``parent`` was killed.

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
    """Processes started in this block ignore Ctrl-C and other signals that stop a command.

    A terminal or a batch system sends such signals to all processes of a command; the main process
    ends the others. It handles a signal only after all of them have started: a process that has not
    started completely cannot be ended, and prints errors.
    """
    if not hasattr(signal, "pthread_sigmask") or not _is_main_thread():
        yield
        return
    from joblib.externals.loky.backend import resource_tracker as loky_tracker

    # These two let signals through again when they start.
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
