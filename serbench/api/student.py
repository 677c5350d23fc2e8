"""What a student plugin is: a builder of networks from windows of frames to logits."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeAlias

from serbench.api.front_end import Hears
from serbench.api.params import Plugin
from serbench.api.teacher import TeacherCard

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class StudentShape:
    """What the student's input and output look like.

    Attributes:
        channels: 3, values, Δ and ΔΔ; 1 of a front end without deltas.
        n_mels: values of a frame: mel filters, coefficients, samples.
        num_classes: C.
        rows: whether a whole utterance is always one frame.
    """

    num_classes: int
    channels: int = 3
    n_mels: int = 40
    rows: bool = False


def _no_map() -> Tensor:
    import torch

    return torch.zeros(0, 0, 0, 0)


def _no_mask() -> Tensor:
    import torch

    return torch.zeros(0, 0, dtype=torch.bool)


@dataclass(frozen=True, slots=True)
class StudentOutput:
    """What a student gives for a batch of N windows.

    Logits and embedding are all that a student need give. Some losses read maps too, and refuse
    a student that gives none before any training.

    Examples:
        >>> import torch
        >>> output = StudentOutput(logits=torch.zeros(2, 4), embedding=torch.zeros(2, 16))
        >>> len(output.maps), tuple(output.last_map.shape)
        (0, (0, 0, 0, 0))

    Attributes:
        logits: ``(N, C)``.
        embedding: ``(N, E)``, pooled, before the classifier.
        maps: intermediate maps v_l, each ``(N, c_l, h_l, w_l)``: channels, frequency bins, frames.
        masks: for each map ``(N, w_l)`` bool, True on real frames.
        last_map: b, ``(N, c, h, w)``; empty, ``(0, 0, 0, 0)``, where there is none.
        last_mask: ``(N, w)`` bool, True on real frames; empty likewise, ``(0, 0)``.
    """

    logits: Tensor
    embedding: Tensor
    maps: tuple[Tensor, ...] = ()
    masks: tuple[Tensor, ...] = ()
    last_map: Tensor = field(default_factory=_no_map)
    last_mask: Tensor = field(default_factory=_no_mask)


Windows: TypeAlias = "tuple[Tensor, Tensor]"
"""``features (N, channels, n_mels, frames)`` and ``lengths (N,)``, as a student's network reads."""


class Student(Plugin, Protocol):
    """A student plugin.

    A network may have two parts that the training loop knows by name: ``classify``, the
    ``nn.Linear`` that makes logits of the embedding in evaluation mode, which a linear probe sets;
    and ``embed``, an ``nn.BatchNorm1d`` without learnt gain whose output is the embedding.

    Examples:
        >>> import torch
        >>> from serbench.api import Params, Student, StudentOutput, StudentShape
        >>> class Network(torch.nn.Module):
        ...     def __init__(self, shape):
        ...         super().__init__()
        ...         width = shape.channels * shape.n_mels
        ...         self.classify = torch.nn.Linear(width, shape.num_classes)
        ...
        ...     def forward(self, features, lengths):
        ...         frames = torch.arange(features.shape[3]) < lengths[:, None]  # (N, frames)
        ...         real = frames[:, None, None].to(features.dtype)
        ...         mean = (features * real).sum(dim=3) / lengths[:, None, None]
        ...         embedding = mean.flatten(1)  # (N, channels * n_mels)
        ...         return StudentOutput(self.classify(embedding), embedding)
        >>> class Mean(Student):
        ...     name = "mean"
        ...     Params = Params
        ...
        ...     def build(self, shape):
        ...         return Network(shape)
        >>> network = Mean(Params()).build(StudentShape(num_classes=4))
        >>> network(torch.zeros(2, 3, 40, 100), torch.tensor([60, 100])).logits.shape
        torch.Size([2, 4])

    Attributes:
        reconstruction: whether it is built after a description without details or code, so that
            its figures say little about the published method; tables say so. May be left out.
    """

    reconstruction: ClassVar[bool] = False

    @property
    def hears(self) -> Hears:
        """The front end that this student hears through, and what it needs it set to.

        A method may name another, and its own ``front_end_params`` are laid over these.

        Raises:
            TeacherError: they depend on weights that cannot be had.
        """
        return Hears()

    @property
    def card(self) -> TeacherCard | None:
        """Of the pretrained model whose weights a student inherits; None: it inherits none."""
        return None

    @property
    def model_digest(self) -> str:
        """Digest of the weights that it inherits; empty: none.

        Raises:
            TeacherError: the weights cannot be had; the message names the ways out.
        """
        return ""

    def inherit(self, network: nn.Module, speech: Iterable[Windows]) -> None:
        """Give a network that ``build`` made the weights of a pretrained model; without labels.

        Called once before any training, where ``card`` is not None.

        Args:
            network: changed in place.
            speech: batches of windows without augmentation, of the unlabelled audio of the run
                or, where it has none, of the training partition; it may end, and need not be
                read to its end.

        Raises:
            TeacherError: the weights cannot be had or do not fit.
        """

    @abstractmethod
    def build(self, shape: StudentShape) -> nn.Module:
        """A fresh module; initial weights come from torch's global generator.

        Its ``forward(features, lengths)`` takes ``features (N, channels, n_mels, frames)`` float
        and ``lengths (N,)`` int64, real frames of each window (1 … frames), and returns a
        ``StudentOutput``. A padded window gives the same logits as the same window alone.
        """
        ...
