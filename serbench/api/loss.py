"""What a loss plugin is: from a batch and a student's output to named terms."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from serbench.api.params import Plugin

if TYPE_CHECKING:
    from torch import Tensor, nn

Need = Literal["soft_targets", "pooled", "frames"]
"""What of a teacher a loss asks for; the harness computes nothing that nobody needs."""


@dataclass(frozen=True, slots=True)
class Batch:
    """N training windows of the current training partition, with what their teachers say.

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
    """What a loss needs to know to make its own learnt parameters (projections and the like).

    Attributes:
        num_classes: C.
        embedding_dim: E of the student's embedding.
        map_dims: ``(c_l, h_l)`` of each intermediate map; empty where the student gives none.
        last_map_dim: c of the last map; 0 where the student gives none.
        pooled_dims: P_t of each teacher; empty where the loss does not need ``pooled``.
        frame_dims: D_t of each teacher; empty where the loss does not need ``frames``.
        num_teachers: m.
        label_counts: training utterances of each class, ``(C,)``; empty where nothing has a
            label, as in a pretraining.
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

    One that reads a teacher's frames alone, or nothing but the student's output, can be the
    objective of a pretraining (``pretrain.objective``): of unlabelled audio every label is -1.
    Learnt parameters that the loss of the fits has in common with it, by name and shape, go on
    from there.

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
        >>> sorted(Plain(Params()).needs)  # of the teachers
        []
    """

    @property
    def needs(self) -> frozenset[Need]:
        """What of the teachers this loss reads with these ``params``; empty: no teacher."""
        return frozenset()

    @property
    def unlabelled(self) -> float:
        """Windows of the unlabelled audio that it asks for, for each training window; 0: none.

        Then ``needs`` has ``"soft_targets"``, and the module that ``build`` makes has
        ``unlabelled(batch, output)``: the same as its ``forward``, of windows whose labels are all
        -1, each with the soft target of heads fitted in the training partition, and nothing else
        of a teacher. Its ``"total"`` is added to that of the training windows.
        """
        return 0.0

    @abstractmethod
    def build(self, shape: LossShape) -> nn.Module:
        """A module whose ``forward(batch, output)`` returns ``LossTerms`` with ``"total"``.

        It is called outside of autocast, and everything but labels, lengths and masks reaches it
        as float32, whatever precision the student and its teachers compute in.

        A loss that reads maps raises a ``PluginError`` here where ``shape`` has none.

        Its parameters are trained together with the student's and thrown away afterwards. A
        module in it may name, in ``undecayed``, those parameters of its own that
        ``training.weight_decay`` leaves alone, for instance since a term of the loss decays them.

        It may have ``start(seen)``, which sets its own parameters in closed form from some batches
        and what the student gives for them, ``(Batch, StudentOutput)``, before a student that
        inherits is pretrained with it.

        It may keep ``readings``, a dict of what it read of each segment of its last batch, by
        name ``(N,)`` or ``(N, k)``, detached: teacher weights, a gate. They are noted with the
        utterance and the epoch, for `serbench explain`.
        """
        ...
