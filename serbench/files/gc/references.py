"""Fits that stored runs consist of."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

KEY = re.compile(rb'"key":\s*"([0-9a-f]{8,128})"')
"""A fit's address in a record. A pattern finds it even in a damaged record, so its fit is kept."""


def referenced_keys(runs: Iterable[Path]) -> frozenset[str]:
    """Addresses of the fits of all runs below some folders, including those of canaries."""
    found: set[str] = set()
    for folder in runs:
        for record in folder.glob("**/fits/*.json"):
            try:
                found.update(key.decode() for key in KEY.findall(record.read_bytes()))
            except FileNotFoundError:  # a run in progress
                continue
    return frozenset(found)
