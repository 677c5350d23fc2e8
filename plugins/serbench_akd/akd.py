"""The loss plugin ``akd``: adaptive knowledge distillation."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import BaseModel, Field, NonNegativeFloat, PositiveFloat, model_validator

from serbench.api import Loss, LossShape, Need, Params, PluginError

if TYPE_CHECKING:
    from torch import nn


class AkdParams(Params):
    """Weights and variants of the terms. A weight of 0 switches a term off."""

    temperature: PositiveFloat = 2.0
    """T of the soft targets."""
    task: Literal["ce", "ccc", "none"] = "ce"
    """Task term: cross-entropy (``ce``), concordance (``ccc``), or ``none``: labels are
    not used.
    """
    label_smoothing: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Label smoothing of ``task="ce"``."""
    k: NonNegativeFloat = 1.0
    """Weight of kl."""
    divergence: Literal["kl", "decoupled", "relations"] = "kl"
    """Divergence of kl: Kullback-Leibler, the same decoupled into the label's class and the others
    (Zhao et al. 2022), or 1 minus the correlations over classes and over segments (DIST, Huang et
    al. 2022).
    """
    non_target: NonNegativeFloat = 1.0
    """Weight of the other classes in ``divergence="decoupled"``, β of Zhao et al."""
    standardise: bool = False
    """Z-score the teachers' and the student's logits before the soft targets (Sun et al. 2024)."""
    correct_targets: bool = False
    """Swap the label's probability with the largest one, if another class has the largest
    probability in the target (Wen et al. 2021). The gate already leaves most wrong targets out of
    kl, so this matters with ``gate_kl=False``.
    """
    gate_kl: bool = True
    """Whether segments with an unreliable teacher are also left out of kl."""
    gate_threshold: float = Field(default=0.5, ge=0.0, le=1.0)
    """A teacher is reliable on a segment if its error γ, 1 minus its posterior of the true class,
    is at most this.
    """
    alpha: NonNegativeFloat = 1.0
    """Weight of cos."""
    lambda_angle: NonNegativeFloat = 1.0
    lambda_hint: NonNegativeFloat = 1.0
    lambda_2: NonNegativeFloat = 0.1
    """Weight of ‖θ‖² + ‖v‖² of the learned teacher weights."""
    angle: Literal["cosine", "arccos"] = "cosine"
    beta: Literal["floor", "paper", "one"] = "floor"
    """Weight of the task term: see ``TaskWeight``."""
    beta_min: float = Field(default=0.5, ge=0.0, le=1.0)
    """Lowest weight of the task term with ``beta="floor"``."""
    adaptive_weights: bool = True
    """Learn the weight of each of several teachers for each segment. False: all weights
    are equal.
    """
    hint_groups: Literal["groups", "all"] = "groups"
    hint_levels: Literal["all", "last"] = "all"
    """``last``: hints guide the student's last level only."""
    hint_target: Literal["pooled", "frames"] = "pooled"
    unlabelled: float = Field(default=0.0, ge=0.0, le=8.0)
    """Number of windows of ``--pretrain-audio`` in a batch, for each training window. They have
    soft targets but no label, so of all terms they use only kl, without the gate. Each counts as
    much as a training window, for any k.
    """

    @model_validator(mode="after")
    def _smoothing_has_a_use(self) -> AkdParams:
        if self.task != "ce" and self.label_smoothing > 0.0:
            msg = (
                f"label_smoothing is a setting of task 'ce'; leave it at 0 with task '{self.task}'"
            )
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _something_to_learn(self) -> AkdParams:
        weights = (self.k, self.alpha, self.lambda_angle, self.lambda_hint)
        if self.task == "none" and not any(weights):
            msg = "task 'none' needs a weight above 0 for k, alpha, lambda_angle or lambda_hint"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _no_label_to_decouple(self) -> AkdParams:
        if self.unlabelled > 0.0 and self.divergence == "decoupled":
            msg = (
                "divergence 'decoupled' needs labels, but windows of unlabelled audio have none; "
                "with unlabelled above 0 use 'kl' or 'relations'"
            )
            raise ValueError(msg)
        return self

    @property
    def uses_gate(self) -> bool:
        """Whether any term depends on whether a teacher is reliable."""
        weighs_task = self.task != "none" and self.beta != "one"
        return weighs_task or self.alpha > 0.0 or (self.k > 0.0 and self.gate_kl)

    @property
    def integrates(self) -> bool:
        """Whether any term combines the teachers, so that their weights can be learnt
        through it.
        """
        return any((self.k, self.lambda_angle, self.alpha, self.unlabelled))

    def learns_weights(self, num_teachers: int) -> bool:
        """Whether there are several teachers to weight, and a term through which the
        weights are learnt.
        """
        return self.adaptive_weights and self.integrates and num_teachers > 1

    @property
    def needs(self) -> frozenset[Need]:
        """The outputs of teachers that terms with a weight above 0 use."""
        needs: set[Need] = set()
        if self.uses_gate or self.integrates:
            needs.add("soft_targets")
        if self.alpha > 0.0:
            needs.add("pooled")
        if self.lambda_hint > 0.0:
            needs.add(self.hint_target)
        return frozenset(needs)


class Akd(Loss):
    """Adaptive knowledge distillation (Khan et al. 2026, section 3.4)."""

    name = "akd"
    Params: ClassVar[type[BaseModel]] = AkdParams
    params: AkdParams

    @property
    def needs(self) -> frozenset[Need]:
        """The outputs of teachers that terms with a weight above 0 use; empty if all
        are switched off.
        """
        return self.params.needs

    @property
    def unlabelled(self) -> float:
        """See ``AkdParams.unlabelled``."""
        return self.params.unlabelled

    def build(self, shape: LossShape) -> nn.Module:
        """The loss with its own learnt projections and teacher weights.

        Raises:
            PluginError: a term with a weight above 0 needs a teacher or a student map
                that is missing.
        """
        from serbench_akd.losses.akd import AkdLoss

        params = self.params
        if params.needs and shape.num_teachers == 0:
            msg = (
                "loss 'akd' needs a teacher, but the run has none: give one with --teacher, or "
                "set k, alpha, lambda_angle and lambda_hint to 0 and beta to 'one'"
            )
            raise PluginError(msg)
        if params.lambda_hint > 0.0 and not shape.map_dims:
            msg = (
                "the hint of loss 'akd' needs intermediate maps, but the student gives none: use "
                "another student, or set lambda_hint to 0"
            )
            raise PluginError(msg)
        if params.learns_weights(shape.num_teachers) and shape.last_map_dim == 0:
            msg = (
                "loss 'akd' learns the weights of its teachers from the student's last map, but "
                "the student gives none: use another student, or set adaptive_weights to false"
            )
            raise PluginError(msg)
        return AkdLoss(params, shape)
