"""The student ``placeholder``: its name, its parameters, and how it is built."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import PositiveInt
from serbench.api import Hears, Params, Student, StudentShape

if TYPE_CHECKING:
    from torch import nn


class PlaceholderParams(Params):
    """Parameters for ``--set student.NAME=VALUE``."""

    width: PositiveInt = 32
    """Channels of the convolutions."""


class Placeholder(Student):
    """Two convolutions over time, and the mean of their output."""

    name = "placeholder"
    Params = PlaceholderParams
    params: PlaceholderParams

    @property
    def hears(self) -> Hears:
        """Its front end, and the front end's parameters."""
        return Hears("log-mel")

    def build(self, shape: StudentShape) -> nn.Module:
        """Build a new network.

        Args:
            shape: shape of its input and output; ``channels`` and ``n_mels`` are the front end's.
        """
        from serbench_placeholder.network import Network

        return Network(shape, self.params.width)
