"""Digests of the code that results come from: a fit is made anew when its code has changed."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

from serbench.api import Loss, Student
from serbench.plan import RunPlan
from serbench.source import core_digest, source_digest

FIT = ("fit", "features.py", "segments.py", "evaluate.py")
"""Core modules that decide what a fit gives."""

HEAD = ("teach",)
"""Core modules that decide what a teacher's head gives."""

LEAKY = ("harness/leaky.py",)
"""The module that decides how a broken protocol's fits differ."""


def code_digests(plan: RunPlan) -> dict[str, str]:
    """Digests of the code that a run's fits go through: a change makes it another run."""
    plugins = {
        type(plugin)
        for method in plan.methods
        for plugin in (method.candidates[0].student, method.candidates[0].loss)
    }
    core = {"fit": core_digest(FIT), "head": core_digest(HEAD)}
    return {**core, **{cls.__module__: package_digest(cls) for cls in plugins}}


def package_digest(plugin: type[Student | Loss]) -> str:
    """Digest of the top-level package or module that a plugin class lives in."""
    return _package_digest(plugin.__module__.partition(".")[0])


@cache
def _package_digest(package: str) -> str:
    named = sys.modules[package].__file__
    if named is None:  # a namespace package: all that it has is below its folders
        folders = map(Path, sys.modules[package].__path__)
        return source_digest(file for folder in folders for file in sorted(folder.rglob("*.py")))
    file = Path(named)
    whole = file.name == "__init__.py"
    return source_digest(sorted(file.parent.rglob("*.py")) if whole else [file])
