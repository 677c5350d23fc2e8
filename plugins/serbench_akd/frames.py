"""The loss plugin ``frames``: it uses only a teacher's frames, for pretraining on
unlabelled audio.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import BaseModel, NonNegativeFloat, PositiveFloat

from serbench.api import Loss, LossShape, Need, Params, PluginError

if TYPE_CHECKING:
    from torch import nn


class FramesParams(Params):
    """The student's levels that are guided, and the targets in addition to the frames."""

    levels: Literal["all", "last"] = "last"
    """Levels that are guided: ``last``, or ``all``, each with a projection and a target
    of its own.
    """
    groups: Literal["groups", "all"] = "groups"
    """Assignment of teachers to levels. ``groups``: teachers are assigned to levels in order, so
    that two layers of an encoder guide two levels. ``all``: each teacher guides every level.
    """
    lower: PositiveFloat = 1.0
    """Weight of levels below the last."""
    statistics: NonNegativeFloat = 0.0
    """Weight of the mean and deviation over the window's frames. For each dimension, they are
    compared by squared differences, in units of the deviation of the teacher's frames.
    """


class Frames(Loss):
    """Hints from a teacher's frames alone (Khan et al. 2026, Eq. 11; Romero et al., ICLR 2015)."""

    name = "frames"
    Params: ClassVar[type[BaseModel]] = FramesParams
    params: FramesParams

    @property
    def needs(self) -> frozenset[Need]:
        """The only output of teachers that the loss uses: ``frames``."""
        return frozenset({"frames"})

    def build(self, shape: LossShape) -> nn.Module:
        """The loss with its own learnt projections.

        Raises:
            PluginError: there is no teacher, or the student has no maps.
        """
        from serbench_akd.losses.frames import FramesLoss

        if not shape.frame_dims:
            raise PluginError("loss 'frames' needs a teacher, but the run has none: give one")
        if not shape.map_dims:
            raise PluginError(
                "loss 'frames' guides intermediate maps, but the student gives none: use another "
                "student, or set pretrain.objective to none"
            )
        return FramesLoss(self.params, shape)
