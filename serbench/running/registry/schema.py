"""The first stage: the shape of a registry, before any plugin is asked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, JsonValue, PositiveInt, model_validator

from serbench.api.estimator import Estimator
from serbench.api.params import Params

JsonValues = dict[str, JsonValue]


class DatasetSpec(Params):
    """A corpus plugin with its parameters, the folds to use and the teachers that suit it."""

    corpus: str
    params: JsonValues = Field(default_factory=dict)
    folds: str = "paper"
    """A fold set of the corpus's card, ``loso``, ``kfold``, ``official``, or a CSV fold file."""
    teachers: tuple[str, ...] = ()
    """Used where a run names no teacher."""
    path: Path | None = None
    """A copy on this machine."""
    aliases: tuple[str, ...] = ()
    """Other names that commands take for it, each of one dataset only. Case and separators, as in
    ``Emo-DB``, and a hub's owner, as in ``OWNER/emodb``, need none."""
    summary: str = ""


class LabelsSpec(Params):
    """A label map: labels of corpora to the classes of a run. Any other label is left out."""

    summary: str = ""
    map: dict[str, str] = Field(min_length=2)
    """Labels to classes; several labels may be of one class."""

    @model_validator(mode="after")
    def _has_classes(self) -> LabelsSpec:
        if len(set(self.map.values())) < 2:
            msg = "all labels are of one class; a run needs two"
            raise ValueError(msg)
        return self


class PluginSpec(Params):
    """A teacher, front end, student, loss, backend or tracker: a plugin with its parameters."""

    plugin: str
    params: JsonValues = Field(default_factory=dict)
    summary: str = ""


class MethodSpec(Params):
    """A student with a loss, and the settings that they are trained with."""

    summary: str
    student: str
    loss: str | None = None
    """None: the student is an estimator, which has no loss."""
    student_params: JsonValues = Field(default_factory=dict)
    """Laid over the student's own."""
    loss_params: JsonValues = Field(default_factory=dict)
    """Laid over the loss's own."""
    front_end: str | None = None
    """What the student hears through; by default what it asks for."""
    front_end_params: JsonValues = Field(default_factory=dict)
    """Laid over the front end's own, and over what the student asks for."""
    settings: JsonValues = Field(default_factory=dict)
    """What differs from the defaults of ``serbench.settings.MethodSettings``."""
    profiles: dict[str, JsonValues] = Field(default_factory=dict)
    """By profile, what this method has in place of the profile's settings: ``training.epochs`` of a
    method that needs more or fewer than the others. ``--set`` goes over it."""
    grids: dict[str, dict[str, list[JsonValue]]] = Field(default_factory=dict)
    """Named grids of an inner search: dotted paths such as ``loss.temperature``,
    ``student.dropout``, ``front_end.n_mels`` or ``training.learning_rate`` to their
    candidates."""


def wrong_loss(student: type, name: str, loss: str | None) -> str:
    """What is wrong where a network has no loss, or an estimator has one; empty: nothing."""
    if issubclass(student, Estimator):
        return f"student {name} is an estimator, which has no loss; leave it out" if loss else ""
    return "" if loss else f'student {name} is trained by a loss; name one, such as loss = "ce"'


class ProfileSpec(Params):
    """How thoroughly a run is done: laid over each method's settings."""

    summary: str
    settings: JsonValues = Field(default_factory=dict)
    """What differs from the method's ``MethodSettings``."""
    protocol: JsonValues = Field(default_factory=dict)
    """What differs from the defaults of ``serbench.settings.ProtocolSettings``."""


class RowSpec(Params):
    """A row of an ablation: another method as it is, the teachers' own heads, or the full method
    with something changed.
    """

    label: str
    """What the row is called in tables."""
    method: str | None = None
    """A method of the registry, as it is."""
    teacher: bool = False
    """The own head of every teacher of the run: a row for each."""
    student: str | None = None
    """In place of the full method's; so are all below. Parameters of another one are dropped."""
    loss: str | None = None
    front_end: str | None = None
    student_params: JsonValues = Field(default_factory=dict)
    loss_params: JsonValues = Field(default_factory=dict)
    front_end_params: JsonValues = Field(default_factory=dict)
    settings: JsonValues = Field(default_factory=dict)
    """Laid over the full method's, the profile's and those of a run."""
    needs_teachers: PositiveInt = 1
    """With fewer teachers in a run, what the row changes has no effect, and it is not run."""
    needs_pretraining: bool = False
    """Likewise in a run without unlabelled audio."""

    @property
    def varies(self) -> bool:
        """Whether it is the full method with something changed."""
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
                "(teacher = true), or what it changes of the full method (student, loss, "
                "front_end, their …_params, settings)"
            )
            raise ValueError(msg)
        return self


class PartSpec(Params):
    """Rows of an ablation that stand together under a title."""

    title: str
    rows: dict[str, RowSpec] = Field(default_factory=dict)


class AblationSpec(Params):
    """What the parts of a method are worth: rows, each held against the full method."""

    summary: str
    method: str | None = None
    """The full method; by default the one that the ablation is named after."""
    parts: dict[str, PartSpec] = Field(default_factory=dict)

    @property
    def rows(self) -> dict[str, RowSpec]:
        """Every row by its name."""
        return {name: row for part in self.parts.values() for name, row in part.rows.items()}


LEAK_LETTERS: Mapping[str, str] = {
    "R": "random folds, so that test speakers are heard in training",
    "E": "epoch chosen on the test fold",
    "S": "scaled by statistics of all data, test utterances included",
    "H": "settings chosen on the test folds",
    "B": "best of several runs",
    "V": "validation shares speakers with training, which does not harm the test",
    "?": "not known; after a letter: suspected",
}
"""What leaks in a published protocol, by letter."""


class ClaimSpec(Params):
    """A figure in print, quoted: never measured, and never mixed with what is."""

    method: str
    dataset: str
    wa: float | None = Field(default=None, ge=1.0, le=100.0)
    """In per cent, as printed; so is UA."""
    ua: float | None = Field(default=None, ge=1.0, le=100.0)
    source: str
    """Where it is printed."""
    protocol: str
    """How it came about."""
    leaks: tuple[str, ...] = ()
    """Letters of ``LEAK_LETTERS``, ``B?`` for a suspected one; none: none were seen."""

    @model_validator(mode="after")
    def _is_whole(self) -> ClaimSpec:
        for leak in self.leaks:
            if leak not in LEAK_LETTERS and leak.removesuffix("?") not in LEAK_LETTERS:
                msg = (
                    f"there is no leak {leak!r}; write {', '.join(LEAK_LETTERS)}, or a letter "
                    "with ? after it for a suspected one"
                )
                raise ValueError(msg)
        if self.wa is None and self.ua is None:
            msg = "a claim has wa, ua or both, in per cent"
            raise ValueError(msg)
        return self


class ChangesSpec(Params):
    """What a suite changes of a method on a dataset: laid over the method's own entry."""

    student_params: JsonValues = Field(default_factory=dict)
    loss_params: JsonValues = Field(default_factory=dict)
    front_end_params: JsonValues = Field(default_factory=dict)
    settings: JsonValues = Field(default_factory=dict)


class SuiteDatasetSpec(Params):
    """What a suite does differently on one dataset."""

    methods: dict[str, ChangesSpec] = Field(default_factory=dict)


class SuiteSpec(Params):
    """Methods that are run together, and what was published of them."""

    summary: str
    methods: tuple[str, ...] = Field(min_length=1)
    """In the order of the table."""
    left_out: dict[str, str] = Field(default_factory=dict)
    """Those of them that are run only where they are named, and why."""
    datasets: dict[str, SuiteDatasetSpec] = Field(default_factory=dict)
    claims: tuple[ClaimSpec, ...] = ()
    notes: tuple[str, ...] = ()
    """What a reader of the claims must know; stands under their table."""


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
"""The tables of a registry file, and the shape of the entries of each."""
