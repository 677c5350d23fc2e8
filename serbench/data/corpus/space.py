"""Checks space on the disk before it is used."""

from __future__ import annotations

import shutil
from pathlib import Path

from serbench.errors import CorpusError


def check_space(folder: Path, needed_bytes: int, purpose: str) -> None:
    """Raise CorpusError if the disk of ``folder``, which exists, has less than ``needed_bytes``."""
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes:
        raise CorpusError(
            f"not enough disk space {purpose}: {megabytes(needed_bytes)} needed, "
            f"{megabytes(free_bytes)} free in {folder}; free some space and try again"
        )


def megabytes(size_bytes: int) -> str:
    """A size for people: ``"40.6 MB"``."""
    return f"{size_bytes / 1e6:.1f} MB"
