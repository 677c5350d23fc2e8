"""The loss ``placeholder``: its name, its parameters, and how it is built."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import NonNegativeFloat
from serbench.api import Loss, LossShape, Params

if TYPE_CHECKING:
    from torch import nn


class PlaceholderParams(Params):
    """What ``--set loss.NAME=VALUE`` changes."""

    weight: NonNegativeFloat = 0.1
    """Of the entropy of the student's posterior."""


class Placeholder(Loss):
    """Cross-entropy, less a share of the entropy, so that the student is not too sure.

    It is the confidence penalty of Pereyra et al. (ICLR 2017 workshops). A loss that reads
    teachers also has ``needs``, such as ``frozenset({"soft_targets"})``.
    """

    name = "placeholder"
    Params = PlaceholderParams
    params: PlaceholderParams

    def build(self, shape: LossShape) -> nn.Module:
        """A module from a batch and the student's output to terms.

        Args:
            shape: sizes, for a loss that has learnt parameters of its own; this one has none.
        """
        from serbench_placeholder.terms import Terms

        return Terms(self.params.weight)
