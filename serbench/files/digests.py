"""Digests cut short: as people see them, and as they name files and folders."""

from __future__ import annotations

import hashlib


def shown_digest(digest: str) -> str:
    """The first digits of a digest, as people are shown it: enough to tell two apart."""
    return digest[:12]


def name_digest(text: str, digits: int) -> str:
    """The first hexadecimal digits of the sha256 of a text, for the name of a file or folder."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:digits]
