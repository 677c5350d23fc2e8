"""Packages that come with an extra of serbench."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence


def missing(extra: str, modules: Sequence[str]) -> str | None:
    """Why an extra is needed; None if all of its modules are installed. No module is imported."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            return f"{module} is not installed: pip install 'serbench[{extra}]'"
    return None
