"""Small plans, inputs and fits over the noise corpus, quick enough for many tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from serbench.api import Estimator, FrontEnd, Loss, Params, Student, StudentOutput, StudentShape
from serbench.data.corpus.table import CorpusTable
from serbench.learning.extract import speech_frames
from serbench.learning.features import Frames
from serbench.learning.fit.task import FitResult, FitTask
from serbench.learning.segments import segment_partition
from serbench.learning.teach.targets import TeacherSignal
from serbench.protocol.guard.view import PartitionView
from serbench.protocol.splits.records import Split
from serbench.running.executors.local import LocalExecutor
from serbench.running.harness.observer import Observer
from serbench.running.harness.resources import Resources
from serbench.running.plan.dataset import DatasetPlan, PlannedCorpus
from serbench.running.plan.records import Candidate, MethodPlan, RunPlan
from serbench.running.registry.schema import DatasetSpec
from serbench.settings import (
    AugmentSettings,
    HeadSettings,
    MethodSettings,
    ProtocolSettings,
    SegmentSettings,
    TrainingSettings,
)
from serbench_backends.torch import TorchBackend, TorchParams
from serbench_baselines.ce import CrossEntropy, CrossEntropyParams
from serbench_teachers.functionals import Functionals, FunctionalsParams
from tests_support.front_ends import LOG_MEL
from tests_support.tables import Noise

EPOCHS = 3
HERE = LocalExecutor()
WINDOW_S = 0.8


class LinearStudent(Student):
    """The mean over real frames, then a linear layer."""

    name = "linear"
    Params = Params

    def build(self, shape: StudentShape) -> nn.Module:
        return LinearNetwork(shape)


class LinearNetwork(nn.Module):
    def __init__(self, shape: StudentShape) -> None:
        super().__init__()
        self.classify = nn.Linear(shape.channels * shape.n_mels, shape.num_classes)

    def forward(self, features: Tensor, lengths: Tensor) -> StudentOutput:
        mask = torch.arange(features.shape[3])[None] < lengths[:, None]
        x = features * mask[:, None, None]
        embedding = (x.sum(dim=3) / lengths[:, None, None]).flatten(1)
        last_map = x.flatten(1, 2)[:, :, None]
        return StudentOutput(
            self.classify(embedding), embedding, (last_map,), (mask,), last_map, mask
        )


def settings(**training: Any) -> MethodSettings:
    """Few epochs, no augmentation, windows shorter than some utterances."""
    quick = {"epochs": EPOCHS, "batch_size": 4, "learning_rate": 0.05, "precision": "fp32"}
    return MethodSettings(
        segments=SegmentSettings(window_s=WINDOW_S, overlap_s=0.2),
        augment=AugmentSettings(time_masks=0, mel_masks=0, gain_db=0.0),
        training=TrainingSettings.model_validate(quick | training),
        head=HeadSettings(groups=2, strengths=(0.01, 1.0)),
    )


def candidate(
    values: Mapping[str, object] | None = None,
    loss: Loss | None = None,
    student: Student | None = None,
    front_end: FrontEnd = LOG_MEL,
    **training: Any,
) -> Candidate:
    """One grid point of the linear student."""
    return Candidate(
        values or {},
        student or LinearStudent(Params()),
        None if isinstance(student, Estimator) else loss or CrossEntropy(CrossEntropyParams()),
        front_end,
        settings(**training),
    )


def method(name: str, *candidates: Candidate) -> MethodPlan:
    """A method of the linear student."""
    return MethodPlan(name, "linear", "loss", candidates or (candidate(),))


def run_plan(folder: Path, *methods: MethodPlan, **protocol: Any) -> RunPlan:
    """A run over the noise corpus in ``folder``, one fold per speaker."""
    teachers = {}
    if any(each.uses_teachers for each in methods):
        teachers["functionals"] = Functionals(FunctionalsParams())
    return RunPlan(
        dataset=DatasetPlan(
            PlannedCorpus(
                "noise", DatasetSpec(corpus="noise", folds="loso", path=folder), Noise(Params())
            )
        ),
        folds="loso",
        protocol=ProtocolSettings.model_validate(protocol),
        profile="test",
        methods=methods or (method("plain"),),
        teachers=teachers,
        backend=TorchBackend(TorchParams()),
    )


def resources(root: Path, **changes: Any) -> Resources:
    """Runs and cache below ``root``, everything in this process."""
    made = Resources(root / "runs", root / "cache", "cpu", HERE)
    return replace(made, **changes)


class Watcher(Observer):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.tasks: list[FitTask] = []
        self.results: list[FitResult] = []
        self.cached = 0
        self.events: list[object] = []

    def fits_planned(self, tasks: list[FitTask], cached: int, later: int = 0) -> None:
        self.tasks += tasks
        self.cached += cached

    def fits_added(self, tasks: list[FitTask], cached: int) -> None:
        self.fits_planned(tasks, cached)

    def fit_done(self, result: FitResult) -> None:
        self.results.append(result)

    def run_started(self, event: object) -> None:
        self.events.append(event)

    run_finished = fold_scored = epoch = run_started


def frames_of(table: CorpusTable, cache: Path) -> Frames:
    """Log-mel frames with the default front end."""
    return speech_frames(table, LOG_MEL, cache, lambda *_: None)


def fit_task(
    table: CorpusTable,
    split: Split,
    frames: Frames,
    chosen: Candidate | None = None,
    *,
    teachers: Sequence[TeacherSignal] = (),
    seed: int = 1,
) -> FitTask:
    """The fit of ``chosen`` on ``split``, as the harness would make it."""
    chosen = chosen or candidate()
    return FitTask(
        name="plain/seed-0/outer-1",
        key="0" * 64,
        method="plain",
        student=chosen.student,
        loss=chosen.loss,
        settings=chosen.settings,
        front_end=chosen.front_end,
        num_classes=len(table.labels),
        train=PartitionView(split.train, table),
        validation=None if split.test.sealed else PartitionView(split.test, table),
        segments=segment_partition(table, split.test, chosen.cutting),
        features=frames,
        teachers=tuple(teachers),
        backend=TorchBackend(TorchParams()),
        epochs=chosen.settings.training.epochs,
        seed=seed,
        device="cpu",
    )
