"""Consoles and logging of the command line."""

from __future__ import annotations

import logging
import sys

from rich.console import Console
from rich.logging import RichHandler

from serbench.benchmark.disarm import DisarmedConsole, stderr


def stdout() -> Console:
    """Console for tables and results; if not a terminal: plain text, wide enough to wrap
    nothing.
    """
    if sys.stdout.isatty():
        return DisarmedConsole()
    return DisarmedConsole(width=200, no_color=True)


def say(*lines: object) -> None:
    """Print lines unchanged, without wrapping them to the width of the terminal."""
    console = stdout()
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def configure_logging(verbosity: int) -> None:
    """Set the level: 0: warnings; 1 (``-v``): news of serbench; 2 (``-vv``): everything."""
    levels = {0: logging.WARNING, 1: logging.INFO}
    handler = RichHandler(console=stderr(), show_path=verbosity > 1, log_time_format="%H:%M:%S")
    level = levels.get(verbosity, logging.DEBUG)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], format="%(message)s", force=True)
    logging.getLogger("serbench").setLevel(level)
    if verbosity > 1:
        logging.getLogger().setLevel(logging.DEBUG)
