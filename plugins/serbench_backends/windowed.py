"""Shared by runtimes with fixed shapes: an utterance is processed one window at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from serbench.api import DeployedModel, WaveformPredictor, Waveforms

WindowPredictor = Callable[[Waveforms, NDArray[np.int64]], NDArray[np.float32]]
"""``predict(window (1, S), length (1,)) -> posteriors (1, C)``."""


def over_windows(model: DeployedModel, predict: WindowPredictor) -> WaveformPredictor:
    """A predictor of waveforms. It cuts each waveform into windows, predicts each window alone, and
    takes the mean.
    """

    def utterance(waveform: Waveforms) -> NDArray[np.float64]:
        windows, lengths = model.windows(waveform)
        rows = [predict(windows[[n]], lengths[[n]])[0] for n in range(len(windows))]
        return np.stack(rows).astype(np.float64).mean(axis=0)

    return lambda waveforms: np.stack([utterance(each) for each in waveforms]).astype(np.float32)
