"""The loss ``placeholder``: its name, its parameters, and how it is built."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import NonNegativeFloat
from serbench.api import Loss, LossShape, Params

if TYPE_CHECKING:
    from torch import nn


class PlaceholderParams(Params):
    """Parameters for ``--set loss.NAME=VALUE``."""

    weight: NonNegativeFloat = 0.1
    """Weight of the entropy of the student's posterior."""


class Placeholder(Loss):
    """Cross-entropy minus a share of the entropy, so that the student is not overconfident.

    This is the confidence penalty of Pereyra et al. (ICLR 2017 workshops). A loss that uses
    teachers also has ``needs``, such as ``frozenset({"soft_targets"})``.
    """

    name = "placeholder"
    Params = PlaceholderParams
    params: PlaceholderParams

    def build(self, shape: LossShape) -> nn.Module:
        """A module that computes the terms from a batch and the student's output.

        Args:
            shape: sizes, for a loss with learnt parameters; this one has none.
        """
        from serbench_placeholder.terms import Terms

        return Terms(self.params.weight)
