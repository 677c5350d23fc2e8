"""The terms of the AKD loss. Each is one class, which can be used and tested alone."""

from serbench_akd.terms.angle import Angle
from serbench_akd.terms.cosine import EmbeddingCosine
from serbench_akd.terms.gate import Gate, GateReading, TaskWeight
from serbench_akd.terms.hint import FrameHint, PooledHint, interpolate_frames, pair_levels
from serbench_akd.terms.soft_target import (
    DecoupledDivergence,
    RelationDistance,
    SoftTargetDivergence,
    correct,
    integrate,
    standardise,
)
from serbench_akd.terms.task import Concordance, CrossEntropy
from serbench_akd.terms.teacher_weights import (
    AdaptiveTeacherWeights,
    UniformTeacherWeights,
    channel_maxima,
)

__all__ = [
    "AdaptiveTeacherWeights",
    "Angle",
    "Concordance",
    "CrossEntropy",
    "DecoupledDivergence",
    "EmbeddingCosine",
    "FrameHint",
    "Gate",
    "GateReading",
    "PooledHint",
    "RelationDistance",
    "SoftTargetDivergence",
    "TaskWeight",
    "UniformTeacherWeights",
    "channel_maxima",
    "correct",
    "integrate",
    "interpolate_frames",
    "pair_levels",
    "standardise",
]
