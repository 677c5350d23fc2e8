"""Stops commands: SIGTERM, SIGHUP and Ctrl-C all have the same effect.

The main thread gets a ``KeyboardInterrupt``, so that it ends its workers and keeps its results. It
has ``GRACE_S`` for that; then the process ends even during a long computation. Files are written
completely or not at all, so nothing is damaged.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from types import FrameType

STOPS = tuple(
    signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""Signals that stop a command."""

GRACE_S = 5.0
"""Seconds until the process ends at the latest."""

IMPATIENT_S = 1.0
"""A signal this many seconds after the first one ends the process at once."""

MESSAGE = "stopped; run the same command again to continue"


class _Stop:
    """Signals received so far.

    Attributes:
        signal: number of the first signal; 0: none.
        at_s: time of the first signal.
        told: whether the message was printed.
    """

    signal = 0
    at_s = 0.0
    told = False


def listen() -> None:
    """From now on, signals stop the command. Ignored signals (``nohup``) stay ignored."""
    for number in STOPS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    threading.Thread(target=_end_in_time, args=(read,), daemon=True).start()


def is_stopping() -> bool:
    """Whether a signal was received: any later exception is due to it."""
    return bool(_Stop.signal)


def stopped() -> int:
    """Record that the message is printed now; returns the exit code that shells expect."""
    _Stop.told = True
    return 128 + (_Stop.signal or signal.SIGINT)


def leave_if_stopped() -> None:
    """End the process if a signal was received, without waiting for threads that are reading.

    Semaphores and temporary folders of workers are removed first. Unloading large libraries would
    take seconds.
    """
    if _Stop.signal:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        _end(_Stop.signal)


def _stop(number: int, _frame: FrameType | None) -> None:
    now_s = time.monotonic()
    if not _Stop.signal:
        _Stop.signal, _Stop.at_s = number, now_s
        raise KeyboardInterrupt
    # A terminal that is closed may send two signals at once, which count as one.
    if now_s - _Stop.at_s > IMPATIENT_S:
        _end(_Stop.signal)


def _end_in_time(pipe: int) -> None:
    """Wait for the first signal, which arrives through a pipe; then for ``GRACE_S``."""
    while (number := os.read(pipe, 1)[0]) not in STOPS:
        pass
    time.sleep(GRACE_S)
    _end(number)


def _end(number: int) -> None:
    """End the process at once; its workers notice that and end too."""
    if not _Stop.told:
        os.write(2, f"{MESSAGE}\n".encode())
    os._exit(128 + number)
