"""What plugins use of the contract that a later version will not have: one line, once."""

from __future__ import annotations

import sys
import warnings
from typing import TextIO

from serbench.errors import SerbenchDeprecationWarning


def tell_deprecations_once() -> None:
    """Print them in one line from here on; other warnings look as they did."""
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
