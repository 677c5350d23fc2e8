"""The registry: names of datasets, teachers, students, losses, backends, methods and profiles."""

from serbench.registry.load import load_registry
from serbench.registry.lookup import Registry, default_folds, entries
from serbench.registry.schema import (
    SPECS,
    DatasetSpec,
    MethodSpec,
    PluginSpec,
    ProfileSpec,
    Spec,
)
from serbench.registry.toml_text import dump_toml, read_toml
from serbench.registry.validate import lay_over, validate

__all__ = [
    "SPECS",
    "DatasetSpec",
    "MethodSpec",
    "PluginSpec",
    "ProfileSpec",
    "Registry",
    "Spec",
    "default_folds",
    "dump_toml",
    "entries",
    "lay_over",
    "load_registry",
    "read_toml",
    "validate",
]
