"""One message for a missing package that serbench requires."""

from __future__ import annotations

import re

MODULES = {"scikit-learn": "sklearn"}
"""Modules whose package has another name."""


def missing_package(error: Exception) -> str:
    """A message if the error comes from a missing package that serbench requires, else empty.

    The package may have been left out at installation, or removed to save space.
    """
    if not isinstance(error, ModuleNotFoundError):
        return ""
    from importlib import metadata  # imported only if needed, because it takes 10 ms

    for line in metadata.requires("serbench") or ():
        requirement = line.partition(";")[0].strip()
        package = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
        if error.name == MODULES.get(package, package.replace("-", "_")):
            return f"this command needs {package}, which is missing: pip install '{requirement}'"
    return ""
