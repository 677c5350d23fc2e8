"""Reads the packaged registry, merges the user's file into it, and checks the result at once."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import serbench
from serbench.errors import RegistryError, did_you_mean
from serbench.running.plugins import Plugins
from serbench.running.registry.checks import Checker
from serbench.running.registry.lookup import Registry
from serbench.running.registry.schema import SPECS, Spec
from serbench.running.registry.toml_text import KeyPath, read_toml
from serbench.running.registry.validate import Problem, lay_over, problems, validate

log = logging.getLogger(__name__)

PACKAGED = Path(serbench.__file__).with_name("registry.toml")
USERS = Path("serbench.toml")
"""File that extends the packaged registry. It is used if it is in the current folder and no other
file is named.
"""

PARAMS_OF = {
    "plugin": "params",
    "corpus": "params",
    "student": "student_params",
    "loss": "loss_params",
    "front_end": "front_end_params",
}
"""Parameters that become invalid if the user's file names another plugin in the field of
the key.
"""


@dataclass(frozen=True, slots=True)
class RegistrySource:
    """One registry file: its displayed name, its tables, and the line of each key."""

    shown: str
    tables: dict[str, object]
    lines: dict[KeyPath, int]


def load_registry(
    plugins: Plugins, overlay: Path | None = None, *, strict: bool = True
) -> Registry:
    """The packaged registry, extended by ``overlay`` or ``./serbench.toml``.

    Args:
        plugins: plugins that entries may name.
        overlay: the user's registry file.
        strict: if False, an entry of a broken plugin is only logged. It is an error only for those
            who use it.

    Raises:
        RegistryError: every problem of both stages at once, one per line, each as ``FILE:LINE:
            table.entry.key: message``.
    """
    sources = [RegistrySource("registry.toml", *read_toml(PACKAGED, "registry.toml"))]
    if overlay is None and USERS.is_file():
        overlay = USERS
    if overlay is not None:
        tables, lines = read_toml(overlay, str(overlay))
        _resolve_paths(tables, overlay.parent)
        sources.append(RegistrySource(str(overlay), tables, lines))
    merged = sources[0].tables
    for source in sources[1:]:
        merged = _lay_entries_over(merged, source.tables)
    found, entries = _first_stage(merged)
    names = {table: list(_entries_of(merged, table)) for table in SPECS}
    found += Checker(plugins, entries, names).problems()
    fatal = [problem for problem in found if strict or not problem.on_use]
    if fatal:
        raise RegistryError(_report(fatal, sources, plugins))
    if found:
        log.warning("entries that cannot be used: %s", _report(found, sources, plugins))
    origins = {
        (table, name): _locate((table, name), sources) for table in SPECS for name in names[table]
    }
    files = tuple(source.shown for source in sources)
    return Registry(**entries, plugins=plugins, files=files, origins=origins)  # pyright: ignore[reportArgumentType]


def _resolve_paths(tables: dict[str, object], folder: Path) -> None:
    """Make paths in a registry file relative to that file's folder."""
    for dataset in _entries_of(tables, "datasets").values():
        if not isinstance(dataset, dict):
            continue
        path, folds = dataset.get("path"), dataset.get("folds")
        if isinstance(path, str):
            dataset["path"] = str(folder / Path(path).expanduser())
        if isinstance(folds, str) and ("/" in folds or folds.endswith(".csv")):
            dataset["folds"] = str(folder / Path(folds).expanduser())


def _entries_of(tables: Mapping[str, object], table: str) -> Mapping[str, object]:
    entries = tables.get(table)
    return entries if isinstance(entries, Mapping) else {}


def _lay_entries_over(base: dict[str, object], over: dict[str, object]) -> dict[str, object]:
    below = {key: value for key, value in base.items() if key not in SPECS}
    for table in SPECS:
        if table not in base:
            continue
        entries = dict(_entries_of(base, table))
        for name, entry in _entries_of(over, table).items():
            if isinstance(entry, Mapping) and isinstance(entries.get(name), Mapping):
                entries[name] = _without_stale_params(entries[name], entry)
        below[table] = entries
    return lay_over(below, over)


def _without_stale_params(entry: object, over: Mapping[str, object]) -> dict[str, object]:
    assert isinstance(entry, Mapping)
    stale = {
        params
        for key, params in PARAMS_OF.items()
        if key in over and key in entry and over[key] != entry[key]
    }
    return {key: value for key, value in entry.items() if key not in stale}


def _first_stage(
    merged: Mapping[str, object],
) -> tuple[list[Problem], dict[str, dict[str, Spec]]]:
    """The first stage: entries that fit the core schema, and the problems of all others."""
    found: list[Problem] = []
    entries: dict[str, dict[str, Spec]] = {table: {} for table in SPECS}
    for table, content in merged.items():
        if table not in SPECS:
            found.append(Problem((table,), f"unknown table{did_you_mean(table, SPECS)}"))
        elif not isinstance(content, Mapping):
            found.append(Problem((table,), f"must be a table of entries, not {content!r}"))
        else:
            for name, entry in content.items():
                if not isinstance(entry, Mapping):
                    found.append(Problem((table, name), f"must be a table, not {entry!r}"))
                elif wrong := problems(SPECS[table], entry, (table, name)):
                    found += wrong
                else:
                    entries[table][name] = validate(SPECS[table], entry, f"{table}.{name}")
    return found, entries


def _report(found: Sequence[Problem], sources: Sequence[RegistrySource], plugins: Plugins) -> str:
    """The text of all problems, one per line, with a heading if there are several.

    Plugins that failed to load are listed at the end, because a missing name may be one of theirs.
    """
    lines = [f"{_locate(problem.path, sources)}: {problem}" for problem in found]
    if len(lines) > 1:
        lines.insert(0, f"{len(lines)} errors in the registry:")
    lines += [
        f"not loaded: {p.entry_point} of {p.distribution} {p.version}: {p.cause}"
        for p in plugins.failed
    ]
    return "\n  ".join(lines)


def _locate(path: Sequence[str], sources: Sequence[RegistrySource]) -> str:
    """``FILE:LINE`` of a key; of the nearest table around it if the key itself is missing."""
    for length in range(len(path), 0, -1):
        for source in reversed(sources):
            line = source.lines.get(tuple(path[:length]))
            if line is not None:
                return f"{source.shown}:{line}"
    return sources[-1].shown
