"""Where results live: one folder per run, and a cache of fits that runs share.

Every file is written under a temporary name, flushed to the disk and renamed, so that a process
killed at any moment leaves either the old file or the new one.
"""

from serbench.atomic import write_atomically
from serbench.store.cache import FitCache, FitRecord
from serbench.store.environment import environment
from serbench.store.find import find_run, list_runs
from serbench.store.run import PREDICTION_COLUMNS, RunStore

__all__ = [
    "PREDICTION_COLUMNS",
    "FitCache",
    "FitRecord",
    "RunStore",
    "environment",
    "find_run",
    "list_runs",
    "write_atomically",
]
