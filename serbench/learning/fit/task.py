"""Input and result of a fit and of a pretraining; both are passed between processes."""

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
    """Initial weights of a student and of its loss's projections, made without labels.

    Attributes:
        student, loss: tensors by name.
    """

    student: Mapping[str, Tensor] = field(repr=False)
    loss: Mapping[str, Tensor] = field(repr=False)

    def load_into(self, student: nn.Module, loss: nn.Module) -> None:
        """Load all weights of the student, and those of the loss that are in this state."""
        student.load_state_dict(dict(self.student))
        shared = {
            name: value
            for name, value in loss.state_dict().items()
            if name in self.loss and self.loss[name].shape == value.shape
        }
        loss.load_state_dict({name: self.loss[name] for name in shared}, strict=False)


@dataclass(frozen=True)
class TrainingTask:
    """Input that a fit and a pretraining have in common.

    Attributes:
        name: ``METHOD/seed-S/outer-K[/candidate-J/inner-I]`` or ``METHOD/seed-S/pretraining``.
        key: content address of everything that determines the result.
        loss: None in a pretraining that only inherits, and for an estimator.
        num_classes: C.
        front_end: computes the student's input.
        features: the front end's frames of the corpus, or of the unlabelled audio.
        seed: seed of initial weights, windows and masks; the same for every method.
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
        train: the training partition; its labels are the only ones that a fit receives.
        validation: inner validation partition, for its UA; None in a refit.
        segments: windows to predict after training: of the validation or the outer test
            partition. They have no label if the partition is sealed.
        epochs: the fit stops after so many (a refit: after the mean best epoch of its inner fits).
            The schedule is made for ``settings.training.epochs``. 0: the probe alone.
        initial: result of a pretraining; None: new weights, or those that the student inherits.
        unlabelled: frames of the unlabelled audio, if the fit uses it; None: it does not.
        crops: frames of the fixed crops of the corpus's utterances: of the first crop of each, of
            the second, …; empty: training uses random windows of ``features``.
        normaliser: used instead of one fitted on ``train``, by deliberately broken protocols only.
        checkpoint: file that the fit's progress is saved in; None: it is not saved.
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
        frames: each row has all L layers end to end.
        layers: L; no layer weights have been learnt yet, so the mean of the layers is used.
    """

    name: str
    frames: Frames
    layers: int


@dataclass(frozen=True)
class PretrainTask(TrainingTask):
    """One pretraining: what the student inherits, then epochs of a loss that reads no labels.

    Attributes:
        teachers: the teachers' frames of the same recordings in the same order.
        checkpoint: file that the progress is saved in; None: it is not saved.
    """

    teachers: tuple[TeacherFrames, ...]
    checkpoint: Path | None = None


@dataclass(frozen=True)
class PretrainResult:
    """Result of a pretraining: an initial state, and a record of the training.

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
    """One epoch: mean of each loss term, UA on inner validation if it was computed."""

    epoch: int
    terms: Mapping[str, float]
    validation_ua: float | None = None


@dataclass(frozen=True)
class FitResult:
    """Result of a fit.

    Attributes:
        ids: the utterances that were predicted; ``posteriors (U, C)`` are in this order.
        best_epoch: the epoch whose weights were kept, from 1. 0: the linear probe's weights were
            kept, or the student is an estimator, which has no epochs.
        validation_ua: UA on inner validation at that epoch; None in a refit.
        seconds: wall time of the whole fit; ``step_seconds`` of it were spent in forward, loss,
            backward and optimiser.
        readings: the loss's readings for each training utterance: by name, ``(E, N)`` or
            ``(E, N, k)`` float32, NaN if an utterance did not occur; see ``api.Loss``.
        parameters: trained numbers of the student; ``flops``: its FLOPs for 3 s of audio.
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
