"""The loss plugin ``akd``: adaptive knowledge distillation."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

import torch
from pydantic import BaseModel, Field, NonNegativeFloat, PositiveFloat, model_validator
from torch import Tensor, nn

from serbench.api import Batch, Loss, LossShape, LossTerms, Need, Params, PluginError, StudentOutput
from serbench_akd.terms import (
    AdaptiveTeacherWeights,
    Angle,
    Concordance,
    CrossEntropy,
    DecoupledDivergence,
    EmbeddingCosine,
    FrameHint,
    Gate,
    GateReading,
    PooledHint,
    RelationDistance,
    SoftTargetDivergence,
    TaskWeight,
    UniformTeacherWeights,
    correct,
    integrate,
    standardise,
)

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class AkdParams(Params):
    """Weights and variants of the terms. A weight of 0 switches its term off altogether."""

    temperature: PositiveFloat = 2.0
    """T of the soft targets."""
    task: Literal["ce", "ccc", "none"] = "ce"
    """``none``: labels are not learnt from."""
    label_smoothing: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Of ``task="ce"``."""
    k: NonNegativeFloat = 1.0
    """Weight of kl."""
    divergence: Literal["kl", "decoupled", "relations"] = "kl"
    """What kl measures: the Kullback-Leibler divergence, the same decoupled into the label's class
    and the others (Zhao et al. 2022), or 1 less the correlations over classes and over segments
    (DIST, Huang et al. 2022)."""
    non_target: NonNegativeFloat = 1.0
    """Weight of the other classes in ``divergence="decoupled"``, β of Zhao et al."""
    standardise: bool = False
    """Soft targets of z-scored logits, the teachers' and the student's (Sun et al. 2024)."""
    correct_targets: bool = False
    """Swap the label's and the largest probability of a wrong target (Wen et al. 2021). The gate
    leaves most of them out of kl before, so that it is of use with ``gate_kl=False``."""
    gate_kl: bool = True
    """Leave segments with an unreliable teacher out of kl, too."""
    gate_threshold: float = Field(default=0.5, ge=0.0, le=1.0)
    """A teacher is reliable on a segment up to this error γ, 1 less its posterior of the truth."""
    alpha: NonNegativeFloat = 1.0
    """Weight of cos."""
    lambda_angle: NonNegativeFloat = 1.0
    lambda_hint: NonNegativeFloat = 1.0
    lambda_2: NonNegativeFloat = 0.1
    """Weight of ‖θ‖² + ‖v‖² of learnt teacher weights."""
    angle: Literal["cosine", "arccos"] = "cosine"
    beta: Literal["floor", "paper", "one"] = "floor"
    """Weight of the task term: see ``TaskWeight``."""
    beta_min: float = Field(default=0.5, ge=0.0, le=1.0)
    """Of ``beta="floor"``."""
    adaptive_weights: bool = True
    """Learn how much each of several teachers counts for each segment; False: their mean."""
    hint_groups: Literal["groups", "all"] = "groups"
    hint_levels: Literal["all", "last"] = "all"
    """``last``: hints guide the student's last level only."""
    hint_target: Literal["pooled", "frames"] = "pooled"
    unlabelled: float = Field(default=0.0, ge=0.0, le=8.0)
    """Windows of ``--pretrain-audio`` in a batch, for each training window. They have soft targets
    and no label, so that of all terms they have kl alone, ungated; each counts as a training
    window does, whatever k."""

    @model_validator(mode="after")
    def _smoothing_has_a_use(self) -> AkdParams:
        if self.task != "ce" and self.label_smoothing > 0.0:
            msg = f"label_smoothing is of task 'ce'; leave it at 0 with task '{self.task}'"
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
                "divergence 'decoupled' reads the label, and windows of unlabelled audio have "
                "none; with unlabelled above 0 take 'kl' or 'relations'"
            )
            raise ValueError(msg)
        return self

    @property
    def uses_gate(self) -> bool:
        """Whether any term asks if a teacher is reliable."""
        weighs_task = self.task != "none" and self.beta != "one"
        return weighs_task or self.alpha > 0.0 or (self.k > 0.0 and self.gate_kl)

    @property
    def integrates(self) -> bool:
        """Whether any term integrates the teachers, and so can teach their weights."""
        return any((self.k, self.lambda_angle, self.alpha, self.unlabelled))

    @property
    def needs(self) -> frozenset[Need]:
        """What of the teachers the terms with a weight read."""
        needs: set[Need] = set()
        if self.uses_gate or self.integrates:
            needs.add("soft_targets")
        if self.alpha > 0.0:
            needs.add("pooled")
        if self.lambda_hint > 0.0:
            needs.add(self.hint_target)
        return frozenset(needs)


Divergence = SoftTargetDivergence | DecoupledDivergence | RelationDistance
TeacherWeights = UniformTeacherWeights | AdaptiveTeacherWeights


class _TeacherView(NamedTuple):
    """What the teachers together say of a batch.

    Attributes:
        log_weights: log w.
        log_target: log ỹ_T at temperature T, of standardised logits and corrected where asked.
        posterior: integrated at temperature 1.
        reading: γ and reliability of it.
    """

    log_weights: Float[Tensor, "m N"]
    log_target: Float[Tensor, "N C"]
    posterior: Float[Tensor, "N C"]
    reading: GateReading


class AkdLoss(nn.Module):
    """``L = mean_i[β_i task_i + k g_i kl_i + α r_i cos_i] + λ_angle angle + λ_hint hint + λ_2 l2``

    with r_i = 1 where the teacher is reliable on segment i, else 0, and g_i = r_i with
    ``gate_kl``, else 1 (Khan et al. 2026, Eq. 8, 10, 11 and 14). Terms are returned as they enter
    the sum, gated but not weighted: ``task``, ``kl``, ``cos``, ``angle``, ``hint``, ``l2``, and
    ``total``. A term that is switched off is neither computed nor returned.

    kl and angle read the soft targets ỹ_T and ỹ_s: both are of z-scores with ``standardise`` (each
    teacher's logits before Eq. 7 integrates them), and ỹ_T is corrected with ``correct_targets``
    after that. Gate and β read the teachers' own posterior at T = 1, whatever becomes of ỹ_T.

    Of windows without a label, ``unlabelled`` gives u · mean_i kl_i with u = ``params.unlabelled``:
    there is no label to gate or to correct by. Teachers are weighed as above.

    ``readings`` holds, of the last batch and by segment: ``weights (N, m)``, ``posterior (N, C)``
    (integrated, T = 1), ``gamma``, ``reliable`` and ``beta``, each ``(N,)``; nothing where no term
    reads soft targets.

    Args:
        params: validated settings.
        shape: sizes of the student's and teachers' outputs.
    """

    def __init__(self, params: AkdParams, shape: LossShape) -> None:
        super().__init__()
        self.params = params
        self.weights = {
            "task": 1.0,
            "kl": params.k,
            "cos": params.alpha,
            "angle": params.lambda_angle,
            "hint": params.lambda_hint,
            "l2": params.lambda_2,
        }
        self.task = _make_task(params)
        self.task_weight = TaskWeight(params.beta, params.beta_min)
        self.teacher_weights = _make_teacher_weights(params, shape)
        self.gate = Gate(params.gate_threshold)
        asked = params.k > 0.0 or params.unlabelled > 0.0
        self.divergence = _make_divergence(params) if asked else None
        self.cos = (
            EmbeddingCosine(shape.embedding_dim, shape.pooled_dims) if params.alpha > 0.0 else None
        )
        self.angle = Angle(params.angle) if params.lambda_angle > 0.0 else None
        self.hint = _make_hint(params, shape)
        self.readings: dict[str, Tensor] = {}

    def forward(self, batch: Batch, output: StudentOutput) -> LossTerms:
        """Every term of the batch as a scalar, by name."""
        terms = self._target_terms(batch, output)
        if self.hint is not None:
            terms["hint"] = self.hint(batch, output)
        if isinstance(self.teacher_weights, AdaptiveTeacherWeights) and self.params.lambda_2:
            terms["l2"] = self.teacher_weights.penalty()
        weighted = [self.weights[name] * term for name, term in terms.items()]
        return terms | {"total": torch.stack(weighted).sum()}

    def unlabelled(self, batch: Batch, output: StudentOutput) -> LossTerms:
        """``unlabelled``, the mean divergence from the soft targets, and ``total``, of windows
        without a label.
        """
        assert self.teacher_weights is not None
        log_target = self._log_target(batch, self.teacher_weights(output))
        logits = self._student_logits(output)
        if isinstance(self.divergence, RelationDistance):
            every = torch.ones_like(batch.labels, dtype=torch.bool)
            distance = self.divergence(log_target, logits, every)
        else:
            assert isinstance(self.divergence, SoftTargetDivergence)
            distance = self.divergence(log_target, logits)
        mean = distance.mean()
        return {"unlabelled": mean, "total": self.params.unlabelled * mean}

    def _target_terms(self, batch: Batch, output: StudentOutput) -> LossTerms:
        """The task term, and the terms that read the integrated soft targets."""
        task = self.task(output.logits, batch.labels) if self.task else None  # (N,)
        if self.teacher_weights is None:
            return {} if task is None else {"task": task.mean()}
        view = self._view(self.teacher_weights, batch, output)
        beta = self.task_weight(view.reading)
        self.readings = {
            "weights": view.log_weights.detach().exp().T,
            "posterior": view.posterior.detach(),
            "gamma": view.reading.error.detach(),
            "reliable": view.reading.reliable.detach(),
            "beta": beta.detach(),
        }
        terms = {} if task is None else {"task": (beta * task).mean()}
        student_logits = self._student_logits(output)
        if self.divergence is not None and self.params.k > 0.0:
            terms["kl"] = self._kl(self.divergence, view, student_logits, batch.labels)
        if self.cos is not None:
            cos = self.cos(output.embedding, batch.teacher_pooled, view.log_weights)  # (N,)
            terms["cos"] = (cos * view.reading.reliable).mean()
        if self.angle is not None:
            student = (student_logits / self.params.temperature).softmax(dim=-1)
            terms["angle"] = self.angle(view.log_target.exp(), student)
        return terms

    def _kl(
        self,
        divergence: Divergence,
        view: _TeacherView,
        student_logits: Float[Tensor, "N C"],
        labels: Int[Tensor, " N"],
    ) -> Float[Tensor, ""]:
        """mean_i g_i kl_i."""
        reliable = view.reading.reliable
        counts = reliable if self.params.gate_kl else torch.ones_like(reliable)
        if isinstance(divergence, DecoupledDivergence):
            kl = divergence(view.log_target, student_logits, labels)
        elif isinstance(divergence, RelationDistance):
            kl = divergence(view.log_target, student_logits, counts)
        else:
            kl = divergence(view.log_target, student_logits)
        return (kl * counts).mean()

    def _student_logits(self, output: StudentOutput) -> Float[Tensor, "N C"]:
        return standardise(output.logits) if self.params.standardise else output.logits

    def _log_target(self, batch: Batch, log_weights: Float[Tensor, "m N"]) -> Float[Tensor, "N C"]:
        """The logarithm of ỹ_T, uncorrected."""
        logits = batch.teacher_logits  # (m, N, C)
        softened = standardise(logits) if self.params.standardise else logits
        return integrate(softened, log_weights, self.params.temperature)

    def _view(self, weights: TeacherWeights, batch: Batch, output: StudentOutput) -> _TeacherView:
        log_weights = weights(output)
        log_target = self._log_target(batch, log_weights)
        if self.params.correct_targets:
            log_target = correct(log_target, batch.labels)
        posterior = integrate(batch.teacher_logits, log_weights, 1.0).exp()
        return _TeacherView(log_weights, log_target, posterior, self.gate(posterior, batch.labels))


class Akd(Loss):
    """Adaptive knowledge distillation (Khan et al. 2026, section 3.4)."""

    name = "akd"
    Params: ClassVar[type[BaseModel]] = AkdParams
    params: AkdParams

    @property
    def needs(self) -> frozenset[Need]:
        """What of the teachers the terms with a weight read; empty where all are off."""
        return self.params.needs

    @property
    def unlabelled(self) -> float:
        """Of ``params``."""
        return self.params.unlabelled

    def build(self, shape: LossShape) -> AkdLoss:
        """The loss with its own learnt projections and teacher weights.

        Raises:
            PluginError: a term with a weight reads a teacher or a student map that is not there.
        """
        params = self.params
        if params.needs and shape.num_teachers == 0:
            msg = (
                "loss 'akd' needs a teacher and the run has none: name one with --teacher, or set "
                "k, alpha, lambda_angle and lambda_hint to 0 and beta to 'one'"
            )
            raise PluginError(msg)
        if params.lambda_hint > 0.0 and not shape.map_dims:
            msg = (
                "the hint of loss 'akd' needs intermediate maps and the student gives none: take "
                "another student, or set lambda_hint to 0"
            )
            raise PluginError(msg)
        if _learns_weights(params, shape) and shape.last_map_dim == 0:
            msg = (
                "loss 'akd' learns the weights of its teachers from the student's last map and the "
                "student gives none: take another student, or set adaptive_weights to false"
            )
            raise PluginError(msg)
        return AkdLoss(params, shape)


def _make_task(params: AkdParams) -> CrossEntropy | Concordance | None:
    if params.task == "none":
        return None
    return CrossEntropy(params.label_smoothing) if params.task == "ce" else Concordance()


def _make_divergence(params: AkdParams) -> Divergence:
    if params.divergence == "decoupled":
        return DecoupledDivergence(params.temperature, params.non_target)
    if params.divergence == "relations":
        return RelationDistance(params.temperature)
    return SoftTargetDivergence(params.temperature)


def _learns_weights(params: AkdParams, shape: LossShape) -> bool:
    """Whether there is a choice of teachers to learn and a term that teaches it."""
    return params.adaptive_weights and params.integrates and shape.num_teachers > 1


def _make_teacher_weights(params: AkdParams, shape: LossShape) -> TeacherWeights | None:
    """None where no term reads soft targets."""
    if "soft_targets" not in params.needs:
        return None
    if _learns_weights(params, shape):
        return AdaptiveTeacherWeights(shape.num_teachers, shape.last_map_dim)
    return UniformTeacherWeights(shape.num_teachers)


def _make_hint(params: AkdParams, shape: LossShape) -> PooledHint | FrameHint | None:
    if params.lambda_hint == 0.0:
        return None
    first = len(shape.map_dims) - 1 if params.hint_levels == "last" else 0
    channels = [channels for channels, _ in shape.map_dims[first:]]
    if params.hint_target == "pooled":
        return PooledHint(channels, shape.pooled_dims, params.hint_groups, first)
    return FrameHint(channels, shape.frame_dims, params.hint_groups, first)
