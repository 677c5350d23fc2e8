"""Digests of the code that results come from: a fit is made anew when its code has changed."""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import serbench
from serbench.api import Loss, Student
from serbench.plan import RunPlan

FIT = ("fit", "features.py", "segments.py", "evaluate.py")
"""Core modules that decide what a fit gives."""

HEAD = ("teach",)
"""Core modules that decide what a teacher's head gives."""

LEAKY = ("harness/leaky.py",)
"""The module that decides how a broken protocol's fits differ."""

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


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
        return _digest(file for folder in folders for file in sorted(folder.rglob("*.py")))
    file = Path(named)
    return _digest(sorted(file.parent.rglob("*.py")) if file.name == "__init__.py" else [file])


@cache
def core_digest(names: tuple[str, ...]) -> str:
    """Digest of modules and packages of the core."""
    places = [Path(serbench.__file__).parent / name for name in names]
    return _digest(
        file
        for place in places
        for file in (sorted(place.rglob("*.py")) if place.is_dir() else [place])
    )


def _digest(files: Iterable[Path]) -> str:
    """sha256 of the files' syntax trees: comments, docstrings and layout do not count."""
    digest = hashlib.sha256()
    for file in files:
        tree = ast.parse(file.read_bytes())
        for node in ast.walk(tree):
            if isinstance(node, Documented) and ast.get_docstring(node) is not None:
                node.body = node.body[1:]
        digest.update(file.name.encode())
        digest.update(ast.dump(tree).encode())
    return digest.hexdigest()
