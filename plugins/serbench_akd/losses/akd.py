"""The loss ``akd``; see ``serbench_akd.akd``."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from serbench.api import Batch, LossShape, LossTerms, StudentOutput
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

    from serbench_akd.akd import AkdParams


Divergence = SoftTargetDivergence | DecoupledDivergence | RelationDistance


TeacherWeights = UniformTeacherWeights | AdaptiveTeacherWeights


class _TeacherView(NamedTuple):
    """Combined outputs of all teachers for a batch.

    Attributes:
        log_weights: log w.
        log_target: log ỹ_T at temperature T, from standardised logits and corrected, if the
            settings say so.
        posterior: the integrated posterior at temperature 1.
        reading: γ and reliability of the posterior.
    """

    log_weights: Float[Tensor, "m N"]
    log_target: Float[Tensor, "N C"]
    posterior: Float[Tensor, "N C"]
    reading: GateReading


class AkdLoss(nn.Module):
    """``L = mean_i[β_i task_i + k g_i kl_i + α r_i cos_i] + λ_angle angle + λ_hint hint + λ_2 l2``

    with r_i = 1 if the teacher is reliable on segment i, else 0, and g_i = r_i with
    ``gate_kl``, else 1 (Khan et al. 2026, Eq. 8, 10, 11 and 14). Terms are returned as they enter
    the sum, gated but not weighted: ``task``, ``kl``, ``cos``, ``angle``, ``hint``, ``l2``, and
    ``total``. A term that is switched off is neither computed nor returned.

    kl and angle use the soft targets ỹ_T and ỹ_s. With ``standardise``, both come from z-scores (of
    each teacher's logits, before Eq. 7 integrates them). With ``correct_targets``, ỹ_T is corrected
    after that. Gate and β use the teachers' own posterior at T = 1, which neither of these changes.

    For windows without a label, ``unlabelled`` gives u · mean_i kl_i with u =
    ``params.unlabelled``. Without a label, there is no gate and no correction. Teachers are
    weighted as above.

    ``readings`` contains these values of the last batch by segment: ``weights (N, m)``,
    ``posterior (N, C)`` (integrated, T = 1), ``gamma``, ``reliable`` and ``beta``, each ``(N,)``.
    It is empty if no term uses soft targets.

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
        """The terms of windows without a label: ``unlabelled``, the mean divergence from the soft
        targets, and ``total``.
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
        """The task term, and the terms that use the integrated soft targets."""
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


def _make_teacher_weights(params: AkdParams, shape: LossShape) -> TeacherWeights | None:
    """The teacher weights; None if no term uses soft targets."""
    if "soft_targets" not in params.needs:
        return None
    if params.learns_weights(shape.num_teachers):
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
