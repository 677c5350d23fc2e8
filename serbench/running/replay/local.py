"""Corpora and teachers of a stored plan, as this machine has them.

A run folder may come from someone else. Its plan names the corpus and the teachers, and their
numbers and choices. Only the local registry determines where files are and how they are read.
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from pydantic import BaseModel, ValidationError

from serbench.api import Corpus, StoreError, Teacher
from serbench.api.json_text import first_problem
from serbench.api.params import Plugin
from serbench.running.plugins import Plugins
from serbench.running.registry.lookup import Registry

Json = Mapping[str, Any]

_CLOSED = frozenset({bool, int, float, types.NoneType})


def local_corpus(registry: Registry, plugins: Plugins, entry: Json) -> Corpus:
    """A corpus of a stored plan.

    Raises:
        StoreError: the local registry does not have it, or it does not accept the run's numbers.
        PluginError: its plugin is not installed.
    """
    name = str(entry["name"])
    spec = registry.datasets.get(name)
    plugin = spec.corpus if spec else str(entry["corpus"])
    base = spec.params if spec else None
    return cast("Corpus", _made(plugins, "corpora", plugin, name, base, entry["params"]))


def local_teacher(registry: Registry, plugins: Plugins, name: str, entry: Json) -> Teacher:
    """A teacher of a stored plan; ``NAME@LAYER`` is the registry's ``NAME``.

    Raises:
        StoreError, PluginError: as ``local_corpus``.
    """
    spec = registry.teachers.get(name) or registry.teachers.get(name.rpartition("@")[0])
    plugin = spec.plugin if spec else str(entry["plugin"])
    base = spec.params if spec else None
    return cast("Teacher", _made(plugins, "teachers", plugin, name, base, entry["params"]))


def _made(
    plugins: Plugins, kind: str, plugin: str, name: str, base: Json | None, stored: Json
) -> Plugin:
    cls = cast("type[Plugin]", plugins.get(kind, plugin))
    try:
        own = cls.Params.model_validate(base or {})
        plain = own.model_dump(mode="json")
        changed = {key: value for key, value in stored.items() if plain.get(key) != value}
        given = {key: value for key, value in changed.items() if _is_closed(cls.Params, key)}
        if base is None and (foreign := sorted(changed.keys() - given.keys())):
            raise _unknown(kind, plugin, name, foreign)
        return cls(cls.Params.model_validate({**plain, **given}))
    except ValidationError as error:
        if base is None:
            raise _unknown(kind, plugin, name, ()) from None
        raise StoreError(
            f"plan.json: {name} of the local registry does not accept {first_problem(error)}"
        ) from error


def _unknown(kind: str, plugin: str, name: str, foreign: Sequence[str]) -> StoreError:
    table, key = ("datasets", "corpus") if kind == "corpora" else ("teachers", "plugin")
    what = "corpus" if kind == "corpora" else "teacher"
    named = f" ({', '.join(foreign)})" if foreign else ""
    return StoreError(
        f"the local registry has no {what} {name}. Files and addresses in the run folder{named} "
        "are not used, because it may come from a stranger. If you trust it, describe the "
        f'{what} as [{table}.{name}] with {key} = "{plugin}" in serbench.toml, or name a '
        "registry file with --registry"
    )


def _is_closed(model: type[BaseModel], key: str) -> bool:
    """Whether a parameter accepts only numbers and named choices, so that it cannot be a path
    or an address.
    """
    field = model.model_fields.get(key)
    return field is not None and _closed(field.annotation)


def _closed(annotation: object) -> bool:
    origin = get_origin(annotation)
    if origin is None:
        return annotation in _CLOSED
    if origin is Literal:
        return True
    arguments = get_args(annotation)
    if origin is Annotated:
        return _closed(arguments[0])
    if origin in {Union, types.UnionType, tuple, list}:
        return all(_closed(each) for each in arguments if each is not Ellipsis)
    return False
