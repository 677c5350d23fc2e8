"""Shell completion of names, read only from the registry's files.

A shell asks at every press of Tab, so no plugin is loaded and nothing heavy is imported. Plugins
that no entry names are not offered. Files that cannot be read are ignored.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

import typer

OVERLAY = Path("serbench.toml")

Complete = Callable[[typer.Context], list[tuple[str, str]]]
"""Names that fit at a place of the command line, each with its summary."""


def names_of(table: str) -> Complete:
    """Names of a table of the registry, with the user's file over it."""

    def complete(ctx: typer.Context) -> list[tuple[str, str]]:
        entries = _table(ctx, table)
        return [(name, _summary(entry)) for name, entry in sorted(entries.items())]

    return complete


def _table(ctx: typer.Context, table: str) -> dict[str, Any]:
    import serbench

    packaged = Path(serbench.__file__).with_name("registry.toml")
    overlay = Path(ctx.params.get("registry") or OVERLAY)
    return {**_entries(packaged, table), **_entries(overlay, table)}


def _entries(file: Path, table: str) -> Mapping[str, Any]:
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8")).get(table, {})
    except (OSError, ValueError):  # `serbench registry check` says what is wrong with it
        return {}
    return found if isinstance(found, dict) else {}


def _summary(entry: object) -> str:
    said = entry.get("summary", "") if isinstance(entry, dict) else ""
    return said if isinstance(said, str) else ""


def runs(ctx: typer.Context) -> list[tuple[str, str]]:
    """Runs in the folder that ``--runs`` names."""
    folder = Path(ctx.params.get("runs") or "runs")
    return [(plan.parent.name, "") for plan in sorted(folder.glob("*/plan.json"))]


def protocols() -> list[str]:
    """The proper protocol, and those that are broken on purpose."""
    from serbench.settings import ProtocolName

    return list(get_args(ProtocolName))


def rows(ctx: typer.Context) -> list[tuple[str, str]]:
    """Rows of all ablations: typer does not tell which ablation was named."""
    return [
        (name, _summary(row))
        for ablation in _table(ctx, "ablations").values()
        for part in _below(ablation, "parts").values()
        for name, row in _below(part, "rows").items()
    ]


def _below(entry: object, key: str) -> Mapping[str, Any]:
    found = entry.get(key) if isinstance(entry, dict) else None
    return found if isinstance(found, dict) else {}


datasets = names_of("datasets")
methods = names_of("methods")
profiles = names_of("profiles")
teachers = names_of("teachers")
suites = names_of("suites")
ablations = names_of("ablations")
labels = names_of("labels")
trackers = names_of("trackers")
backends = names_of("backends")
