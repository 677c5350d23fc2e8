"""Deprecated parts of the contract that plugins use: one line for each, once."""

from __future__ import annotations

import sys
import warnings
from typing import TextIO

from serbench.errors import SerbenchDeprecationWarning


def tell_deprecations_once() -> None:
    """From here on, print each in one line; other warnings look as before."""
    others = warnings.showwarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if issubclass(category, SerbenchDeprecationWarning):
            print(f"serbench: {message} ({filename}:{lineno})", file=sys.stderr)
        else:
            others(message, category, filename, lineno, file, line)

    warnings.filterwarnings("once", category=SerbenchDeprecationWarning)
    warnings.showwarning = show
