"""The ``inherited`` student: the first blocks of a pretrained speech encoder, pruned
in closed form.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, TypeAlias, cast

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from serbench.api import (
    Hears,
    Params,
    PluginError,
    Student,
    StudentShape,
    TeacherError,
    Windows,
)
from serbench_inherited.budget import Ranks, fit_ranks
from serbench_teachers.cards import Pretrained

if TYPE_CHECKING:
    from torch import nn

    from serbench_inherited.network import InheritedNetwork, Sizes

_LOG = logging.getLogger(__name__)

PerBlock: TypeAlias = "PositiveInt | Annotated[tuple[PositiveInt, ...], Field(min_length=1)] | None"
BUDGET_CLASSES = 8
"""Number of classes of the head that counts towards a budget. It is fixed, so that ranks do not
depend on the corpus.
"""
FEW = 100
"""Least number of windows for a good calibration."""


class InheritedParams(Params):
    """The encoder, and how much of it is kept."""

    model: str = Field(default="openai/whisper-tiny.en", min_length=1)
    """Hub id, or a local folder with config.json, preprocessor_config.json and weights."""
    layers: PositiveInt = 2
    """L: number of the encoder's first blocks that are kept."""
    budget: PositiveFloat | None = None
    """Number of parameters of the student with a head for 8 classes; it determines the ranks."""
    channels: PositiveInt | None = None
    """Channels of the first convolution. None, here and below: as many as the encoder has."""
    query: PerBlock = None
    """Dimensions of query and key per head: one number, or one number for each block."""
    value: PerBlock = None
    """Dimensions of value per head."""
    units: PerBlock = None
    """Units of the feed-forward layer."""
    calibration: PositiveInt = 300
    """Number of windows of speech to calibrate the pruning on; many voices matter more
    than many windows.
    """
    ridge: NonNegativeFloat = 1e-4
    """Ridge penalty of the least-squares refits, as a share of their inputs' mean square."""
    dropout: float = Field(default=0.3, ge=0.0, lt=1.0)
    """Dropout of the embedding, before the classifier."""
    trained_on: tuple[str, ...] | None = None
    """All corpora that the encoder was trained on, if no card lists them. If there is a card, they
    are added to its corpora.
    """

    @model_validator(mode="after")
    def _budget_or_ranks(self) -> InheritedParams:
        by_hand = (self.channels, self.query, self.value, self.units)
        if self.budget is not None and any(each is not None for each in by_hand):
            msg = "give either budget, or channels, query, value and units, not both"
            raise ValueError(msg)
        return self


class Inherited(Pretrained, Student):
    """The first blocks of a pretrained speech encoder, pruned in closed form, and a head."""

    name = "inherited"
    Params = InheritedParams
    params: InheritedParams

    def __init__(self, params: InheritedParams) -> None:
        self.params = params

    @property
    def hears(self) -> Hears:
        """The encoder's input; see ``Student``."""
        return self._sizes.hears

    @cached_property
    def _sizes(self) -> Sizes:
        from serbench_inherited.checkpoint import sizes_of

        sizes = sizes_of(self.params.model)
        if self.params.layers > sizes.depth:
            raise TeacherError(
                f"{self.params.model} has {sizes.depth} blocks, but student.layers is "
                f"{self.params.layers}"
            )
        return sizes

    @cached_property
    def ranks(self) -> Ranks:
        """Sizes of the parts of the encoder that are kept.

        Raises:
            PluginError: the budget is too small, or the encoder does not have such ranks.
            TeacherError: its config is not available.
        """
        full = self._sizes.full(self.params.layers)
        if self.params.budget is not None:
            return fit_ranks(self.params.budget, full, self._count)
        return _by_hand(self.params, full)

    def _count(self, ranks: Ranks) -> int:
        """Number of parameters of a student with these ranks; no student is made."""
        import torch

        with torch.device("meta"):
            network = self._network(ranks, BUDGET_CLASSES)
        return sum(parameter.numel() for parameter in network.parameters())

    def _network(self, ranks: Ranks, num_classes: int) -> InheritedNetwork:
        from serbench_inherited.network import InheritedNetwork

        encoder = self._sizes.build(ranks)
        return InheritedNetwork(encoder, self._sizes.width, num_classes, self.params.dropout)

    def build(self, shape: StudentShape) -> nn.Module:
        """A new network for ``shape``, with random weights; see ``Student``.

        Raises:
            PluginError: ``shape`` is not the encoder's input.
            TeacherError: the encoder's config is not available.
        """
        if (shape.channels, shape.n_mels) != (1, self._sizes.bins):
            raise PluginError(
                f"{self.params.model} needs one channel of {self._sizes.bins} bins, but the front "
                f"end gives {shape.channels} of {shape.n_mels}; keep the default front_end, "
                "front_end.n_mels, front_end.hop_s and front_end.deltas"
            )
        return self._network(self.ranks, shape.num_classes)

    def inherit(self, network: nn.Module, speech: Iterable[Windows]) -> None:
        """Prune the encoder into ``network``, on the CPU; see ``Student``."""
        from serbench_inherited.calibrate import prune
        from serbench_inherited.checkpoint import load_whole

        encoder = cast("InheritedNetwork", network).encoder
        pruned = copy.deepcopy(encoder).cpu().float()
        whole = load_whole(self._checkpoint, self._sizes, self.params.layers)
        prune(whole, pruned, self._windows(speech), self.params.ridge)
        encoder.load_state_dict(pruned.state_dict())

    def _windows(self, speech: Iterable[Windows]) -> Iterator[Windows]:
        """The first windows of ``speech``, as many as the settings ask for.

        Raises:
            TeacherError: ``speech`` has no windows.
        """
        count = 0
        for features, lengths in speech:
            left = self.params.calibration - count
            yield features[:left].cpu().float(), lengths[:left].cpu()
            count += len(lengths[:left])
            if count >= self.params.calibration:
                return
        if count == 0:
            raise TeacherError(
                "pruning an encoder needs speech to calibrate on, but no speech was given"
            )
        if count < FEW:
            _LOG.warning(
                "%s was pruned on %d windows only; more speech of other voices gives a better "
                "student",
                self.params.model,
                count,
            )


def _by_hand(params: InheritedParams, full: Ranks) -> Ranks:
    channels = full.channels if params.channels is None else params.channels
    if full.channels == 0 and channels != 0:
        raise PluginError(
            f"the convolutions of {params.model} cannot be pruned: leave student.channels out"
        )
    if channels > full.channels:
        raise PluginError(f"student.channels is {channels}, but {params.model} has {full.channels}")
    return Ranks(
        channels,
        *(
            _per_block(name, getattr(params, name), getattr(full, name), params.model)
            for name in ("query", "value", "units")
        ),
    )


def _per_block(
    name: str, given: int | tuple[int, ...] | None, full: tuple[int, ...], model: str
) -> tuple[int, ...]:
    if given is None:
        return full
    sizes = given if isinstance(given, tuple) else (given,) * len(full)
    if len(sizes) != len(full):
        raise PluginError(
            f"student.{name} has {len(sizes)} numbers for {len(full)} blocks; give one number, or "
            "one for each block"
        )
    if any(size > most for size, most in zip(sizes, full, strict=True)):
        raise PluginError(f"student.{name} is {given}, but {model} has {full[0]}")
    return sizes
