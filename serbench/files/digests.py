"""Shortened digests: for display, and as names of files and folders."""

from __future__ import annotations

import hashlib


def shown_digest(digest: str) -> str:
    """The first digits of a digest, for display: enough to distinguish two."""
    return digest[:12]


def name_digest(text: str, digits: int) -> str:
    """The first hexadecimal digits of the sha256 of a text, for the name of a file or folder."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:digits]
