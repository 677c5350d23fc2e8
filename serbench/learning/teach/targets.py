"""What the teachers say of one training partition, and what of it a loss is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serbench.api import Need
from serbench.learning.features import Frames
from serbench.learning.teach.embeddings import TeacherEmbeddings, TrainingEmbeddings, teacher_frames
from serbench.protocol.guard.view import FittedRecord, PartitionView
from serbench.settings import HeadSettings

TargetKey = tuple[str, str, HeadSettings]
"""Teacher, training partition, head settings."""


@dataclass(frozen=True)
class Target:
    """A teacher's soft targets for one training partition.

    Attributes:
        layer_weights: ``(L,)`` float32.
        strength: C of the head.
        fitted: what was fitted, for the certificate.
        unlabelled: ``(U, C)`` float32, logits of the recordings of the unlabelled audio by a head
            of the whole partition; None: nobody asked for them.
    """

    logits: NDArray[np.float32]
    layer_weights: NDArray[np.float32]
    strength: float
    fitted: tuple[FittedRecord, ...]
    unlabelled: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class TeacherSignal:
    """What one teacher says of a training partition of N utterances, in the order of its ids.

    Attributes:
        name: the teacher's name in the registry.
        logits: ``(N, C)``, cross-fitted; None where the loss needs no soft targets.
        pooled: layers already mixed; None where the loss needs none.
        frames: the corpus's frames, each row all L layers end to end; None likewise.
        layer_weights: ``(L,)``, learnt in the partition, to mix ``frames`` with.
        unlabelled: ``(U, C)``, of the recordings of the unlabelled audio; None: not heard.
    """

    name: str
    logits: NDArray[np.float32] | None = None
    pooled: TrainingEmbeddings | None = None
    frames: Frames | None = None
    layer_weights: NDArray[np.float32] | None = None
    unlabelled: NDArray[np.float32] | None = None


def scale_of(teacher: str) -> str:
    """What is fitted where a teacher's pooled embeddings are standardised, for the certificate."""
    return f"scale of {teacher}'s embeddings"


def signals(
    teachers: Mapping[str, TeacherEmbeddings],
    targets: Mapping[TargetKey, Target],
    view: PartitionView,
    head: HeadSettings,
    needs: frozenset[Need],
    *,
    hears_unlabelled: bool = False,
) -> tuple[TeacherSignal, ...]:
    """What a loss with these ``needs`` is given of every teacher, for one training partition.

    Fits may share it, and each notes what it fits; ``view`` is one that no fit has.
    """
    if not needs:
        return ()
    given = []
    for name, embeddings in teachers.items():
        target = targets[name, view.name, head]
        pooled = None
        if "pooled" in needs:
            pooled = embeddings.fitting(view, scale_of(name)).mixed(target.layer_weights)
        given.append(
            TeacherSignal(
                name=name,
                logits=target.logits if "soft_targets" in needs else None,
                pooled=pooled,
                frames=teacher_frames(embeddings) if "frames" in needs else None,
                layer_weights=target.layer_weights,
                unlabelled=target.unlabelled if hears_unlabelled else None,
            )
        )
    return tuple(given)
