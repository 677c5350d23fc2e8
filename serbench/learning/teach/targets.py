"""What the teachers say of one training partition, and what of it a loss is given."""

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
        crops: ``(K · N, C)`` float32, cross-fitted logits of the crops of each recipe that was
            asked for: the first of each utterance, the second of each, …
    """

    logits: NDArray[np.float32]
    layer_weights: NDArray[np.float32]
    strength: float
    fitted: tuple[FittedRecord, ...]
    unlabelled: NDArray[np.float32] | None = None
    crops: Mapping[CropRecipe, NDArray[np.float32]] = field(default_factory=dict)


@dataclass(frozen=True)
class TeacherSignal:
    """What one teacher says of a training partition of N utterances, in the order of its ids.

    Of one that hears K crops of each, N is K times as many: the first of each utterance, the
    second of each, …

    Attributes:
        name: the teacher's name in the registry.
        logits: ``(N, C)``, cross-fitted; None where the loss needs no soft targets.
        pooled: layers already mixed; None where the loss needs none.
        frames: the corpus's frames, each row all L layers end to end; None likewise.
        others: the same of the other crops; ``frames`` are of the first.
        layer_weights: ``(L,)``, learnt in the partition, to mix ``frames`` with.
        unlabelled: ``(U, C)``, of the recordings of the unlabelled audio; None: not heard.
    """

    name: str
    logits: NDArray[np.float32] | None = None
    pooled: TrainingEmbeddings | None = None
    frames: Frames | None = None
    layer_weights: NDArray[np.float32] | None = None
    unlabelled: NDArray[np.float32] | None = None
    others: tuple[Frames, ...] = ()


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
    recipe: CropRecipe | None = None,
    crops: Mapping[str, Sequence[TeacherEmbeddings]] | None = None,
) -> tuple[TeacherSignal, ...]:
    """What a loss with these ``needs`` is given of every teacher, for one training partition.

    Fits may share it, and each notes what it fits; ``view`` is one that no fit has.

    Args:
        teachers: embeddings of the corpus.
        targets: of all partitions.
        view: of this one.
        head: as the targets were asked for.
        needs: of the loss.
        hears_unlabelled: whether it also hears unlabelled audio.
        recipe: of the crops that it hears in place of utterances; None: it does not.
        crops: each teacher's embeddings of them, of the first crop of each utterance, the second, …
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
