"""The first stage of checks: the schema of a registry file, without any plugin."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, JsonValue, PositiveInt, model_validator

from serbench.api.estimator import Estimator
from serbench.api.params import Params

JsonValues = dict[str, JsonValue]


class DatasetSpec(Params):
    """A corpus plugin with its parameters, its default folds and its default teachers."""

    corpus: str
    params: JsonValues = Field(default_factory=dict)
    folds: str = "paper"
    """Name of a fold set of the corpus's card, or ``loso``, ``kfold``, ``official``, or a
    CSV fold file.
    """
    teachers: tuple[str, ...] = ()
    """Names of the default teachers."""
    path: Path | None = None
    """Folder with a copy of the corpus on this machine."""
    aliases: tuple[str, ...] = ()
    """Other names that commands accept for the dataset. An alias belongs to one dataset only.
    Variants in case and separators, as in ``Emo-DB``, or with a hub's owner, as in ``OWNER/emodb``,
    need not be listed.
    """
    summary: str = ""


class LabelsSpec(Params):
    """A label map: it maps labels of corpora to the classes of a run. Other labels are left out."""

    summary: str = ""
    map: dict[str, str] = Field(min_length=2)
    """Class of each label; several labels may have the same class."""

    @model_validator(mode="after")
    def _has_classes(self) -> LabelsSpec:
        if len(set(self.map.values())) < 2:
            msg = "all labels map to one class; a run needs two"
            raise ValueError(msg)
        return self


class PluginSpec(Params):
    """A teacher, front end, student, loss, backend or tracker: a plugin with its parameters."""

    plugin: str
    params: JsonValues = Field(default_factory=dict)
    summary: str = ""


class RangeSpec(Params):
    """Evenly spaced values of a grid's axis, both ends included."""

    low: float
    high: float
    steps: int = Field(ge=2, le=1000)
    log: bool = False
    """Whether the logarithms are evenly spaced, instead of the values."""

    def values(self) -> list[JsonValue]:
        """The values to six significant digits; integers if both ends and all steps are
        integers.
        """
        if self.low >= self.high or (self.log and self.low <= 0):
            msg = "low must be below high, and above 0 where log = true"
            raise ValueError(msg)
        shares = [n / (self.steps - 1) for n in range(self.steps)]
        if self.log:
            plain = [self.low * (self.high / self.low) ** share for share in shares]
        else:
            plain = [self.low + (self.high - self.low) * share for share in shares]
        rounded = [float(f"{value:.6g}") for value in plain]
        if not self.log and all(value.is_integer() for value in rounded):
            return [int(value) for value in rounded]
        return list(rounded)


def _axis(given: object) -> object:
    """The values of a range; anything else is returned as it is."""
    if not isinstance(given, Mapping):
        return given
    return RangeSpec.model_validate(given).values()


Axis = Annotated[list[JsonValue], BeforeValidator(_axis)]
"""The candidates of one setting."""


class MethodSpec(Params):
    """A student with a loss, and the settings that they are trained with."""

    summary: str
    citation: str = ""
    """The publication: authors, title, venue, year."""
    student: str
    loss: str | None = None
    """Name of the loss; None: the student is an estimator, which has no loss."""
    student_params: JsonValues = Field(default_factory=dict)
    """Parameters that override the student's own."""
    loss_params: JsonValues = Field(default_factory=dict)
    """Parameters that override the loss's own."""
    front_end: str | None = None
    """The student's front end; by default the front end that the student asks for."""
    front_end_params: JsonValues = Field(default_factory=dict)
    """Parameters that override the front end's own, and those that the student asks for."""
    settings: JsonValues = Field(default_factory=dict)
    """Settings that differ from the defaults of ``serbench.settings.MethodSettings``."""
    profiles: dict[str, JsonValues] = Field(default_factory=dict)
    """This method's settings by profile, instead of those of the profile: for instance
    ``training.epochs`` for a method that needs more or fewer epochs than others. ``--set``
    overrides them.
    """
    grids: dict[str, dict[str, Axis]] = Field(default_factory=dict)
    """Named grids of an inner search. Each maps dotted paths, such as ``loss.temperature``,
    ``student.dropout``, ``front_end.n_mels`` or ``training.learning_rate``, to their candidates, or
    to a range such as ``{ low = 1e-4, high = 1e-2, steps = 5, log = true }``.
    """


def wrong_loss(student: type, name: str, loss: str | None) -> str:
    """The problem of a network without a loss, or of an estimator with one; empty: no problem."""
    if issubclass(student, Estimator):
        return f"student {name} is an estimator, which has no loss; leave it out" if loss else ""
    return "" if loss else f'student {name} is trained with a loss; name one, such as loss = "ce"'


class ProfileSpec(Params):
    """How thorough a run is: settings that override each method's."""

    summary: str
    settings: JsonValues = Field(default_factory=dict)
    """Settings that differ from the method's ``MethodSettings``."""
    protocol: JsonValues = Field(default_factory=dict)
    """Settings that differ from the defaults of ``serbench.settings.ProtocolSettings``."""


class RowSpec(Params):
    """A row of an ablation: another method as it is, the teachers' own heads, or the full method
    with a change.
    """

    label: str
    """The row's name in tables."""
    method: str | None = None
    """A method of the registry, as it is."""
    teacher: bool = False
    """Whether the row is the own head of every teacher of the run; each teacher has a row
    of its own.
    """
    student: str | None = None
    """Student that replaces the full method's; ``loss`` and ``front_end`` replace theirs likewise.
    Parameters of a replaced part are dropped.
    """
    loss: str | None = None
    front_end: str | None = None
    student_params: JsonValues = Field(default_factory=dict)
    loss_params: JsonValues = Field(default_factory=dict)
    front_end_params: JsonValues = Field(default_factory=dict)
    settings: JsonValues = Field(default_factory=dict)
    """Settings that override those of the full method, of the profile and of a run."""
    needs_teachers: PositiveInt = 1
    """Least number of teachers: with fewer in a run, the row's change has no effect, and it
    is not run.
    """
    needs_pretraining: bool = False
    """Whether the row needs unlabelled audio; without it the row is not run."""

    @property
    def varies(self) -> bool:
        """Whether the row is the full method with a change."""
        return not (self.method or self.teacher)

    @model_validator(mode="after")
    def _is_one_thing(self) -> RowSpec:
        conditions = {"needs_teachers", "needs_pretraining"}
        plugins = {"student", "loss", "front_end"}
        changes = {*plugins, *(f"{each}_params" for each in plugins), "settings"}
        changed = self.model_fields_set & changes
        conditional = self.model_fields_set & conditions
        kinds = bool(self.method) + self.teacher + bool(changed)
        if kinds != 1 or (conditional and not changed):
            msg = (
                "a row is either a method of the registry (method), the teachers' own heads "
                "(teacher = true), or a change of the full method (student, loss, front_end, "
                "their …_params, settings)"
            )
            raise ValueError(msg)
        return self


class PartSpec(Params):
    """Rows of an ablation under one title."""

    title: str
    rows: dict[str, RowSpec] = Field(default_factory=dict)


class AblationSpec(Params):
    """What each part of a method contributes: rows, each compared with the full method."""

    summary: str
    method: str | None = None
    """Name of the full method; by default it is the name of the ablation."""
    parts: dict[str, PartSpec] = Field(default_factory=dict)

    @property
    def rows(self) -> dict[str, RowSpec]:
        """Every row by its name."""
        return {name: row for part in self.parts.values() for name, row in part.rows.items()}


LEAK_LETTERS: Mapping[str, str] = {
    "R": "random folds, so that test speakers are seen in training",
    "E": "epoch chosen on the test fold",
    "S": "scaled by statistics of all data, test utterances included",
    "H": "settings chosen on the test folds",
    "B": "best of several runs",
    "V": "validation shares speakers with training, which does not harm the test",
    "?": "not known; after a letter: suspected",
}
"""Leaks in a published protocol, by letter."""


class ClaimSpec(Params):
    """A published figure, which is quoted: serbench neither measures it nor mixes it
    with measured figures.
    """

    method: str
    dataset: str
    wa: float | None = Field(default=None, ge=1.0, le=100.0)
    """Published WA in percent, as printed; UA has the same form."""
    ua: float | None = Field(default=None, ge=1.0, le=100.0)
    source: str
    """Where the figure is printed."""
    protocol: str
    """The protocol with which the figure was obtained."""
    leaks: tuple[str, ...] = ()
    """Letters of ``LEAK_LETTERS``, with ``?`` for a suspected leak, as in ``B?``; empty:
    no leak found.
    """

    @model_validator(mode="after")
    def _is_whole(self) -> ClaimSpec:
        for leak in self.leaks:
            if leak not in LEAK_LETTERS and leak.removesuffix("?") not in LEAK_LETTERS:
                msg = (
                    f"no leak has the letter {leak!r}; use {', '.join(LEAK_LETTERS)}, or a "
                    "letter followed by ? for a suspected one"
                )
                raise ValueError(msg)
        if self.wa is None and self.ua is None:
            msg = "a claim has wa, ua or both, in per cent"
            raise ValueError(msg)
        return self


class ChangesSpec(Params):
    """A suite's changes of a method on a dataset, which override the method's own entry."""

    student_params: JsonValues = Field(default_factory=dict)
    loss_params: JsonValues = Field(default_factory=dict)
    front_end_params: JsonValues = Field(default_factory=dict)
    settings: JsonValues = Field(default_factory=dict)


class SuiteDatasetSpec(Params):
    """A suite's changes on one dataset."""

    methods: dict[str, ChangesSpec] = Field(default_factory=dict)


class SuiteSpec(Params):
    """Methods that are run together, and their published figures."""

    summary: str
    methods: tuple[str, ...] = Field(min_length=1)
    """Names of the methods, in the order of the table."""
    left_out: dict[str, str] = Field(default_factory=dict)
    """Reasons by name of the methods that are run only if they are named."""
    datasets: dict[str, SuiteDatasetSpec] = Field(default_factory=dict)
    claims: tuple[ClaimSpec, ...] = ()
    notes: tuple[str, ...] = ()
    """Remarks that readers of the claims need; printed below their table."""


Spec = DatasetSpec | LabelsSpec | PluginSpec | MethodSpec | ProfileSpec | AblationSpec | SuiteSpec

SPECS: dict[str, type[Spec]] = {
    "datasets": DatasetSpec,
    "labels": LabelsSpec,
    "teachers": PluginSpec,
    "front_ends": PluginSpec,
    "students": PluginSpec,
    "losses": PluginSpec,
    "backends": PluginSpec,
    "trackers": PluginSpec,
    "methods": MethodSpec,
    "profiles": ProfileSpec,
    "ablations": AblationSpec,
    "suites": SuiteSpec,
}
"""The tables of a registry file, and the schema of their entries."""
