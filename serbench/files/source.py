"""Digests of source code: results of changed code are computed again."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import serbench
import serbench_runtime

CORE = Path(serbench.__file__).parent
RUNTIME = Path(serbench_runtime.__file__).parent


@cache
def core_digest(names: tuple[str, ...]) -> str:
    """Digest of modules and packages of the core.

    Args:
        names: paths below ``serbench``, or of the runtime, such as ``serbench_runtime/audio``.
    """
    places = [_place(name) for name in names]
    return source_digest(
        file
        for place in places
        for file in (sorted(place.rglob("*.py")) if place.is_dir() else [place])
    )


def source_digest(files: Iterable[Path]) -> str:
    """sha256 of the files' syntax trees: comments, docstrings and layout do not count.

    Imports from the core do not count either, so that moving a module of the core changes no
    digest; renaming by ``as`` counts.
    """
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode())
        digest.update(_read(file.read_bytes()).code)
    return digest.hexdigest()


def _place(name: str) -> Path:
    package, _, below = name.partition("/")
    return RUNTIME / below if package == RUNTIME.name else CORE / name


def package_digest(plugin: type) -> str:
    """Digest of the top-level package or module of a plugin class.

    It includes the other plugins' packages, ``serbench_…``, that it imports, directly or
    indirectly.
    """
    return package_digest_of(plugin.__module__.partition(".")[0])


@cache
def package_digest_of(package: str) -> str:
    """Digest of a top-level package or module and of the plugins' packages that it imports."""
    found: dict[str, list[Path]] = {}
    left = [package]
    while left:
        if (name := left.pop()) in found:
            continue
        found[name] = files_of(name)
        left += [each for file in found[name] for each in _read(file.read_bytes()).plugins]
    return source_digest(file for name in [package, *sorted({*found} - {package})]
                         for file in found[name])  # fmt: skip


def files_of(package: str) -> list[Path]:
    """Source files of a top-level package or module; none if it does not exist."""
    spec = find_spec(package)
    if spec is None:
        return []
    folders = spec.submodule_search_locations  # a namespace package has several
    if folders:
        return [file for folder in folders for file in sorted(Path(folder).rglob("*.py"))]
    return [Path(spec.origin)] if spec.origin and spec.has_location else []


@dataclass(frozen=True)
class _Source:
    """The parts of a source file that matter for digests.

    Attributes:
        code: sha256 of its syntax tree without docstrings and without imports of the core, and of
            the names that these imports change.
        plugins: top-level packages of plugins that it imports, at the top or later.
    """

    code: bytes
    plugins: frozenset[str]


@cache
def _read(content: bytes) -> _Source:
    """Parse a file, once for each content."""
    tree = ast.parse(content)
    modules = [
        name
        for node in ast.walk(tree)
        for name in (
            [each.name for each in node.names] if isinstance(node, ast.Import)
            else [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level
            else []
        )
    ]  # fmt: skip
    tops = {module.partition(".")[0] for module in modules}
    stripped = _Stripped()
    code = ast.dump(stripped.visit(tree)) + repr(sorted(stripped.renamed))
    plugins = frozenset(top for top in tops if top.startswith("serbench_"))
    return _Source(hashlib.sha256(code.encode()).digest(), plugins)


class _Stripped(ast.NodeTransformer):
    """A tree without docstrings, also of attributes, and without imports of the core.

    Attributes:
        renamed: ``(name, new name)`` of the removed imports.
    """

    def __init__(self) -> None:
        self.renamed: list[tuple[str, str]] = []

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return None
        self.generic_visit(node)
        return node

    def visit_Import(self, node: ast.Import) -> ast.Import | None:
        node.names = [each for each in node.names if not self._of_core(each.name, each)]
        return node if node.names else None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom | None:
        if node.level or node.module is None:
            return node
        kept = [each for each in node.names if not self._of_core(node.module, each)]
        return node if kept else None

    def _of_core(self, module: str, name: ast.alias) -> bool:
        if module.partition(".")[0] not in {CORE.name, RUNTIME.name}:
            return False
        if name.asname not in (None, name.name):
            self.renamed.append((name.name, str(name.asname)))
        return True
