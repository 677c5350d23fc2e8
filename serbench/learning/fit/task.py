"""What a fit is given and what it gives back; both travel between processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from serbench.api import Backend, FrontEnd, Loss, Student
from serbench.learning.features import Frames, Normaliser
from serbench.learning.segments import Segment
from serbench.learning.teach.targets import TeacherSignal
from serbench.protocol.guard.view import FittedRecord, PartitionView
from serbench.settings import MethodSettings

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class InitialState:
    """What a student, and the projections of its loss, start from; no label has been read.

    Attributes:
        student, loss: tensors by name.
    """

    student: Mapping[str, Tensor] = field(repr=False)
    loss: Mapping[str, Tensor] = field(repr=False)

    def load_into(self, student: nn.Module, loss: nn.Module) -> None:
        """Load every weight of the student, and those of the loss that it has, too."""
        student.load_state_dict(dict(self.student))
        shared = {
            name: value
            for name, value in loss.state_dict().items()
            if name in self.loss and self.loss[name].shape == value.shape
        }
        loss.load_state_dict({name: self.loss[name] for name in shared}, strict=False)


@dataclass(frozen=True)
class TrainingTask:
    """What a fit and a pretraining have in common.

    Attributes:
        name: ``METHOD/seed-S/outer-K[/candidate-J/inner-I]`` or ``METHOD/seed-S/pretraining``.
        key: content address of everything that determines the result.
        loss: None in a pretraining that only inherits, and of an estimator.
        num_classes: C.
        front_end: what the student hears through.
        features: its frames of the corpus, or of the unlabelled audio.
        seed: of initial weights, windows and masks; the same for every method.
    """

    name: str
    key: str
    student: Student
    loss: Loss | None
    settings: MethodSettings
    front_end: FrontEnd
    num_classes: int
    features: Frames
    seed: int
    device: str


@dataclass(frozen=True)
class FitTask(TrainingTask):
    """One fit: train on ``train``, then predict ``segments``.

    Attributes:
        train: the training partition; it carries the only labels a fit ever sees.
        validation: inner validation partition, for its UA; None in a refit.
        segments: windows to predict after training: of the validation or the outer test
            partition. They carry no label where the partition is sealed.
        epochs: to stop after (a refit takes the mean best epoch of its inner fits);
            ``settings.training.epochs`` are what the schedule is made for. 0: the probe alone.
        initial: what a pretraining gave; None: fresh weights, or those that the student inherits.
        unlabelled: frames of the unlabelled audio, where its windows are heard in the fit; None:
            they are not.
        crops: frames of the fixed crops of the corpus's utterances, of the first of each, the
            second of each, …; none: training hears random windows of ``features``.
        normaliser: to use instead of one fitted on ``train``; deliberately broken protocols only.
        checkpoint: where it is written down how far it has come; None: nowhere.
    """

    loss: Loss | None
    method: str
    train: PartitionView
    validation: PartitionView | None
    segments: tuple[Segment, ...]
    teachers: tuple[TeacherSignal, ...]
    backend: Backend
    epochs: int
    initial: InitialState | None = None
    unlabelled: Frames | None = None
    crops: tuple[Frames, ...] = ()
    normaliser: Normaliser | None = None
    checkpoint: Path | None = None


@dataclass(frozen=True)
class TeacherFrames:
    """A teacher's frames of the unlabelled audio.

    Attributes:
        frames: each row all L layers end to end.
        layers: L; nothing was learnt yet that could weigh them, so their mean is taken.
    """

    name: str
    frames: Frames
    layers: int


@dataclass(frozen=True)
class PretrainTask(TrainingTask):
    """One pretraining: what the student inherits, then epochs of a loss that reads no labels.

    Attributes:
        teachers: their frames of the same recordings in the same order.
        checkpoint: where it is written down how far it has come; None: nowhere.
    """

    teachers: tuple[TeacherFrames, ...]
    checkpoint: Path | None = None


@dataclass(frozen=True)
class PretrainResult:
    """An initial state, and how it came about.

    Attributes:
        history: mean of each term of the loss, by epoch.
        seconds: wall time.
    """

    name: str
    key: str
    state: InitialState
    history: tuple[dict[str, float], ...]
    seconds: float


@dataclass(frozen=True)
class EpochRecord:
    """One epoch: mean of each loss term, UA on inner validation where it was taken."""

    epoch: int
    terms: Mapping[str, float]
    validation_ua: float | None = None


@dataclass(frozen=True)
class FitResult:
    """What a fit gives back.

    Attributes:
        ids: the utterances it predicted; ``posteriors (U, C)`` are theirs, in this order.
        best_epoch: the epoch whose weights were kept, from 1; 0: those of the linear
            probe, or an estimator, which has none.
        validation_ua: UA on inner validation at that epoch; None in a refit.
        seconds: wall time of the whole fit; ``step_seconds`` of it in forward, loss, backward
            and optimiser.
        readings: what the loss read of each training utterance: by name, ``(E, N)`` or
            ``(E, N, k)`` float32, NaN where an utterance did not come up; see ``api.Loss``.
        parameters: trained numbers of the student; ``flops``: what it computes of 3 s of audio.
        state: the student's weights with the normaliser's ``mean`` and ``deviation``.
    """

    name: str
    key: str
    ids: tuple[str, ...]
    posteriors: FloatArray
    best_epoch: int
    validation_ua: float | None
    history: tuple[EpochRecord, ...]
    parameters: int
    flops: int
    seconds: float
    step_seconds: float
    fitted: tuple[FittedRecord, ...]
    readings: Mapping[str, FloatArray] = field(repr=False, default_factory=dict)
    state: Mapping[str, Tensor] = field(repr=False, default_factory=dict)
