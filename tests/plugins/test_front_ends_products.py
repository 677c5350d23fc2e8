"""The front end in matrix products against a discrete Fourier transform written out in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests_support.front_ends import LOG_MEL, front_end

from serbench.api import PluginError
from serbench.learning.front_ends import Extractor
from serbench_front_ends.log_mel import LogMelParams
from serbench_front_ends.transforms.log_mel import LogMelFrames
from serbench_front_ends.transforms.whisper import WhisperFrames
from serbench_front_ends.whisper import WhisperParams

DEFAULT = LogMelParams()


def reference(waveform: NDArray[np.float64], settings: LogMelParams) -> NDArray[np.float64]:
    """Reflected, framed, windowed, transformed and filtered, one frame at a time."""
    window, hop = round(settings.window_s * 16_000), round(settings.hop_s * 16_000)
    n_fft = 1 << (window - 1).bit_length()
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    taps = np.zeros(n_fft)
    taps[(n_fft - window) // 2 :][:window] = hann
    padded = np.pad(waveform, n_fft // 2, mode="reflect")
    filters = LogMelFrames(settings).transform.mel_scale.fb.double().numpy()
    rows = []
    for start in range(0, len(padded) - n_fft + 1, hop):
        spectrum = np.abs(np.fft.rfft(padded[start : start + n_fft] * taps)) ** 2
        rows.append(np.log(spectrum @ filters + 1e-6))
    return np.stack(rows)


@hypothesis_settings(max_examples=15, deadline=None)
@given(samples=st.integers(1600, 9000), seed=st.integers(0, 99))
def test_it_is_the_log_mel_spectrum(samples: int, seed: int) -> None:
    waveform = np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)
    frames = LOG_MEL.exported()(torch.from_numpy(waveform)[None])[0]
    expected = reference(waveform.astype(np.float64), DEFAULT)
    np.testing.assert_allclose(frames.numpy(), expected, atol=2e-4)


@pytest.mark.parametrize(
    "changes",
    [
        {"n_mels": 64},
        {"window_s": 0.032, "hop_s": 0.016},
        {"window_s": 0.02},
        {"hop_s": 0.03},
        {"f_min_hz": 100.0, "f_max_hz": 4000.0},
    ],
)
def test_it_follows_the_settings(changes: dict[str, float]) -> None:
    settings = LogMelParams.model_validate(changes)
    waveform = np.random.default_rng(0).normal(0, 0.1, 5000).astype(np.float32)
    frames = front_end(**changes).exported()(torch.from_numpy(waveform)[None])[0]
    np.testing.assert_allclose(
        frames.numpy(), reference(waveform.astype(np.float64), settings), atol=2e-4
    )


@hypothesis_settings(max_examples=15, deadline=None)
@given(samples=st.integers(1600, 9000), seed=st.integers(0, 99))
def test_whispers_is_the_log_mel_spectrum_of_its_encoder(samples: int, seed: int) -> None:
    waveform = np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)
    waveform[1000:2000] = 0.0
    frames = front_end("whisper").exported()(torch.from_numpy(waveform)[None])[0]
    padded = np.pad(waveform.astype(np.float64), 200, mode="reflect")
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    starts = range(0, len(padded) - 399, 160)
    power = np.stack([np.abs(np.fft.rfft(padded[s : s + 400] * hann)) ** 2 for s in starts])
    filters = WhisperFrames(WhisperParams()).transform.mel_scale.fb.double().numpy()
    expected = (np.log10(np.maximum(power @ filters, 1e-10)) + 4.0) / 4.0
    np.testing.assert_allclose(frames.numpy(), expected, atol=2e-5)


@pytest.mark.parametrize("samples", [1600, 1601, 7999])
def test_a_waveforms_frames_are_its_samples(samples: int) -> None:
    heard = front_end("waveform", hop_s=0.02)
    waveform = np.random.default_rng(0).normal(0, 0.1, samples).astype(np.float32)
    module = heard.exported()
    whole = module(torch.from_numpy(waveform)[None])
    np.testing.assert_array_equal(whole[0], Extractor(heard)(waveform))
    assert torch.equal(module.frames(whole.flatten(1)), whole)  # pyright: ignore[reportCallIssue]


@pytest.mark.parametrize("changes", [{"window_s": 0.0201875}, {"hop_s": 0.0100625}])
def test_a_frame_that_cannot_be_halved_is_told(changes: dict[str, float]) -> None:
    heard = front_end(**changes)
    assert "a multiple of 4 samples and the hop a multiple of 2" in heard.not_exported
    with pytest.raises(PluginError, match="front end log-mel cannot be exported: window_s = "):
        heard.exported()
