from __future__ import annotations

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from tests_support.copies import Waveform, pcm, speech_like

from serbench.protocol.guard.near import fingerprints
from serbench.protocol.guard.near.fingerprints import (
    BANDS,
    BITS,
    HOP,
    NO_WORD,
    RATE_HZ,
    SPAN,
    WINDOW,
    WORD,
    band_edges,
    band_steps,
    decimate,
    fingerprint,
    sounding,
    turned,
    words,
)
from serbench_runtime.audio.read import pcm_digest


@pytest.fixture(scope="module")
def voice() -> Waveform:
    return speech_like(np.random.default_rng(0), 2.0)


def reference_steps(samples: Waveform) -> np.ndarray:
    """Frame by frame, band by band, in float64, by the definition of the transform."""
    time = np.arange(WINDOW)
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * time / (WINDOW - 1))
    edges = band_edges()
    bins = np.arange(edges[0], edges[-1])
    kernel = np.exp(-2j * np.pi * np.outer(bins, time) / WINDOW)
    rows = []
    for begin in range(0, len(samples) - WINDOW + 1, HOP):
        frame = samples[begin : begin + WINDOW].astype(np.float64) * taper
        power = np.abs(kernel @ frame) ** 2
        bands = [power[a - edges[0] : b - edges[0]].sum() for a, b in zip(edges, edges[1:])]  # noqa: B905, RUF007
        rows.append([*(a - b for a, b in zip(bands, bands[1:])), sum(bands)])  # noqa: B905, RUF007
    return np.array(rows)


def test_bands_are_all_different_and_where_they_are_said_to_be() -> None:
    edges = band_edges()
    assert len(edges) == BANDS + 1
    assert (np.diff(edges) > 0).all()
    assert edges[[0, -1]] * RATE_HZ / WINDOW == pytest.approx([150, 1900], abs=4)


def test_band_steps_are_those_of_a_float64_reference(voice: Waveform) -> None:
    samples = decimate(voice)[:4000]
    expected = reference_steps(samples)
    steps = band_steps(samples)
    assert steps.shape == expected.shape
    loudest = expected[:, BITS].max()
    np.testing.assert_allclose(steps, expected, rtol=0, atol=1e-5 * loudest)


def test_words_are_the_signs_of_the_reference(voice: Waveform) -> None:
    samples = decimate(voice)[:4000]
    expected = reference_steps(samples)[:, :BITS]
    change = expected[SPAN:] - expected[:-SPAN]
    got = words(band_steps(samples))
    bits = (got[:, None] >> np.arange(BITS, dtype=np.uint32)) & 1
    clear = np.abs(change) > 1e-5 * np.abs(expected).max()
    assert clear.mean() > 0.5
    assert (bits.astype(bool) == (change > 0))[clear].all()
    assert (got != NO_WORD).all()
    weakest = got >> np.uint32(BITS)
    closest = np.abs(change).min(axis=1)
    margin = np.abs(change)[np.arange(len(change)), weakest]
    assert (margin <= closest + 1e-5 * np.abs(expected).max()).all()


def test_turned_words_differ_in_the_least_certain_bit() -> None:
    got = turned(np.array([0b1010 | (1 << BITS), 0b1010 | (23 << BITS), NO_WORD], np.uint32))
    assert got.tolist() == [0b1000, 0b1010 | (1 << 23), NO_WORD]


def test_blocks_make_no_difference(voice: Waveform, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fingerprint(voice)
    monkeypatch.setattr(fingerprints, "BLOCK_FRAMES", 7)
    assert (fingerprint(voice) != whole).mean() < 0.01  # the last bits of a matrix product may vary


def test_decimating_is_what_resampling_gives_within_the_bands(voice: Waveform) -> None:
    exact = soxr.resample(voice.astype(np.float64), 16_000, RATE_HZ, quality="VHQ")
    got = decimate(voice)
    assert got.dtype == np.float32
    assert abs(len(got) - len(voice) / 4) <= 1
    size = min(len(got), len(exact))
    frequency_hz = np.fft.rfftfreq(size, 1 / RATE_HZ)
    within = (frequency_hz > 150) & (frequency_hz < 1500)
    ours, theirs = (np.fft.rfft(x[:size])[within] for x in (got, exact))
    assert np.linalg.norm(ours - theirs) < 0.02 * np.linalg.norm(theirs)


@settings(max_examples=10, deadline=None)
@given(gain_db=st.floats(-24, 12), turned=st.booleans())
def test_gain_and_polarity_change_nothing(gain_db: float, turned: bool) -> None:
    x = speech_like(np.random.default_rng(1), 1.0) * np.float32(0.25)
    level = np.float32(10 ** (gain_db / 20) * (-1 if turned else 1))
    loud, plain = fingerprint(x * level), fingerprint(x)
    size = min(len(loud), len(plain))  # a quieter copy may begin a sample later
    assert abs(len(loud) - len(plain)) <= 1
    assert np.bitwise_count((loud[:size] ^ plain[:size]) & WORD).mean() < 0.1 * BITS


@settings(max_examples=15, deadline=None)
@given(before=st.integers(0, 20_000), after=st.integers(0, 20_000))
def test_digital_silence_at_the_ends_is_no_part_of_it(before: int, after: int) -> None:
    x = speech_like(np.random.default_rng(2), 0.6)
    padded = np.concatenate([np.zeros(before), x, np.zeros(after)]).astype(np.float32)
    assert pcm_digest(sounding(padded)) == pcm_digest(padded) == pcm_digest(x)
    np.testing.assert_array_equal(sounding(padded), sounding(x))
    np.testing.assert_array_equal(fingerprint(padded), fingerprint(x))


def test_a_cut_by_whole_frames_moves_the_words(voice: Waveform) -> None:
    sound = sounding(voice)
    frames = next(n for n in range(20, 100) if abs(sound[n * HOP * 4]) > 0.01)
    cut, whole = fingerprint(sound[frames * HOP * 4 :]), fingerprint(sound)[frames:]
    assert len(cut) == len(whole)
    assert (
        np.bitwise_count((cut ^ whole) & WORD).mean() < 0.01 * BITS
    )  # the resampler's start differs


def test_a_pause_of_zeros_has_no_words(voice: Waveform) -> None:
    paused = voice.copy()
    paused[12_000:20_000] = 0
    got = fingerprint(paused)
    # Frames within the pause, a window's and the filter's length from its ends.
    assert (got[85:105] == NO_WORD).all()
    assert (got != NO_WORD).sum() > 80


@pytest.mark.parametrize("samples", [0, 1, 400, 16_000])
def test_silence_has_no_words(samples: int) -> None:
    assert len(fingerprint(np.zeros(samples, np.float32))) == 0


def test_less_than_a_comparison_needs_has_no_words(voice: Waveform) -> None:
    needed = (WINDOW + SPAN * HOP) * 4
    assert len(fingerprint(pcm(voice[8_000 : 8_000 + needed - 8]))) == 0
    assert len(fingerprint(pcm(voice[8_000 : 8_000 + needed + 160]))) in {1, 2}
