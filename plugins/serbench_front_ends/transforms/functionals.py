"""The front end ``functionals`` as a module; see ``serbench_front_ends.functionals``."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from serbench.api import SAMPLE_RATE_HZ
from serbench_front_ends.transforms.rows import EachUtterance
from serbench_teachers.functionals import Functionals, FunctionalsParams

if TYPE_CHECKING:
    from serbench_front_ends.functionals import OpenSmileSet

SHORTEST = 960
"""Least number of samples for openSMILE: the 60 ms of its longest window. Zeros are added to
shorter audio.
"""


def own_statistics() -> EachUtterance:
    """A module from waveforms ``(*N, samples)`` to ``(*N, 1, 287)``."""
    teacher = Functionals(FunctionalsParams())
    teacher.load(torch.device("cpu"))
    return EachUtterance(lambda waveform: teacher.embed([waveform])[0].pooled[0])


def opensmile_statistics(chosen: OpenSmileSet, opensmile: ModuleType) -> EachUtterance:
    """A module from waveforms ``(*N, samples)`` to ``(*N, 1, d)``."""
    smile = opensmile.Smile(
        feature_set=opensmile.FeatureSet[chosen.name],
        feature_level=opensmile.FeatureLevel.Functionals,
    )

    def row(waveform: Tensor) -> Tensor:
        return torch.from_numpy(smile(waveform.numpy(), SAMPLE_RATE_HZ)).flatten()

    return EachUtterance(row, SHORTEST)
