"""What students start from, made on unlabelled audio before any fold.

It has seen no label and heard no utterance of the corpus, so that all folds may start from it:
weights inherited from a pretrained model, and label-free distillation.
"""

from __future__ import annotations

import time

import torch
from torch import Tensor

from serbench.api import EpochEvent, PluginError
from serbench.learning.fit.audio import AudioBatches
from serbench.learning.fit.inherit import inherit
from serbench.learning.fit.loop import OnEpoch
from serbench.learning.fit.optimise import Optimisation, built, seeded
from serbench.learning.fit.task import InitialState, PretrainResult, PretrainTask


def pretrain(task: PretrainTask, on_epoch: OnEpoch) -> PretrainResult:
    """Let a student inherit, where it does, then train it to give its teachers' frames.

    Raises:
        PluginError: the objective asks for what no unlabelled audio has.
        TeacherError: the weights that the student inherits cannot be had.
        SerbenchError: the loss stopped being finite.
    """
    started = time.perf_counter()
    history: list[dict[str, float]] = []
    with seeded(task):
        batches = AudioBatches(task, torch.device(task.device))
        if task.loss is None:
            student, _ = built(task)
            _inherit(task, student, batches)
            state = InitialState(_on_cpu(student.state_dict()), {})
        else:
            state = _trained(task, batches, history, on_epoch)
    return PretrainResult(task.name, task.key, state, tuple(history), time.perf_counter() - started)


def _trained(
    task: PretrainTask,
    batches: AudioBatches,
    history: list[dict[str, float]],
    on_epoch: OnEpoch,
) -> InitialState:
    """The state after all epochs, whose terms are added to ``history``."""
    settings = task.settings.pretrain
    training = Optimisation.of(task, batches, settings, settings.epochs)
    _inherit(task, training.student, batches)
    for epoch in range(1, settings.epochs + 1):
        try:
            history.append(training.epoch(task.name, epoch, batches))
        except IndexError as error:
            raise PluginError(
                f"pretrain.objective = {settings.objective}: it asks for what unlabelled audio "
                f"does not have, most likely a label ({error}); take frames, or another loss that "
                "reads no labels"
            ) from error
        on_epoch(EpochEvent(task.name, epoch, settings.epochs, history[-1]))
    return InitialState(_on_cpu(training.student.state_dict()), _on_cpu(training.loss.state_dict()))


def _inherit(task: PretrainTask, student: torch.nn.Module, batches: AudioBatches) -> None:
    if task.student.card is not None:
        inherit(task.student, student, batches.windows(task.seed))


def _on_cpu(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().cpu().contiguous() for name, value in state.items()}
