"""Loss plugins: they compute named terms from a batch and a student's output."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from serbench.api.params import Plugin

if TYPE_CHECKING:
    from torch import Tensor, nn

Need = Literal["soft_targets", "pooled", "frames"]
"""Outputs of a teacher that a loss can ask for; the harness computes only those."""


@dataclass(frozen=True, slots=True)
class Batch:
    """N training windows of the current training partition, with the outputs of their teachers.

    Attributes:
        features: ``(N, channels, n_mels, frames)``, normalised, augmented.
        lengths: ``(N,)`` int64, real frames.
        labels: ``(N,)`` int64.
        teacher_logits: ``(m, N, C)``, cross-fitted; empty ``(0, N, C)`` without a teacher.
        teacher_pooled: for each teacher ``(N, P_t)``.
        teacher_frames: for each teacher ``(N, F_t, D_t)``, cut to the window.
        teacher_lengths: for each teacher ``(N,)`` int64, real frames of ``teacher_frames``.
    """

    features: Tensor
    lengths: Tensor
    labels: Tensor
    teacher_logits: Tensor
    teacher_pooled: tuple[Tensor, ...] = ()
    teacher_frames: tuple[Tensor, ...] = ()
    teacher_lengths: tuple[Tensor, ...] = ()


@dataclass(frozen=True, slots=True)
class LossShape:
    """Shapes that a loss needs to build its own learnt parameters, such as projections.

    Attributes:
        num_classes: C.
        embedding_dim: E of the student's embedding.
        map_dims: ``(c_l, h_l)`` of each intermediate map; empty if the student gives none.
        last_map_dim: c of the last map; 0 if the student gives none.
        pooled_dims: P_t of each teacher; empty if the loss does not need ``pooled``.
        frame_dims: D_t of each teacher; empty if the loss does not need ``frames``.
        num_teachers: m.
        label_counts: training utterances of each class, ``(C,)``; empty if there are no labels, as
            in a pretraining.
    """

    num_classes: int
    embedding_dim: int
    map_dims: tuple[tuple[int, int], ...]
    last_map_dim: int
    pooled_dims: tuple[int, ...] = ()
    frame_dims: tuple[int, ...] = ()
    num_teachers: int = 0
    label_counts: tuple[int, ...] = ()


LossTerms: TypeAlias = "dict[str, Tensor]"
"""Scalar terms by name, unweighted; ``"total"`` is the weighted sum that is minimised."""

LossFunction = Callable[[Batch, Any], LossTerms]


class Loss(Plugin, Protocol):
    """A loss plugin.

    A loss that uses only a teacher's frames, or only the student's output, can be the objective of
    a pretraining (``pretrain.objective``), where every label is -1. The loss of the fits then
    starts from the pretrained values of learnt parameters with the same name and shape.

    Examples:
        >>> from torch import nn
        >>> from serbench.api import Loss, Params
        >>> class CrossEntropy(nn.Module):
        ...     def forward(self, batch, output):
        ...         return {"total": nn.functional.cross_entropy(output.logits, batch.labels)}
        >>> class Plain(Loss):
        ...     name = "plain"
        ...     Params = Params
        ...
        ...     def build(self, shape):
        ...         return CrossEntropy()
        >>> sorted(Plain(Params()).needs)  # no teacher
        []
    """

    @property
    def needs(self) -> frozenset[Need]:
        """Outputs of the teachers that this loss uses with its ``params``; empty: no teacher."""
        return frozenset()

    @property
    def unlabelled(self) -> float:
        """Windows of unlabelled audio per training window; 0: none.

        If it is not 0, ``needs`` contains ``"soft_targets"``, and the module that ``build`` returns
        has ``unlabelled(batch, output)``. It works as ``forward`` does, on windows whose labels are
        all -1. Each has the soft target of heads fitted in the training partition, and no other
        output of a teacher. Its ``"total"`` is added to that of the training windows.
        """
        return 0.0

    @abstractmethod
    def build(self, shape: LossShape) -> nn.Module:
        """A module whose ``forward(batch, output)`` returns ``LossTerms`` with ``"total"``.

        It is called outside autocast. All inputs except labels, lengths and masks are float32,
        in any precision of the student and its teachers.

        A loss that uses maps raises a ``PluginError`` here if ``shape`` has none.

        Its parameters are trained together with the student's and discarded afterwards. A module in
        it may list, in ``undecayed``, those of its parameters that ``training.weight_decay`` leaves
        alone, for instance because a term of the loss decays them.

        The module may have ``start(seen)``, which sets its parameters in closed form from some
        batches and the student's outputs, ``(Batch, StudentOutput)``. It is called before a student
        that inherits weights is pretrained with the loss.

        The module may have ``readings``, a dict of detached values for each window of its last
        batch, by name, ``(N,)`` or ``(N, k)``: teacher weights, a gate. They are stored with
        utterance and epoch for `serbench explain`.
        """
        ...
