"""A method's front end: its name, its parameters, and whether they fit."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from serbench.api import FrontEnd, Hears, Need, RegistryError, Student
from serbench.errors import did_you_mean
from serbench.learning.segments import hears_whole
from serbench.running.plan.sets import Keys, below
from serbench.running.registry.lookup import Registry
from serbench.running.registry.schema import MethodSpec
from serbench.running.registry.validate import Values, lay_over
from serbench.settings import AugmentSettings

Sets = Sequence[tuple[Keys, object]]


def front_end_name(spec: MethodSpec, hears: Hears) -> str:
    """Name of a method's front end; by default the front end that its student asks for."""
    return spec.front_end or hears.front_end


def make_front_end(
    registry: Registry,
    name: str,
    spec: MethodSpec,
    student: Student,
    shared: Sets,
    own: Sets,
    grid: Mapping[str, object],
) -> FrontEnd:
    """A method's front end.

    Its parameters come from these sources, each overriding those before: the registry, the
    student's wishes, the method's own entry, ``--set`` for all methods, ``--set`` for this method,
    and the grid.

    Args:
        registry: the registry with the front end.
        name: name of the method.
        spec: entry of the method.
        student: student of the method.
        shared: ``--set front_end.X`` and others, for all methods.
        own: the same settings for this method, by paths below it.
        grid: a point of the grid, by paths.

    Raises:
        RegistryError: no such front end, or an unknown parameter.
        TeacherError: the front end that the student asks for depends on weights that
            are not available.
    """
    hears = student.hears
    chosen = front_end_name(spec, hears)
    plugin = registry.plugin_spec("front_ends", chosen).plugin
    fields = registry.plugins.get("front_ends", plugin).Params.model_fields  # pyright: ignore[reportAttributeAccessIssue]
    asked = below(own, "front_end")
    for field in asked:
        if field not in fields:
            raise RegistryError(
                f"--set methods.{name}.front_end.{field}: front end {chosen} has no such parameter"
                f"{did_you_mean(field, fields)}"
            )
    values: Values = dict(hears.params) if chosen == hears.front_end else {}
    fitting = {k: v for k, v in below(shared, "front_end").items() if k in fields}
    points = below([(tuple(path.split(".")), value) for path, value in grid.items()], "front_end")
    for layer in (spec.front_end_params, fitting, asked, points):
        values = lay_over(values, layer)
    return registry.make("front_ends", chosen, values)


def check_front_end(front_end: FrontEnd, augment: AugmentSettings, needs: Collection[Need]) -> None:
    """
    Raises:
        RegistryError: the front end's frames do not support the augmentation or the loss.
    """
    name, wrong = front_end.name, []
    if augment.gain_db and front_end.gain is None:
        wrong.append(
            f"augment.gain_db = {augment.gain_db:g}: the effect of a gain on the values of "
            f"front end {name} is unknown; set augment.gain_db = 0"
        )
    if augment.mel_masks and augment.mel_mask_bins and not front_end.bands:
        wrong.append(
            f"augment.mel_masks = {augment.mel_masks}: front end {name} has no mel filters or "
            "other frequency bands to mask; set augment.mel_masks = 0"
        )
    if augment.time_masks and front_end.framing is None:
        wrong.append(
            f"augment.time_masks = {augment.time_masks}: front end {name} gives one row per "
            "utterance, which has no time to mask; set augment.time_masks = 0"
        )
    if augment.crops and hears_whole(front_end.framing):
        wrong.append(
            f"augment.crops = {augment.crops}: front end {name} gives one row per utterance; "
            "set augment.crops = 0"
        )
    if "frames" in needs and hears_whole(front_end.framing):
        wrong.append(
            f"front end {name} gives one row per utterance, but the loss uses a teacher's "
            "frames of each window; use another loss, such as ce or kd"
        )
    if wrong:
        raise RegistryError("\n".join(wrong))
