"""The processor and the memory of this machine."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

CGROUP_MEMORY = Path("/sys/fs/cgroup/memory.max")
"""Files in which Linux states a container's limits."""


def cpu_name() -> str:
    """The maker's name for the processor, if the system knows it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def usable_cpus() -> int:
    """Number of processors that this process may use; a container or ``taskset`` can limit it."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_bytes() -> int | None:
    """Memory that this process may use; None: unknown."""
    try:
        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows
        return None
    try:
        return min(whole, int(CGROUP_MEMORY.read_text(encoding="ascii")))
    except (OSError, ValueError):  # no container, or no limit ("max")
        return whole


def peak_bytes() -> int | None:
    """The greatest memory that this process has had so far; None: unknown."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return None
    kept = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kept if sys.platform == "darwin" else kept * 1024
