"""The result of a diagnosis: sections of lines."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

SCHEMA = 1
"""Version of the JSON."""


@dataclass(frozen=True, slots=True)
class Line:
    """One fact of the diagnosis.

    Attributes:
        name: the fact.
        value: its state.
        broken: what to do if serbench cannot work as it should; else empty.
    """

    name: str
    value: str
    broken: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """Lines of one kind."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All sections."""

    sections: tuple[Section, ...]

    @property
    def broken(self) -> tuple[Line, ...]:
        """Everything that keeps serbench from working as it should."""
        return tuple(line for each in self.sections for line in each.lines if line.broken)

    def as_json(self) -> dict[str, object]:
        """The diagnosis as JSON."""
        sections = {each.title: [asdict(line) for line in each.lines] for each in self.sections}
        return {"schema": SCHEMA, "broken": len(self.broken), "sections": sections}


def section(title: str, look: Callable[[], list[Line]]) -> Section:
    """Findings of ``look`` without private data; an error of its own becomes a line."""
    try:
        lines = look()
    except (Exception, SystemExit) as error:  # a broken installation may raise anything
        text = " ".join(str(error).split())
        lines = [
            Line("unknown", f"{type(error).__name__}: {text}", "this part could not be checked")
        ]
    return Section(title, tuple(map(_without_secrets, lines)))


def _without_secrets(line: Line) -> Line:
    """The user's folder as ``~``, and no names or passwords in addresses."""
    shown = {name: _harmless(text) for name, text in asdict(line).items()}
    return replace(line, **shown)


def _harmless(text: str) -> str:
    text = re.sub(r"://[^/@\s]+@", "://", text)
    home = os.path.normpath(Path.home())
    return re.sub(rf"{re.escape(home)}(?![\w.-])", "~", text) if home != os.sep else text
