"""The loss ``ce``: labels only, no teacher."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import BaseModel, Field

from serbench.api import Loss, LossShape, Params

if TYPE_CHECKING:
    from torch import nn


class CrossEntropyParams(Params):
    """Settings of ``ce``."""

    label_smoothing: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of the target that is spread evenly over the classes (Szegedy et al., CVPR 2016)."""
    class_weights: Literal["none", "balanced"] = "none"
    """``balanced``: each utterance has the inverse frequency of its class in the training partition
    as its weight, so that all classes have the same weight."""
    focal: float = Field(default=0.0, ge=0.0)
    """γ of the focal loss (Lin et al., ICCV 2017, equation 4): the higher the posterior of the
    right class, the less an utterance counts. 0: off.
    """


class CrossEntropy(Loss):
    """Cross-entropy with the labels."""

    name = "ce"
    Params: ClassVar[type[BaseModel]] = CrossEntropyParams
    params: CrossEntropyParams

    def build(self, shape: LossShape) -> nn.Module:
        """The loss; it has no parameters of its own.

        Raises:
            PluginError: there are class weights, but no utterance has a label.
        """
        from serbench_baselines.losses.ce import CrossEntropyLoss, balanced_weights

        balanced = self.params.class_weights == "balanced"
        return CrossEntropyLoss(self.params, balanced_weights(shape) if balanced else None)
