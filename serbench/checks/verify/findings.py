"""What a verification finds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

SHOWN = 8
"""Differences that are named; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was recomputed.

    Attributes:
        what: for instance ``"folds"``.
        detail: how much was compared, where it agrees.
        differences: what differs, in words; empty where all agrees.
        skipped: why it could not be compared; empty where it was.
    """

    what: str
    detail: str = ""
    differences: tuple[str, ...] = ()
    skipped: str = ""

    @property
    def outcome(self) -> str:
        """``"ok"``, ``"DIFFERS"`` or ``"not compared"``."""
        if self.differences:
            return "DIFFERS"
        return "not compared" if self.skipped else "ok"

    @property
    def text(self) -> str:
        """The first differences, or the reason, or what was compared."""
        if not self.differences:
            return self.skipped or self.detail
        more = len(self.differences) - SHOWN
        shown = "; ".join(self.differences[:SHOWN])
        return shown + (f"; and {more} more" if more > 0 else "")


def compared(what: str, detail: str, differences: Iterable[str]) -> Finding:
    """A finding of something that could be compared."""
    return Finding(what, detail, tuple(differences))
