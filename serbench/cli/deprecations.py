"""Warnings about deprecated parts of the plugins' contract: one line for each, only once."""

from __future__ import annotations

import sys
import warnings
from typing import TextIO

from serbench.errors import SerbenchDeprecationWarning


def tell_deprecations_once() -> None:
    """From now on, print each deprecation in one line; other warnings look as before."""
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
