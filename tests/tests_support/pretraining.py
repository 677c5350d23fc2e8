"""A student whose map is learnt, one that inherits, hints without labels, and noise to hear."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from serbench.api import (
    Batch,
    EpochEvent,
    Loss,
    LossShape,
    LossTerms,
    Params,
    Student,
    StudentOutput,
    StudentShape,
    TeacherCard,
)
from serbench.running.harness.run import run
from serbench.running.plan.records import Candidate, MethodPlan, RunPlan
from serbench.settings import PretrainSettings
from serbench_teachers.functionals import Functionals, FunctionalsParams
from tests_support.runs import Watcher, candidate, method, resources, run_plan
from tests_support.tables import write_noise

WIDTH = 6


class MapStudent(Student):
    """A learnt map of each frame, its mean over time, and a linear classifier."""

    name = "map"
    Params = Params

    def build(self, shape: StudentShape) -> nn.Module:
        return MapNetwork(shape)


class MapNetwork(nn.Module):
    def __init__(self, shape: StudentShape) -> None:
        super().__init__()
        self.project = nn.Conv1d(shape.channels * shape.n_mels, WIDTH, 1)
        self.classify = nn.Linear(WIDTH, shape.num_classes)

    def forward(self, features: Tensor, lengths: Tensor) -> StudentOutput:
        mask = torch.arange(features.shape[3])[None] < lengths[:, None]
        y = self.project(features.flatten(1, 2)) * mask[:, None]  # (N, WIDTH, frames)
        embedding = y.sum(dim=2) / lengths[:, None]
        last_map = y[:, :, None]
        return StudentOutput(
            self.classify(embedding), embedding, (last_map,), (mask,), last_map, mask
        )


class HeirParams(Params):
    """What it inherits."""

    model: str = "some"
    """Digest of the weights."""


class Heir(MapStudent):
    """A map student whose projection is set to the mean of what it hears."""

    name = "heir"
    Params = HeirParams
    params: HeirParams

    @property
    def card(self) -> TeacherCard:
        return TeacherCard("Forebear", "MIT", "https://example.org", "Anon", ("LibriSpeech",))

    @property
    def model_digest(self) -> str:
        return self.params.model

    def inherit(self, network: nn.Module, speech: Iterable[tuple[Tensor, Tensor]]) -> None:
        means, count = torch.zeros(()), 0
        for features, lengths in speech:
            self.heard(features, lengths)
            means = means + (features.sum(dim=3) / lengths[:, None, None]).flatten(1).sum(dim=0)
            count += len(lengths)
        weight = network.get_parameter("project.weight")
        with torch.no_grad():
            weight.copy_((means / count)[None, :, None].expand_as(weight))

    def heard(self, features: Tensor, lengths: Tensor) -> None:
        """Told of each batch."""


class HintedParams(Params):
    """What the loss reads; by default labels and hints."""

    labels: bool = True
    hint: bool = True
    extra: int = 0
    """Outputs that the projection has besides the teacher's."""


class Hinted(Loss):
    """Cross-entropy, and the mean map against the mean of the teachers' frames."""

    name = "hinted"
    Params = HintedParams
    params: HintedParams

    @property
    def needs(self) -> Any:
        return frozenset({"frames"} if self.params.hint else ())

    def build(self, shape: LossShape) -> nn.Module:
        return HintedLoss(self.params, shape)


class HintedLoss(nn.Module):
    def __init__(self, params: HintedParams, shape: LossShape) -> None:
        super().__init__()
        self.params = params
        if params.hint:
            self.project = nn.Linear(shape.embedding_dim, shape.frame_dims[0] + params.extra)

    def forward(self, batch: Batch, output: StudentOutput) -> LossTerms:
        terms = {}
        if self.params.labels:
            terms["task"] = F.cross_entropy(output.logits, batch.labels)
        if self.params.hint:
            frames, lengths = batch.teacher_frames[0], batch.teacher_lengths[0]
            real = torch.arange(frames.shape[1])[None] < lengths[:, None]
            target = (frames * real[..., None]).sum(dim=1) / lengths[:, None]
            hint = self.project(output.embedding)[:, : target.shape[1]]
            terms["hint"] = (hint - target).square().mean()
        return terms | {"total": torch.stack(list(terms.values())).sum()}


def hints_only() -> Loss:
    """The objective of a pretraining."""
    return Hinted(HintedParams(labels=False))


def hinted(before: bool = True, student: Student | None = None, **params: Any) -> Candidate:
    """The map student under a hinted loss, with short training and pretraining.

    Args:
        before: whether it is pretrained.
        student: another one.
        params: of the loss.
    """
    loss = Hinted(HintedParams.model_validate(params))
    chosen = candidate(loss=loss, student=student or MapStudent(Params()))
    return pretrained_candidate(chosen, objective="hints" if before else None)


def pretrained_candidate(chosen: Candidate, **pretrain: Any) -> Candidate:
    """The candidate with a short pretraining."""
    quick = {
        "objective": "hints", "epochs": 2, "batch_size": 4, "learning_rate": 0.02,
        "precision": "fp32",
    } | pretrain  # fmt: skip
    settings = chosen.settings.model_copy(
        update={"pretrain": PretrainSettings.model_validate(quick)}
    )
    objective = hints_only() if quick["objective"] else None
    return replace(chosen, settings=settings, objective=objective)


def write_speech(folder: Path, recordings: int = 4, seed: int = 7) -> None:
    """Noise of both colours, 1 to 2 s, of no corpus."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(recordings):
        x = rng.normal(0, 0.1, int(16_000 * rng.uniform(1.0, 2.0)))
        x = np.diff(x, prepend=0.0) if number % 2 else np.cumsum(x) * 0.05
        x = np.clip(x, -1, 1).astype(np.float32)
        soundfile.write(folder / f"r{number}.wav", x, 16_000)


def write_both(root: Path, speakers: int = 3, utterances: int = 2) -> None:
    """``root/noise``, a corpus, and ``root/speech``, audio without labels."""
    write_noise(root / "noise", speakers, utterances)
    write_speech(root / "speech")


def pretrained_plan(root: Path, *methods: MethodPlan, **protocol: Any) -> RunPlan:
    """A run over ``root/noise`` whose students are pretrained on ``root/speech``."""
    plan = run_plan(root / "noise", *(methods or (method("hinted", hinted()),)), **protocol)
    teachers = {"functionals": Functionals(FunctionalsParams())}
    return replace(plan, teachers=teachers, pretrain_audio=root / "speech")


def make_pretrained(root: Path, *methods: MethodPlan, **protocol: Any) -> Path:
    """``root/noise``, ``root/speech``, and ``root/run`` on both."""
    write_both(root)
    plan = pretrained_plan(root, *methods, **protocol)
    return run(plan, resources(root, folder=root / "run"), Watcher())


def pretrainings(watch: Watcher) -> list[str]:
    """Names of the pretrainings that were done, once for each epoch."""
    return [
        event.fit
        for event in watch.events
        if isinstance(event, EpochEvent) and event.fit.endswith("/pretraining")
    ]
