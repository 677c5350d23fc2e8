"""The version of the contract that a plugin needs, read from its source without running it."""

from __future__ import annotations

import ast
import sys
from importlib.metadata import EntryPoint

from serbench.api.version import VERSION
from serbench.errors import PluginError

NAME = "SERBENCH_API"
"""The name that a plugin's module declares, as in ``SERBENCH_API = ">=1.0,<2"``."""


def check_contract(entry_point: EntryPoint) -> None:
    """Check that a plugin's declared versions of the contract include ``VERSION``.

    Raises:
        PluginError: it needs another version, or its declaration cannot be read.
    """
    needed = _declared(_source(entry_point.module))
    if needed is None:
        return
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        fits = SpecifierSet(needed).contains(VERSION)
    except InvalidSpecifier as error:
        raise PluginError(
            f"{NAME} = {needed!r} is not a range of versions; write it as '>=1.0,<2'"
        ) from error
    if not fits:
        raise PluginError(
            f"it needs serbench.api {needed}, but this serbench has {VERSION}: update the "
            "plugin, or install another version of serbench"
        )


def _declared(source: str) -> str | None:
    """The value of ``NAME`` in a module; None: not set, or the module cannot be read."""
    if NAME not in source:
        return None
    try:
        statements = ast.parse(source).body
    except SyntaxError:
        return None  # importing the module reports this better
    for statement in statements:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=value)
            ) if name == NAME:
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    return value.value
                raise PluginError(
                    f"{NAME} must be text, such as '>=1.0,<2', so that it can be read before the "
                    "plugin is imported"
                )
    return None


def _source(module: str) -> str:
    """The source of a module, found without importing it or its packages; empty: none."""
    path, name, spec = None, "", None
    finders = [finder.find_spec for finder in sys.meta_path if hasattr(finder, "find_spec")]
    for part in module.split("."):
        name = f"{name}.{part}" if name else part
        specs = (find_spec(name, path) for find_spec in finders)
        spec = next((each for each in specs if each is not None), None)
        if spec is None:
            return ""
        path = spec.submodule_search_locations
    get_source = getattr(spec and spec.loader, "get_source", None)
    return (get_source(name) or "") if get_source else ""
