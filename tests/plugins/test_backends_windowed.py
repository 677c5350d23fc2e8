from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

from serbench.api import Waveforms
from serbench_backends.windowed import over_windows


def cut(waveform: Waveforms) -> tuple[Waveforms, NDArray[np.int64]]:
    windows = waveform.reshape(-1, 4)
    return windows, np.arange(len(windows)) + 10


def test_each_window_is_run_alone_and_an_utterance_is_their_mean() -> None:
    seen = []

    def predict(window: Waveforms, length: NDArray[np.int64]) -> NDArray[np.float32]:
        seen.append((window.shape, length.tolist()))
        share = window.mean()
        return np.array([[share, 1 - share]], dtype=np.float32)

    model = SimpleNamespace(windows=cut)
    waveforms = np.stack([np.repeat([0.0, 1.0, 0.5], 4), np.full(12, 0.25)]).astype(np.float32)
    posteriors = over_windows(model, predict)(waveforms)  # pyright: ignore[reportArgumentType]
    np.testing.assert_array_equal(posteriors, [[0.5, 0.5], [0.25, 0.75]])
    assert posteriors.dtype == np.float32
    assert seen == [((1, 4), [10]), ((1, 4), [11]), ((1, 4), [12])] * 2
