"""Makes text from unknown sources harmless for a terminal.

Names of runs, methods, corpora and utterances may come from unknown people. Control characters in
them could clear the screen, set its title, or show another name. All text that a command prints
passes through this module once; serbench's own colours and progress do not.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TextIO, cast

CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # all control characters but tabs and ends of lines
    "\u2028\u2029\u202a-\u202e\u2066-\u2069"  # other ends of lines, and changes of direction
    "\ud800-\udbff\udc00-\udc7f\udd00-\udfff]"  # surrogates, but not those for bytes of file names
)


_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters of cells that spreadsheets take for a formula."""


def disarm(text: str) -> str:
    """Control characters as escapes of JSON, so that printed JSON keeps its meaning."""
    return CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


class DisarmedStream:
    """A text stream that passes everything it writes through ``disarm``; otherwise unchanged."""

    def __init__(self, raw: TextIO) -> None:
        self.raw = raw

    def write(self, text: str) -> int:
        """Write ``text`` after making it harmless."""
        self.raw.write(disarm(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write all ``lines``."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> object:
        return getattr(self.raw, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.raw)


def underlying(stream: object) -> object:
    """The stream behind a disarmed one; any other stream unchanged."""
    return stream.raw if isinstance(stream, DisarmedStream) else stream


@contextmanager
def disarmed() -> Iterator[None]:
    """Inside this context, text to standard output and standard error is made harmless."""
    held = sys.stdout, sys.stderr
    if any(isinstance(stream, DisarmedStream) for stream in held):
        yield
        return
    sys.stdout, sys.stderr = (cast("TextIO", DisarmedStream(stream)) for stream in held)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = held


def plain_cell(text: str) -> str:
    """Text of a CSV cell that no spreadsheet takes for a formula; numbers stay numbers."""
    if not text.startswith(_FORMULA):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text
