"""The weights that fits start from, if students inherit or are pretrained. Each is made
once and cached.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from serbench.api import EpochEvent
from serbench.files.cache_kinds import kind_folder
from serbench.files.source import core_digest, package_digest
from serbench.learning.fit.task import InitialState, PretrainResult, PretrainTask, TeacherFrames
from serbench.learning.teach.embeddings import TeacherEmbeddings, teacher_frames
from serbench.running.executors.executor import Executor
from serbench.running.harness.code import FIT, precision_on
from serbench.running.harness.inputs import Inputs
from serbench.running.harness.observer import Observer
from serbench.running.plan.records import (
    Candidate,
    RunPlan,
    describe_front_end,
    digest_of,
    stable_seed,
)
from serbench.running.store.cache import FitCache

STUDENT, LOSS = "student.", "loss."
"""Prefix of tensor names in a cached pretraining."""


def pretraining_of(
    candidate: Candidate, method: str, seed: int, inputs: Inputs, device: str
) -> PretrainTask | None:
    """The pretraining of a candidate on the unlabelled audio, with one of the run's seeds.

    None if the candidate is not pretrained. Its fits then start from random weights, or from those
    that its student inherits.

    Raises:
        TeacherError: the weights that its student inherits are not available.
    """
    loss = candidate.objective
    if inputs.pretrain is None or (loss is None and not candidate.inherits):
        return None
    settings = candidate.settings
    features = inputs.pretrain.features[candidate.front_end]
    embeddings = _chosen(candidate, inputs.pretrain.embeddings)
    task_seed = stable_seed("pretraining", inputs.pretrain.audio.digest, seed)
    key = digest_of(
        {
            "student": [candidate.student.name, candidate.student.params.model_dump(mode="json")],
            "inherits": candidate.student.model_digest,
            "loss": [loss.name, loss.params.model_dump(mode="json")] if loss else [],
            "segments": settings.segments.model_dump(mode="json"),
            "augment": settings.augment.model_dump(mode="json", exclude={"crops", "speed"}),
            "pretrain": settings.pretrain.model_dump(mode="json"),
            "features": features.digest,
            "front_end": describe_front_end(candidate),
            "teachers": [[name, each.digest] for name, each in embeddings.items()],
            "classes": len(inputs.table.labels),
            "seed": task_seed,
            "device": device,
            "precision": precision_on(device, settings.pretrain),
            "torch": torch.__version__,
            "code": [
                core_digest(FIT),
                package_digest(type(candidate.student)),
                package_digest(type(loss)) if loss else "",
            ],
        }
    )
    return PretrainTask(
        name=f"{method}/seed-{seed}/pretraining",
        key=key,
        student=candidate.student,
        loss=loss,
        settings=settings,
        front_end=candidate.front_end,
        num_classes=len(inputs.table.labels),
        features=features,
        teachers=tuple(
            TeacherFrames(name, teacher_frames(each), each.stored_pooled.shape[1])
            for name, each in embeddings.items()
        ),
        seed=task_seed,
        device=device,
    )


def _chosen(
    candidate: Candidate, embeddings: Mapping[str, TeacherEmbeddings]
) -> dict[str, TeacherEmbeddings]:
    """The teachers that a candidate's objective uses, in the order of the run."""
    if candidate.objective is None or not candidate.objective.needs:
        return {}
    wanted = candidate.settings.pretrain.teachers or tuple(embeddings)
    return {name: each for name, each in embeddings.items() if name in wanted}


def start_of(candidate: Candidate, pretraining: PretrainTask | None) -> str:
    """The part of a fit's address for the weights that it starts from; empty: random weights.

    Raises:
        TeacherError: the weights that its student inherits are not available.
    """
    return pretraining.key if pretraining else candidate.student.model_digest


def initial_state(
    pretraining: PretrainTask | None, found: Mapping[str, InitialState], inputs: Inputs
) -> InitialState | None:
    """Weights that a fit starts from; None: random weights, or those that its student inherits.

    Projections are matched by their position among the teachers. They continue from a pretraining
    only if it had the same teachers as the fits.
    """
    if pretraining is None:
        return None
    state = found[pretraining.key]
    same = [each.name for each in pretraining.teachers] == list(inputs.embeddings)
    return state if same else InitialState(state.student, {})


def pretrain_all(
    plan: RunPlan,
    inputs: Inputs,
    cache: Path,
    executor: Executor,
    device: str,
    watch: Observer,
) -> dict[str, InitialState]:
    """Results of all pretrainings of a plan by their keys, from the cache or trained
    now, each once.
    """
    return pretrain_each(pretrainings(plan, inputs, device), cache, executor, watch)


def pretrainings(plan: RunPlan, inputs: Inputs, device: str) -> dict[str, PretrainTask]:
    """The tasks of all pretrainings of a plan by their keys."""
    tasks: dict[str, PretrainTask] = {}
    for method in plan.methods:
        for seed in range(plan.protocol.seeds):
            for candidate in method.candidates:
                task = pretraining_of(candidate, method.name, seed, inputs, device)
                if task is not None:
                    tasks.setdefault(task.key, task)
    return tasks


def pretrain_each(
    tasks: Mapping[str, PretrainTask], cache: Path, executor: Executor, watch: Observer
) -> dict[str, InitialState]:
    """Results of some pretrainings by their keys, from the cache or trained now."""
    kept_weights = FitCache(cache, "pretraining")
    found: dict[str, InitialState] = {}
    for key, task in tasks.items():
        kept = kept_weights.get(key)
        if kept is not None:
            found[key] = InitialState(_below(kept.tensors, STUDENT), _below(kept.tensors, LOSS))
            _tell_again(task.name, kept.json["history"], watch)
    begun = kind_folder(cache, "checkpoints")
    todo = [
        replace(task, checkpoint=begun / f"{key}.pt")
        for key, task in tasks.items()
        if key not in found
    ]
    count = _EpochCount(todo, watch)
    for result in executor.pretrainings(todo, count.epoch):
        _keep(kept_weights, result)
        (begun / f"{result.key}.pt").unlink(missing_ok=True)
        found[result.key] = result.state
    return found


class _EpochCount:
    """Reports the epochs of all pretrainings as one stage."""

    def __init__(self, tasks: Iterable[PretrainTask], watch: Observer) -> None:
        total = sum(task.settings.pretrain.epochs for task in tasks if task.loss)
        self._tell = partial(watch.advance, "pretraining (epochs)", total=total)
        self._watch = watch
        self._done = 0
        if total:
            self._tell(done=0)

    def epoch(self, event: EpochEvent) -> None:
        (self._watch.epoch_again if event.cached else self._watch.epoch)(event)
        self._done += 1
        self._tell(done=self._done)


def _keep(cache: FitCache, result: PretrainResult) -> None:
    tensors = {STUDENT + name: value for name, value in result.state.student.items()}
    tensors |= {LOSS + name: value for name, value in result.state.loss.items()}
    facts = {"seconds": result.seconds, "history": list(result.history)}
    cache.put(result.key, facts, {}, tensors)


def _tell_again(name: str, history: Sequence[Mapping[str, float]], watch: Observer) -> None:
    """Send the epochs of a cached pretraining as they were when it was trained."""
    for epoch, terms in enumerate(history, start=1):
        watch.epoch_again(EpochEvent(name, epoch, len(history), terms, cached=True))


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
