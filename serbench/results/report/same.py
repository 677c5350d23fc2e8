"""Compares a stored text with a newly made one."""

from __future__ import annotations

import csv
import math
from html.parser import HTMLParser
from itertools import zip_longest
from pathlib import Path

TOLERANCE = 5.1e-7
"""Allowed difference of numbers in a CSV: older versions wrote six decimals."""


QUOTED = ("claims.csv",)
"""Tables of values that the package quotes, which do not depend on the run alone."""


def same_numbers(stored: Path, made: str) -> bool:
    """Compare a CSV that another version wrote: only the columns that both have.

    Args:
        stored: an existing file.
        made: the text that it should have.
    """
    try:
        return _same_rows(stored.read_text(encoding="utf-8"), made, shared=True)
    except UnicodeDecodeError:
        return False


def same_content(stored: Path, made: str) -> bool:
    """Compare a file with a text.

    Numbers of a CSV are compared as numbers, and its columns by name; of HTML, the words are
    compared. Any other text is compared as it is.

    Args:
        stored: an existing file.
        made: the text that it should have.
    """
    try:
        text = stored.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return False
    if stored.suffix == ".html":
        return _words(text) == _words(made)
    if stored.suffix == ".csv":
        return _same_rows(text, made)
    return text == made


class _Words(HTMLParser):
    """Collects the words of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []

    def handle_data(self, data: str) -> None:
        """Collect the words of a text."""
        self.words += data.split()


def _words(text: str) -> list[str]:
    parser = _Words()
    parser.feed(text)
    return parser.words


def _same_rows(text: str, made: str, *, shared: bool = False) -> bool:
    """Compare rows. ``shared``: columns of one side do not count, but both must share one."""
    ours, theirs = (csv.DictReader(each.splitlines(), restval="") for each in (text, made))
    try:
        columns = [set(each.fieldnames or ()) for each in (ours, theirs)]
        if columns[0] != columns[1] and not (shared and columns[0] & columns[1]):
            return False
        return all(
            one is not None and other is not None and (shared or one.keys() == other.keys())
            and all(_same_field(one[name], other[name]) for name in columns[0] & columns[1])
            for one, other in zip_longest(ours, theirs)
        )  # fmt: skip
    except csv.Error:
        return False


def _same_field(one: str, other: str) -> bool:
    if one == other:
        return True
    try:
        return math.isclose(float(one), float(other), rel_tol=0, abs_tol=TOLERANCE)
    except ValueError:
        return False
