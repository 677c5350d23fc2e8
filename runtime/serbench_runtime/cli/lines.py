"""Prints lines of JSON for programs."""

from __future__ import annotations

import json

SCHEMA = 1
"""Version of a line's keys and their meaning; a new key alone does not change it."""


def print_line(model_sha256: str, content: dict[str, object], *, final: bool) -> None:
    """Print an answer as one line.

    Args:
        model_sha256: digest of the model's file.
        content: content of the answer.
        final: whether it is the last answer for its file or stream.
    """
    line = {"schema": SCHEMA, **content, "final": final, "model_sha256": model_sha256}
    print(json.dumps(line), flush=True)
