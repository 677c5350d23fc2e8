from __future__ import annotations

import numpy as np
import pytest
from tests_support.copies import speech_like

from serbench.checks.survey.voice import VALUES, voice


@pytest.fixture(scope="module")
def spoken() -> np.ndarray:
    return speech_like(np.random.default_rng(0), 2.0)


def test_each_half_has_its_own_statistics(spoken: np.ndarray) -> None:
    described = voice(spoken)
    assert described is not None
    assert described.shape == (2, VALUES)
    assert np.isfinite(described).all()
    turned = voice(np.concatenate([spoken[16_000:], spoken[:16_000]]))
    assert turned is not None
    # The halves change places; only frames at the seam differ.
    assert np.abs(turned[::-1] - described).mean() < np.abs(turned - described).mean() / 2


def test_level_and_pauses_change_nothing(spoken: np.ndarray) -> None:
    described = voice(spoken)
    soft = voice((0.01 * spoken).astype(np.float32))
    silence = np.zeros(320 * 50, np.float32)
    padded = voice(np.concatenate([silence, spoken, silence]))
    assert described is not None
    assert soft is not None
    assert padded is not None
    np.testing.assert_allclose(soft, described, atol=1e-3)
    np.testing.assert_allclose(padded, described, atol=0.2)


@pytest.mark.parametrize("samples", [0, 1, 512, 16_000])
def test_too_little_speech_has_no_voice(spoken: np.ndarray, samples: int) -> None:
    """A second of silence with a quarter second of speech is not enough either."""
    waveform = spoken[:samples].copy()
    waveform[4_000:] = 0
    assert voice(waveform) is None


def test_digital_silence_has_no_voice() -> None:
    assert voice(np.zeros(32_000, np.float32)) is None
