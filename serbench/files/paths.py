"""Where serbench keeps what it can make again."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

CACHE_VARIABLE = "SERBENCH_CACHE"


def cache_folder() -> Path:
    """``$SERBENCH_CACHE``, else the user's cache folder of this system."""
    named = os.environ.get(CACHE_VARIABLE)
    return Path(named).expanduser() if named else Path(platformdirs.user_cache_dir("serbench"))
