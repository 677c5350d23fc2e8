"""Teacher plugins: frozen encoders that compute embeddings of waveforms, without labels."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from serbench.api.params import Plugin

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class TeacherCard:
    """Facts that a teacher declares about itself.

    Attributes:
        pretrained_on: corpora that it was pretrained on, with or without labels; None: undeclared,
            which never counts as clean; ``()``: none.
        fine_tuned_on: corpora that it was trained on after pretraining.
        undisclosed: a part of its training data is not public.
        hint: where an undeclared teacher may come from; not a declaration.
    """

    title: str
    licence: str
    home: str
    citation: str
    pretrained_on: tuple[str, ...] | None = None
    fine_tuned_on: tuple[str, ...] = ()
    undisclosed: bool = False
    hint: str = ""


@dataclass(frozen=True, slots=True)
class TeacherFeatures:
    """A teacher's embeddings of one utterance, real frames only.

    Examples:
        >>> import torch
        >>> frames = torch.zeros(1, 50, 768)  # one layer, 1 s at 50 frames a second
        >>> pooled = torch.cat([frames.mean(dim=1), frames.std(dim=1)], dim=1)
        >>> TeacherFeatures(pooled, frames).pooled.shape
        torch.Size([1, 1536])

    Attributes:
        pooled: ``(L, P)`` float32, statistics over time of each of L layers (mean, then std).
        frames: ``(L, F, D)``, the frames of the same layers, float16 or float32.
    """

    pooled: Tensor
    frames: Tensor


class Teacher(Plugin, Protocol):
    """A teacher plugin. Its only input is batches of waveforms; it is never trained.

    Everything that uses labels (head, layer weights, temperature) belongs to the core and is fitted
    within a training partition.
    """

    @property
    @abstractmethod
    def card(self) -> TeacherCard:
        """The teacher's facts about itself; reading them must not need its weights."""
        ...

    @property
    @abstractmethod
    def frame_rate_hz(self) -> float:
        """Frames per second of ``TeacherFeatures.frames``. Known after ``load``."""
        ...

    @property
    @abstractmethod
    def model_digest(self) -> str:
        """Digest of the weights, so that cached embeddings are never mixed up.

        Raises:
            TeacherError: the weights are not available; the message says how to get them.
        """
        ...

    @abstractmethod
    def load(self, device: torch.device) -> None:
        """Load the weights, frozen, in evaluation mode.

        Raises:
            TeacherError: the weights are not available or do not fit.
        """
        ...

    @abstractmethod
    def embed(self, waveforms: Sequence[Tensor]) -> Sequence[TeacherFeatures]:
        """Embed waveforms, each ``(samples,)`` float32 at 16 kHz, in their order.

        The core calls it with utterances of similar length, and caches the result.
        """
        ...
