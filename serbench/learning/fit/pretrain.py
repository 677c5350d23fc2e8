"""Pretraining: initial weights of students, made on unlabelled audio before any fold.

They are inherited from a pretrained model, or come from label-free distillation, or both. No label
and no utterance of the corpus is used, so that all folds may start from them.
"""

from __future__ import annotations

import time
from itertools import islice

import torch
from torch import Tensor

from serbench.api import EpochEvent, PluginError
from serbench.learning.fit.audio import AudioBatches
from serbench.learning.fit.checkpoint import Checkpoint
from serbench.learning.fit.inherit import inherit
from serbench.learning.fit.loop import OnEpoch
from serbench.learning.fit.optimise import Optimisation, built, in_float32, seeded
from serbench.learning.fit.task import InitialState, PretrainResult, PretrainTask

START_BATCHES = 8
"""Batches for a loss's initial parameters: with 64 windows of 3 s each, 25 minutes of speech."""


def pretrain(task: PretrainTask, on_epoch: OnEpoch) -> PretrainResult:
    """Let a student inherit, if it can, then train it to predict its teachers' frames.

    A pretraining that was stopped continues from its checkpoint.

    Raises:
        PluginError: the objective needs something that unlabelled audio does not have.
        TeacherError: the weights that the student inherits are not available.
        SerbenchError: the loss stopped being finite.
    """
    started = time.perf_counter()
    with seeded(task):
        batches = AudioBatches(task, torch.device(task.device))
        if task.loss is None:
            student, _ = built(task)
            _inherit(task, student, batches)
            state, history = InitialState(_on_cpu(student.state_dict()), {}), ()
        else:
            state, history = _trained(task, batches, on_epoch)
    return PretrainResult(task.name, task.key, state, history, time.perf_counter() - started)


def _trained(
    task: PretrainTask, batches: AudioBatches, on_epoch: OnEpoch
) -> tuple[InitialState, tuple[dict[str, float], ...]]:
    """The state after all epochs, and the loss terms of each epoch.

    ``on_epoch`` also receives the epochs of a checkpoint.
    """
    settings = task.settings.pretrain
    training = Optimisation.of(task, batches, settings, settings.epochs)
    checkpoint = Checkpoint(task.checkpoint, training, batches.generator)
    history = checkpoint.resume()
    if not history:
        _inherit(task, training.student, batches)
        _start(task, training, batches)
    for epoch, terms in enumerate(history, start=1):
        on_epoch(EpochEvent(task.name, epoch, settings.epochs, terms, cached=True))
    for epoch in range(len(history) + 1, settings.epochs + 1):
        history.append(_epoch(task, epoch, training, batches))
        checkpoint.save(history)
        on_epoch(EpochEvent(task.name, epoch, settings.epochs, history[-1]))
    state = InitialState(
        _on_cpu(training.student.state_dict()), _on_cpu(training.loss.state_dict())
    )
    return state, tuple(history)


def _epoch(
    task: PretrainTask, epoch: int, training: Optimisation, batches: AudioBatches
) -> dict[str, float]:
    """
    Raises:
        PluginError: as ``pretrain``.
    """
    try:
        return training.epoch(task.name, epoch, batches)
    except IndexError as error:
        raise PluginError(
            f"pretrain.objective = {task.settings.pretrain.objective}: it needs something that "
            f"unlabelled audio does not have, most likely a label ({error}); use frames, or "
            "another loss that needs no labels"
        ) from error


def _inherit(task: PretrainTask, student: torch.nn.Module, batches: AudioBatches) -> None:
    if task.student.card is not None:
        inherit(task.student, student, batches.windows(task.seed))


def _start(task: PretrainTask, training: Optimisation, batches: AudioBatches) -> None:
    """If the student inherits, initialise the loss's parameters to fit the inherited weights."""
    start = getattr(training.loss, "start", None)
    if task.student.card is None or start is None:
        return
    training.student.eval()
    with torch.inference_mode():
        start(
            (batch, in_float32(training.student(batch.features, batch.lengths)))
            for batch in islice(batches.taught(task.seed), START_BATCHES)
        )


def _on_cpu(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().cpu().contiguous() for name, value in state.items()}
