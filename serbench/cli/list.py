"""``serbench list``: datasets, methods and everything else that can be run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from serbench.cli.options import RegistryFile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from serbench.running.registry.lookup import Registry
    from serbench.running.registry.schema import Spec

TABLES = (
    *("datasets", "labels", "teachers", "front_ends", "students", "losses", "backends"),
    *("trackers", "methods", "profiles", "ablations", "suites"),
)
ALIASES = {"corpora": "datasets", "front-ends": "front_ends"}
PLUGIN_TABLES = ("teachers", "front_ends", "students", "losses", "backends", "trackers")
KIND_OF = {"datasets": "corpora", **{t: t for t in PLUGIN_TABLES}}
"""The kind of plugin of each table that has one."""


def command(
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar="KIND",
            autocompletion=lambda: list(TABLES),
            help="Kind of entries to list, for example methods. Default: all kinds.",
        ),
    ] = None,
    registry_file: RegistryFile = None,
) -> None:
    """List datasets, methods, teachers, profiles, … that can be used.

    KIND is one of datasets, labels (label maps), teachers, front_ends, students, losses, backends,
    trackers, methods, profiles, ablations, suites. Without it, all are listed.

    An entry is a plugin with its parameters. A plugin without an entry is listed, and can be used,
    under its own name.

    Examples:

      serbench list

      serbench list methods

      serbench list corpora | grep emodb
    """  # noqa: D412 - typer needs the blank lines
    from serbench.api import RegistryError
    from serbench.cli.output import print_table
    from serbench.errors import did_you_mean
    from serbench.running.plugins import load_plugins
    from serbench.running.registry.load import load_registry

    table = ALIASES.get(kind, kind) if kind else None
    if table is not None and table not in TABLES:
        raise RegistryError(f"nothing to list is called {kind!r}{did_you_mean(table, TABLES)}")
    registry = load_registry(load_plugins(), registry_file, strict=False)
    for each in (table,) if table else TABLES:
        if each in KIND_OF:
            columns, rows = _plugin_rows(registry, each)
        else:
            columns, rows = _plain_rows(registry, each)
        print_table(each.replace("_", " ").capitalize(), columns, rows)


def _plugin_rows(registry: Registry, table: str) -> tuple[Sequence[str], Sequence[tuple[str, ...]]]:
    """Entries of the table, then plugins that no entry names."""
    kind = KIND_OF[table]
    provided = {item.name: item for item in registry.plugins.items(kind)}
    entries: Mapping[str, Spec] = getattr(registry, table)
    plugin_of = {name: _plugin_name(spec) for name, spec in entries.items()}
    unnamed = {name: name for name in provided if name not in {*plugin_of, *plugin_of.values()}}
    rows: list[tuple[str, ...]] = []
    for name, plugin in (plugin_of | unnamed).items():
        item = provided.get(plugin)
        if item is None:
            rows.append((name, plugin, "not loaded", "see `serbench plugins`"))
            continue
        summary = entries[name].summary if name in entries else _first_line(item.cls)
        if name not in entries and _needs_params(item.cls):
            about = f"{summary} To use it, add [{table}.NAME] to serbench.toml."
        else:
            about = _card(registry, kind, name) or summary
        rows.append((name, plugin, f"{item.distribution} {item.version}", about))
    return ("name", "plugin", "provided by", "about"), rows


def _needs_params(cls: type) -> bool:
    """Whether the plugin cannot be used by its own name: it has parameters without a default."""
    fields = cls.Params.model_fields  # pyright: ignore[reportAttributeAccessIssue]
    return any(field.is_required() for field in fields.values())


def _plugin_name(spec: Spec) -> str:
    return str(getattr(spec, "corpus", None) or getattr(spec, "plugin", ""))


def _first_line(cls: type) -> str:
    return (cls.__doc__ or "").strip().partition("\n")[0].replace("``", "")


def _card(registry: Registry, kind: str, name: str) -> str:
    """The plugin's own card in one line; empty for kinds without cards.

    An error is shown instead of the card: one bad plugin must not hide the others.
    """
    from serbench.protocol.guard.pretraining import training_line

    if kind not in {"corpora", "teachers"}:
        return ""
    try:
        card = registry.make(kind, name).card  # pyright: ignore[reportAttributeAccessIssue]
    except Exception as error:
        return f"no card: {error}"
    if kind == "teachers":
        return f"{card.title}; {card.licence}; {training_line(card)}"
    size = f"{card.utterances} utterances, " if card.utterances else ""
    return f"{card.title}; {card.language}; {size}{len(card.labels)} labels; {card.licence}"


def _plain_rows(registry: Registry, table: str) -> tuple[Sequence[str], Sequence[tuple[str, ...]]]:
    """Label maps, methods, profiles, ablations and suites, which are not plugins."""
    if table == "labels":
        return ("name", "classes", "about"), [
            (name, ", ".join(dict.fromkeys(spec.map.values())), spec.summary)
            for name, spec in registry.labels.items()
        ]
    if table == "methods":
        return ("name", "student", "loss", "grids", "about"), [
            (name, spec.student, spec.loss or "–", ", ".join(spec.grids), spec.summary)
            for name, spec in registry.methods.items()
        ]
    if table == "ablations":
        return ("name", "method", "rows", "about"), [
            (name, spec.method or name, ", ".join(spec.rows), spec.summary)
            for name, spec in registry.ablations.items()
        ]
    if table == "suites":
        return ("name", "methods", "claims on", "about"), [
            (
                name,
                ", ".join(spec.methods),
                ", ".join(dict.fromkeys(claim.dataset for claim in spec.claims)),
                spec.summary,
            )
            for name, spec in registry.suites.items()
        ]
    return ("name", "about"), [(name, spec.summary) for name, spec in registry.profiles.items()]
