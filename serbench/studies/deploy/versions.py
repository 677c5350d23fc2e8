"""Versions of the packages that backends run on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib import metadata

from serbench.studies.deploy.backends import TriedBackend

OWN = "serbench"
"""The distribution of a backend whose package belongs to no other distribution."""

ALWAYS = ("numpy", "onnx", "onnxruntime", "torch")
"""Packages that every table names besides the optional runtimes."""

DEVELOPMENT = ("dev", "docs", "test")
"""Extras that contain no runtime."""


def package_versions(backend: type) -> dict[str, str]:
    """Versions of all installed packages that a backend's distribution can use, extras included."""
    return {
        name: version
        for distribution in _distributions(backend.__module__.partition(".")[0])
        for name, version, _ in _required(distribution)
    }


def runtime_versions(candidates: Iterable[TriedBackend]) -> dict[str, str]:
    """Versions of the runtimes that readers of the table ask for, without other packages."""
    distributions = {
        distribution
        for each in candidates
        for distribution in _distributions(type(each.backend).__module__.partition(".")[0])
    }
    found = {
        name: version
        for distribution in distributions | {OWN}
        for name, version, extra in _required(distribution)
        if extra and extra not in DEVELOPMENT
    } | {name: metadata.version(name) for name in ALWAYS}
    return dict(sorted(found.items()))


@cache
def _distributions(package: str) -> tuple[str, ...]:
    return tuple(metadata.packages_distributions().get(package, [OWN]))


@cache
def _required(distribution: str) -> tuple[tuple[str, str, str], ...]:
    """Name, version and extra of each installed package that a distribution requires."""
    found = []
    for line in metadata.requires(distribution) or ():
        name = re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0]
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", line)
        try:
            found.append((name, metadata.version(name), extra.group(1) if extra else ""))
        except metadata.PackageNotFoundError:
            continue
    return tuple(found)
