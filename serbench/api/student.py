"""Student plugins: they build networks that compute logits from windows of frames."""

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
    """Shapes of a student's input and output.

    Attributes:
        channels: 3 for values, Δ and ΔΔ; 1 for a front end without deltas.
        n_mels: values per frame: mel filters, coefficients, samples.
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
    """A student's output for a batch of N windows.

    Only logits and embedding are required. Some losses also use maps; they refuse a student without
    maps before any training.

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
        last_map: b, ``(N, c, h, w)``; ``(0, 0, 0, 0)`` if the student gives none.
        last_mask: ``(N, w)`` bool, True on real frames; ``(0, 0)`` if the student gives none.
    """

    logits: Tensor
    embedding: Tensor
    maps: tuple[Tensor, ...] = ()
    masks: tuple[Tensor, ...] = ()
    last_map: Tensor = field(default_factory=_no_map)
    last_mask: Tensor = field(default_factory=_no_mask)


Windows: TypeAlias = "tuple[Tensor, Tensor]"
"""``features (N, channels, n_mels, frames)`` and ``lengths (N,)``, as a student's network takes
them.
"""


class Student(Plugin, Protocol):
    """A student plugin.

    The training loop knows two optional parts of a network by name. ``classify`` is the
    ``nn.Linear`` from embedding to logits in evaluation mode; a linear probe sets it. ``embed`` is
    an ``nn.BatchNorm1d`` without learnt gain whose output is the embedding.

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
        reconstruction: whether the student was built from a description without details or code.
            Its figures then say little about the published method, and tables say so. Optional.
    """

    reconstruction: ClassVar[bool] = False

    @property
    def hears(self) -> Hears:
        """The student's front end, with the parameters that it needs.

        A method may name another front end; its own ``front_end_params`` override these.

        Raises:
            TeacherError: they depend on weights that are not available.
        """
        return Hears()

    @property
    def card(self) -> TeacherCard | None:
        """Card of the pretrained model whose weights the student inherits; None: no weights."""
        return None

    @property
    def model_digest(self) -> str:
        """Digest of the inherited weights; empty if the student inherits none.

        Raises:
            TeacherError: the weights are not available; the message says how to get them.
        """
        return ""

    def inherit(self, network: nn.Module, speech: Iterable[Windows]) -> None:
        """Copy the weights of a pretrained model into a network of ``build``; no labels are used.

        It is called once before any training, if ``card`` is not None.

        Args:
            network: changed in place.
            speech: batches of windows without augmentation, from the run's unlabelled audio or,
                without it, from the training partition. Their number is limited, and they need not
                all be read.

        Raises:
            TeacherError: the weights are not available or do not fit.
        """

    @abstractmethod
    def build(self, shape: StudentShape) -> nn.Module:
        """A new module; initial weights come from torch's global generator.

        Its ``forward(features, lengths)`` takes ``features (N, channels, n_mels, frames)`` float
        and ``lengths (N,)`` int64, the real frames of each window (1 … frames), and returns a
        ``StudentOutput``. A padded window must give the same logits as the same window alone.
        """
        ...
