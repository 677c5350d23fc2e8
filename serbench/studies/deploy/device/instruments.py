"""Measures time, memory and the machine, and handles processes, for serbench and a bundle's script.

Needs only Python 3.8 or newer and NumPy, because it is carried to other devices.
"""

from __future__ import annotations

import os
import platform
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    from numpy.typing import NDArray

    Waveforms = NDArray[np.float32]
    Predict = Callable[[Waveforms], NDArray[np.float32]]
    Json = dict[str, Any]

SAMPLE_RATE_HZ = 16_000

THREADS = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS",
)  # fmt: skip
"""Environment variables that set the number of threads of numerical libraries."""

EFFORT: Json = {
    "lengths_s": [1, 3, 10], "window_s": 3, "batches": [8, 32], "warm_up_calls": 3,
    "warm_up_s": 0.1, "budget_s": 0.6, "least_calls": 5, "most_calls": 300,
}  # fmt: skip
"""Seconds of audio, batch sizes, and how many calls of each."""


def measure(predict: Predict, audio: Waveforms, effort: Json) -> Json:
    """Measure batch-1 latencies, peak memory, and batched calls of a model that was called once.

    Args:
        predict: a function from waveforms ``(N, samples)`` to posteriors.
        audio: ``(samples,)`` at 16 kHz, at least as long as the longest batch.
        effort: a dictionary like ``EFFORT``.

    Returns:
        ``latency_s`` by length and ``batch_s`` by batch size, each a list of seconds per call;
        ``peak_bytes`` after the batch-1 calls.
    """
    single = {f"{s:g}": time_calls(predict, cut(audio, s, 1), effort) for s in effort["lengths_s"]}
    peak = peak_bytes()
    window_s = effort["window_s"]
    many = {str(n): time_calls(predict, cut(audio, window_s, n), effort) for n in effort["batches"]}
    return {"latency_s": single, "batch_s": many, "peak_bytes": peak}


def time_calls(predict: Predict, x: Waveforms, effort: Json) -> list[float]:
    """Seconds of each call, after a warm-up; all calls together take about ``budget_s``."""
    warm: list[float] = []
    began = time.perf_counter()
    while len(warm) < effort["warm_up_calls"] or time.perf_counter() - began < effort["warm_up_s"]:
        warm.append(_seconds(predict, x))
    count = int(effort["budget_s"] / float(np.median(warm)))
    count = min(max(count, effort["least_calls"]), effort["most_calls"])
    return [_seconds(predict, x) for _ in range(count)]


def _seconds(predict: Predict, x: Waveforms) -> float:
    began = time.perf_counter()
    predict(x)
    return round(max(time.perf_counter() - began, 1e-7), 7)


def cut(audio: Waveforms, length_s: float, batch: int) -> Waveforms:
    """Cut neighbouring pieces ``(batch, samples)`` of ``audio``, from its beginning."""
    samples = round(length_s * SAMPLE_RATE_HZ)
    return np.ascontiguousarray(audio[: batch * samples].reshape(batch, samples))


def peak_bytes() -> int | None:
    """The greatest memory that this process has had at once; None if the system has no record."""
    # On Linux a new process inherits ru_maxrss from the one that started it.
    kept = _status_bytes("VmHWM")
    if kept is not None:
        return kept
    try:
        import resource
    except ImportError:  # Windows
        return None
    kept = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kept if sys.platform == "darwin" else kept * 1024


def resident_bytes() -> int | None:
    """The memory that this process has now, or else its greatest so far; None if unknown."""
    now = _status_bytes("VmRSS")
    return peak_bytes() if now is None else now


def _status_bytes(key: str) -> int | None:
    lines = (line for line in _lines("/proc/self/status") if line.startswith(key + ":"))
    return next((int(line.split()[1]) * 1024 for line in lines), None)


def pin(cores: list[int] | None) -> bool:
    """Keep this process on some cores; return whether the system allowed it."""
    if not (cores and hasattr(os, "sched_setaffinity")):
        return False
    try:
        os.sched_setaffinity(0, cores)
    except OSError:
        return False
    return True


def free_cores(count: int) -> list[int] | None:
    """The last ``count`` of the cores that this process may use; None if they are not known."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    usable = sorted(os.sched_getaffinity(0))
    return usable[-count:] if count <= len(usable) else None


def thread_environment(threads: int) -> dict[str, str]:
    """The environment of a process that uses so many threads."""
    return dict(os.environ, **{name: str(threads) for name in THREADS})


def answer_stream() -> TextIO:
    """A stream to the real standard output, which prints of libraries no longer reach."""
    sys.stdout.flush()
    own = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return own


def ended(code: int, err: bytes) -> str:
    """How a process without an answer ended: its signal or exit code, and its last output."""
    said = [line.strip() for line in err.decode(errors="replace").splitlines() if line.strip()]
    how = f"crashed with {_signal(-code)}" if code < 0 else f"ended with exit code {code}"
    return f"{how}: {said[-1]}" if said else how


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"


def machine(name: str, packages: dict[str, str]) -> Json:
    """What a reader must know about this machine. It has no name of a user or a host."""
    return {
        "name": name or board_name() or cpu_name(),
        "cpu": cpu_name(),
        "cores": os.cpu_count() or 1,
        "usable_cores": usable_cores(),
        "memory_bytes": _memory_bytes(),
        "system": platform.platform(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": packages,
        "governor": next(iter(_lines(GOVERNOR)), None),
        "load_start": load_average(),
        "load_end": None,
        "pinned": False,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }


GOVERNOR = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
"""The file that names the rule by which the first core chooses its frequency."""


def cpu_name() -> str:
    """Name of the processor, as the system gives it."""
    lines = (line for line in _lines("/proc/cpuinfo") if line.startswith("model name"))
    named = next((line.partition(":")[2].strip() for line in lines), "")
    return named or platform.processor() or platform.machine()


def board_name() -> str:
    """Name of a single-board computer; empty for other machines."""
    return " ".join(_lines("/proc/device-tree/model")).strip("\0 ")


def load_average() -> list[float] | None:
    """The load average over 1, 5 and 15 minutes; None if the system has none."""
    return [round(each, 2) for each in os.getloadavg()] if hasattr(os, "getloadavg") else None


def usable_cores() -> int:
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_bytes() -> int | None:
    lines = (line for line in _lines("/proc/meminfo") if line.startswith("MemTotal:"))
    return next((int(line.split()[1]) * 1024 for line in lines), None)


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
