"""Consoles that print harmless text, see ``serbench_runtime.cli.disarm``."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import IO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from serbench_runtime.cli.disarm import CONTROL, DisarmedStream, disarm


class DisarmedConsole(Console):
    """A console that makes text harmless, but keeps its own colours and cursor movements."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """The segments as rich renders them, with harmless text."""
        for segment in super().render(renderable, options):
            harmless = segment.control or not CONTROL.search(segment.text)
            yield segment if harmless else Segment(disarm(segment.text), segment.style)

    @property
    def file(self) -> IO[str]:
        """The stream that the console writes to. It is the raw stream, without the one that makes
        text harmless.
        """
        found = super().file
        return found.raw if isinstance(found, DisarmedStream) else found

    @file.setter
    def file(self, new_file: IO[str]) -> None:
        self._file = new_file


def stderr() -> Console:
    """A console for progress, messages and errors."""
    if sys.stderr.isatty():
        return DisarmedConsole(stderr=True)
    return DisarmedConsole(stderr=True, width=200)
