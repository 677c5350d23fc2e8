"""The registry: names of datasets, label maps, teachers, students, losses, backends, trackers,
methods, profiles and ablations.
"""

from serbench.registry.ablations import Change, replaced_parts, row_changes, row_method
from serbench.registry.checks import NO_TRACKER, SHARED_LABELS
from serbench.registry.load import load_registry
from serbench.registry.lookup import Registry, default_folds, entries
from serbench.registry.schema import (
    SPECS,
    AblationSpec,
    DatasetSpec,
    LabelsSpec,
    MethodSpec,
    PluginSpec,
    ProfileSpec,
    RowSpec,
    Spec,
)
from serbench.registry.toml_text import dump_toml, read_toml
from serbench.registry.validate import lay_over, validate

__all__ = [
    "NO_TRACKER",
    "SHARED_LABELS",
    "SPECS",
    "AblationSpec",
    "Change",
    "DatasetSpec",
    "LabelsSpec",
    "MethodSpec",
    "PluginSpec",
    "ProfileSpec",
    "Registry",
    "RowSpec",
    "Spec",
    "default_folds",
    "dump_toml",
    "entries",
    "lay_over",
    "load_registry",
    "read_toml",
    "replaced_parts",
    "row_changes",
    "row_method",
    "validate",
]
