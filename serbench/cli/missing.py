"""A package of serbench's own that is not installed, told in one line."""

from __future__ import annotations

import re

MODULES = {"scikit-learn": "sklearn"}
"""Modules whose package has another name."""


def missing_package(error: Exception) -> str:
    """What to say of an error that comes from a missing package of serbench; empty of any other.

    It may have been left out at the installation, or taken away to save room.
    """
    if not isinstance(error, ModuleNotFoundError):
        return ""
    from importlib import metadata  # only then: it takes 10 ms to import

    for line in metadata.requires("serbench") or ():
        requirement = line.partition(";")[0].strip()
        package = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
        if error.name == MODULES.get(package, package.replace("-", "_")):
            return f"this command needs {package}, which is missing: pip install '{requirement}'"
    return ""
