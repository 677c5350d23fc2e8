"""Front ends against their definitions in float64, and Whisper's against that of transformers."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from tests_support.front_ends import LOG_MEL, front_end

from serbench.api.torchaudio_compat import import_torchaudio
from serbench.learning.front_ends import Extractor

WHISPER = front_end("whisper")
WAVEFORM = front_end("waveform")


def noise(samples: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)


def speechlike(samples: int) -> NDArray[np.float32]:
    """A swelling tone with harmonics, loud and soft by turns, with a silence of zeros."""
    t = np.arange(samples) / 16_000
    tone = sum(np.sin(2 * np.pi * 180 * n * t) / n for n in range(1, 12))
    x = tone * 0.1 * np.sin(2 * np.pi * 1.3 * t) ** 4 + noise(samples) * 1e-3
    x[samples // 3 : samples // 2] = 0.0
    return x.astype(np.float32)


def triangles(edges: NDArray[np.float64], n_fft: int) -> NDArray[np.float64]:
    """Mel filters between ``edges`` in Hz, (n_mels, n_fft // 2 + 1)."""
    bins = np.linspace(0.0, 8000.0, n_fft // 2 + 1)
    filters = np.zeros((len(edges) - 2, len(bins)))
    for m in range(len(filters)):
        left, centre, right = edges[m : m + 3]
        rising, falling = (bins - left) / (centre - left), (right - bins) / (right - centre)
        filters[m] = np.clip(np.minimum(rising, falling), 0.0, None)
    return filters


def htk_edges(n_mels: int, f_min: float, f_max: float) -> NDArray[np.float64]:
    low, high = (2595.0 * np.log10(1.0 + f / 700.0) for f in (f_min, f_max))
    return 700.0 * (10.0 ** (np.linspace(low, high, n_mels + 2) / 2595.0) - 1.0)


def slaney_edges(n_mels: int) -> NDArray[np.float64]:
    """Linear below 1000 Hz (15 mels), then logarithmic, from 0 to 8000 Hz."""
    step = np.log(6.4) / 27.0
    mels = np.linspace(0.0, 15.0 + np.log(8.0) / step, n_mels + 2)
    return np.where(mels < 15.0, mels * 200.0 / 3.0, 1000.0 * np.exp(step * (mels - 15.0)))


def powers(x: NDArray[np.float32], n_fft: int, hop: int) -> NDArray[np.float64]:
    """Power spectra (frames, lines) under a Hann window of 400 samples."""
    padded = np.pad(x.astype(np.float64), n_fft // 2, mode="reflect")
    window = np.zeros(n_fft)
    window[(n_fft - 400) // 2 :][:400] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    starts = range(0, len(padded) - n_fft + 1, hop)
    return np.stack([np.abs(np.fft.rfft(padded[s : s + n_fft] * window)) ** 2 for s in starts])


def test_log_mel_equals_a_float64_reference() -> None:
    x = noise(8000)
    filters = triangles(htk_edges(40, 20.0, 7600.0), 512)
    expected = np.log(powers(x, 512, 160) @ filters.T + 1e-6)
    np.testing.assert_allclose(Extractor(LOG_MEL)(x), expected, atol=2e-4)


@pytest.mark.parametrize("samples", [1600, 1759, 1760, 8000])
def test_whispers_frames_equal_a_float64_reference(samples: int) -> None:
    x = noise(samples)
    edges = slaney_edges(80)
    filters = triangles(edges, 400) * (2.0 / (edges[2:] - edges[:-2]))[:, None]
    power = powers(x, 400, 160) @ filters.T
    expected = (np.log10(np.maximum(power, 1e-10)) + 4.0) / 4.0
    frames = Extractor(WHISPER)(x)
    assert len(frames) == 1 + samples // 160
    np.testing.assert_allclose(frames, expected, atol=1e-5)


@pytest.mark.parametrize(("mels", "atol"), [(80, 1e-5), (128, 3e-5)])
def test_whispers_frames_are_those_of_transformers_before_its_clamp(mels: int, atol: float) -> None:
    import_torchaudio()
    from transformers import WhisperFeatureExtractor

    theirs = WhisperFeatureExtractor(feature_size=mels)
    for x in (noise(16_000), speechlike(20_000)):
        clamped = theirs(x, sampling_rate=16_000, padding="do_not_pad", return_tensors="np")
        expected = clamped["input_features"][0].T
        frames = Extractor(front_end("whisper", n_mels=mels))(x)[: len(expected)]
        assert len(frames) == len(x) // 160
        np.testing.assert_allclose(np.maximum(frames, frames.max() - 2.0), expected, atol=atol)


def test_silence_is_whispers_floor() -> None:
    np.testing.assert_allclose(Extractor(WHISPER)(np.zeros(1600, np.float32)), -1.5, atol=1e-6)


@pytest.mark.parametrize(("samples", "frames"), [(1600, 10), (1601, 11), (1759, 11), (100, 1)])
def test_a_waveforms_frames_are_its_samples_filled_up_with_zeros(samples: int, frames: int) -> None:
    x = noise(samples)
    found = Extractor(WAVEFORM)(x)
    assert found.shape == (frames, 160)
    np.testing.assert_array_equal(found.reshape(-1)[:samples], x)
    assert not found.reshape(-1)[samples:].any()


@pytest.mark.parametrize(
    ("name", "params", "told"),
    [
        ("whisper", {"n_mels": 40}, "80 or 128"),
        ("whisper", {"hop_s": 0.02}, "hop_s"),
        ("waveform", {"normalise": "partition"}, "should be 'none'"),
        ("waveform", {"deltas": True}, "should be False"),
        ("waveform", {"hop_s": 0.0}, "hop_s"),
        ("log-mel", {"f_min_hz": 8000.0}, "f_min_hz = 8000 and f_max_hz = 7600"),
        ("log-mel", {"f_max_hz": 9000.0}, "the second at most 8000"),
        ("log-mel", {"hop_s": 1e-9}, "at least one sample"),
    ],
)
def test_parameters_that_do_not_fit_are_told(
    name: str, params: dict[str, object], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        front_end(name, **params)


def test_what_they_say_of_themselves() -> None:
    found = {each.name: (each.channels, each.width, each.gain) for each in (WHISPER, WAVEFORM)}
    assert found["whisper"] == (1, 80, [0.025] * 80)
    assert found["waveform"] == (1, 160, "scale")
    assert (LOG_MEL.channels, LOG_MEL.width, LOG_MEL.params.normalise) == (3, 40, "partition")
    assert front_end("log-mel", deltas=False).channels == 1
