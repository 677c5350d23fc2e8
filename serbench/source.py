"""Digests of source code: what was computed by other code is computed again."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import serbench

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@cache
def core_digest(names: tuple[str, ...]) -> str:
    """Digest of modules and packages of the core."""
    places = [Path(serbench.__file__).parent / name for name in names]
    return source_digest(
        file
        for place in places
        for file in (sorted(place.rglob("*.py")) if place.is_dir() else [place])
    )


def source_digest(files: Iterable[Path]) -> str:
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
