"""The first stage: the shape of a registry, before any plugin is asked."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, JsonValue

from serbench.api.params import Params

Table = dict[str, JsonValue]


class DatasetSpec(Params):
    """A corpus plugin with its parameters, the folds to use and the teachers that suit it."""

    corpus: str
    params: Table = Field(default_factory=dict)
    folds: str = "paper"
    """A fold set of the corpus's card, ``loso``, ``kfold``, or a CSV fold file."""
    teachers: tuple[str, ...] = ()
    """Used where a run names no teacher."""
    path: Path | None = None
    """A copy on this machine."""
    summary: str = ""


class PluginSpec(Params):
    """A teacher, student, loss or backend: a plugin with its parameters."""

    plugin: str
    params: Table = Field(default_factory=dict)
    summary: str = ""


class MethodSpec(Params):
    """A student with a loss, and the settings that they are trained with."""

    summary: str
    student: str
    loss: str
    student_params: Table = Field(default_factory=dict)
    """Laid over the student's own."""
    loss_params: Table = Field(default_factory=dict)
    """Laid over the loss's own."""
    settings: Table = Field(default_factory=dict)
    """What differs from the defaults of ``serbench.settings.MethodSettings``."""
    grids: dict[str, dict[str, list[JsonValue]]] = Field(default_factory=dict)
    """Named grids of an inner search: dotted paths such as ``loss.temperature``,
    ``student.dropout`` or ``training.learning_rate`` to their candidates."""


class ProfileSpec(Params):
    """How thoroughly a run is done: laid over each method's settings."""

    summary: str
    settings: Table = Field(default_factory=dict)
    """What differs from the method's ``MethodSettings``."""
    protocol: Table = Field(default_factory=dict)
    """What differs from the defaults of ``serbench.settings.ProtocolSettings``."""


Spec = DatasetSpec | PluginSpec | MethodSpec | ProfileSpec

SPECS: dict[str, type[Spec]] = {
    "datasets": DatasetSpec,
    "teachers": PluginSpec,
    "students": PluginSpec,
    "losses": PluginSpec,
    "backends": PluginSpec,
    "methods": MethodSpec,
    "profiles": ProfileSpec,
}
"""The tables of a registry file, and the shape of the entries of each."""
