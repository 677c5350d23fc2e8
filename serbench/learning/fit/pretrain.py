"""Label-free distillation on unlabelled audio, before any fold.

What it gives is an initial state that has seen no label and heard no utterance of the corpus, so
that all folds may start from it.
"""

from __future__ import annotations

import time

import torch
from torch import Tensor

from serbench.api import EpochEvent
from serbench.learning.fit.audio import AudioBatches
from serbench.learning.fit.loop import OnEpoch
from serbench.learning.fit.optimise import Optimisation, seeded
from serbench.learning.fit.task import InitialState, PretrainResult, PretrainTask


def pretrain(task: PretrainTask, on_epoch: OnEpoch) -> PretrainResult:
    """Train a student to give its teachers' frames, on audio without labels.

    Raises:
        SerbenchError: the loss stopped being finite.
    """
    started = time.perf_counter()
    settings = task.settings.pretrain
    history: list[dict[str, float]] = []
    with seeded(task):
        batches = AudioBatches(task, torch.device(task.device))
        training = Optimisation.of(task, batches, settings, settings.epochs)
        for epoch in range(1, settings.epochs + 1):
            history.append(training.epoch(task.name, epoch, batches))
            on_epoch(EpochEvent(task.name, epoch, settings.epochs, history[-1]))
    state = InitialState(
        _on_cpu(training.student.state_dict()), _on_cpu(training.loss.state_dict())
    )
    return PretrainResult(task.name, task.key, state, tuple(history), time.perf_counter() - started)


def _on_cpu(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().cpu().contiguous() for name, value in state.items()}
