"""The teachers' outputs for one training partition, and those that a loss receives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from serbench.api import Need
from serbench.learning.crops import CropRecipe
from serbench.learning.features import Frames
from serbench.learning.teach.embeddings import TeacherEmbeddings, TrainingEmbeddings, teacher_frames
from serbench.protocol.guard.view import FittedRecord, PartitionView
from serbench.settings import HeadSettings

TargetKey = tuple[str, str, HeadSettings]
"""Key of a target: teacher, training partition, head settings."""


@dataclass(frozen=True)
class Target:
    """A teacher's soft targets for one training partition.

    Attributes:
        layer_weights: ``(L,)`` float32.
        strength: inverse L2 penalty of the head.
        fitted: records of everything that was fitted, for the certificate.
        unlabelled: ``(U, C)`` float32, logits of the recordings of the unlabelled audio by a head
            that was fitted on the whole partition; None: they were not needed.
        crops: ``(K · N, C)`` float32, cross-fitted logits of the crops, for each recipe that is
            used: of the first crop of each utterance, the second of each, …
    """

    logits: NDArray[np.float32]
    layer_weights: NDArray[np.float32]
    strength: float
    fitted: tuple[FittedRecord, ...]
    unlabelled: NDArray[np.float32] | None = None
    crops: Mapping[CropRecipe, NDArray[np.float32]] = field(default_factory=dict)


@dataclass(frozen=True)
class TeacherSignal:
    """One teacher's outputs for a training partition of N utterances, in the order of its ids.

    If the method uses K crops of each utterance, N is the number of all crops: the first crop of
    each utterance comes first, then the second of each, …

    Attributes:
        name: the teacher's name in the registry.
        logits: ``(N, C)``, cross-fitted; None if the loss needs no soft targets.
        pooled: pooled embeddings, layers already mixed; None if the loss does not need them.
        frames: the corpus's frames, each row with all L layers end to end; None if the loss does
            not need them.
        others: the frames of the other crops, if there are crops; ``frames`` are of the first.
        layer_weights: ``(L,)``, learnt in the partition, to mix ``frames`` with.
        unlabelled: ``(U, C)``, logits of the recordings of the unlabelled audio; None: not used.
    """

    name: str
    logits: NDArray[np.float32] | None = None
    pooled: TrainingEmbeddings | None = None
    frames: Frames | None = None
    layer_weights: NDArray[np.float32] | None = None
    unlabelled: NDArray[np.float32] | None = None
    others: tuple[Frames, ...] = ()


def scale_of(teacher: str) -> str:
    """Name, in the certificate, of the standardisation of a teacher's pooled embeddings."""
    return f"scale of {teacher}'s embeddings"


def signals(
    teachers: Mapping[str, TeacherEmbeddings],
    targets: Mapping[TargetKey, Target],
    view: PartitionView,
    head: HeadSettings,
    needs: frozenset[Need],
    *,
    hears_unlabelled: bool = False,
    recipe: CropRecipe | None = None,
    crops: Mapping[str, Sequence[TeacherEmbeddings]] | None = None,
) -> tuple[TeacherSignal, ...]:
    """Every teacher's outputs that a loss with these ``needs`` uses, for one training partition.

    Several fits may share the result, and each records what it fits; so ``view`` belongs to none of
    them.

    Args:
        teachers: embeddings of the corpus.
        targets: soft targets of all partitions.
        view: view of this partition.
        head: head settings that the targets were made with.
        needs: outputs that the loss needs.
        hears_unlabelled: whether the fit also uses unlabelled audio.
        recipe: recipe of the crops that are used instead of utterances; None: no crops.
        crops: each teacher's embeddings of the crops: of the first crop of each utterance, of the
            second, …
    """
    if not needs:
        return ()
    given = []
    for name, embeddings in teachers.items():
        target = targets[name, view.name, head]
        first, *others = crops[name] if crops else (embeddings,)
        pooled = None
        if "pooled" in needs:
            pooled = first.fitting(view, scale_of(name), *others).mixed(target.layer_weights)
        logits = target.crops[recipe] if recipe else target.logits
        hinted = (first, *others) if "frames" in needs else ()
        frames = [teacher_frames(each) for each in hinted]
        given.append(
            TeacherSignal(
                name=name,
                logits=logits if "soft_targets" in needs else None,
                pooled=pooled,
                frames=frames[0] if frames else None,
                layer_weights=target.layer_weights,
                unlabelled=target.unlabelled if hears_unlabelled else None,
                others=tuple(frames[1:]),
            )
        )
    return tuple(given)
