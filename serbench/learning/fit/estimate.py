"""Fit one student on one training partition: an estimator in one call, a network by its loss."""

from __future__ import annotations

import time

import numpy as np
import torch
from numpy.typing import NDArray

from serbench.api import Estimator
from serbench.api.fitted import EstimatorNetwork
from serbench.learning.evaluate import score
from serbench.learning.features import FrameReader, Normaliser, student_input
from serbench.learning.fit.loop import OnEpoch, fit, normaliser_of, state_of
from serbench.learning.fit.predict import predict
from serbench.learning.fit.task import FitResult, FitTask
from serbench.learning.front_ends import shape_of

UTTERANCES_AT_ONCE = 64


def fit_student(task: FitTask, on_epoch: OnEpoch) -> FitResult:
    """Call ``estimate`` for an estimator, ``loop.fit`` for a network."""
    return estimate(task) if isinstance(task.student, Estimator) else fit(task, on_epoch)


def estimate(task: FitTask) -> FitResult:
    """Fit ``task.student``, an estimator, and predict ``task.segments``.

    Everything that is fitted (the normaliser, and all that the estimator selects and fits) is
    fitted on ``task.train`` and recorded there. There are no epochs, and so no history. The result
    is deterministic for a seed and a number of threads.

    Raises:
        PluginError: the estimator refuses the data, or gives no posteriors.
        LeakageError: L6, data from outside the training partition.
    """
    started = time.perf_counter()
    frames = task.features.fitting(task.train, f"student of {task.method}")
    normaliser = normaliser_of(task, frames)
    network = task.student.build(shape_of(task.front_end, task.num_classes))
    assert isinstance(network, EstimatorNetwork)
    rows = pooled(network, frames, normaliser, task.features.channels)
    began = time.perf_counter()
    network.fit(rows, task.train.labels, np.array(task.train.units), task.seed)
    step_seconds = time.perf_counter() - began
    ids, posteriors = predict(
        network, normaliser, task.features, task.segments, task.settings.segments,
        task.backend, torch.device("cpu"),
    )  # fmt: skip
    ua = None
    if task.validation is not None:
        labels = task.validation.label_of(ids)
        ua = score(labels, posteriors.argmax(axis=1), task.num_classes).ua
    return FitResult(
        name=task.name,
        key=task.key,
        ids=ids,
        posteriors=posteriors,
        best_epoch=0,
        validation_ua=ua,
        history=(),
        parameters=network.numbers,
        flops=0,
        seconds=time.perf_counter() - started,
        step_seconds=step_seconds,
        fitted=task.train.fitted,
        state=state_of(network, normaliser),
    )


def pooled(
    network: EstimatorNetwork, speech: FrameReader, normaliser: Normaliser, channels: int
) -> NDArray[np.floating]:
    """``(U, e)``: an estimator's input for each utterance, normalised and pooled."""
    rows = []
    for start in range(0, len(speech), UTTERANCES_AT_ONCE):
        chosen = torch.arange(start, min(start + UTTERANCES_AT_ONCE, len(speech)))
        longest = int(speech.count[chosen].max())
        frames, lengths = speech.windows(chosen, torch.zeros_like(chosen), longest)
        x = student_input(normaliser(frames.float()), lengths, channels)
        rows.append(network.pool(x, lengths).numpy())
    return np.concatenate(rows)
