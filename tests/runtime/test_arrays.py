from __future__ import annotations

import re

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from serbench.errors import WaveformError
from serbench_runtime.arrays import as_waveform


def tone(samples: int, rate_hz: float = 16000, frequency_hz: float = 440.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * frequency_hz * np.arange(samples) / rate_hz)


def checked(samples: ArrayLike, rate: float = 16000) -> np.ndarray:
    return as_waveform(samples, rate, 16000, 0.1)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.longdouble])
def test_floats_are_taken_as_they_are(kind: type) -> None:
    given_ = tone(1600).astype(kind)
    heard = checked(given_)
    assert heard.dtype == np.float32
    np.testing.assert_array_equal(heard, given_.astype(np.float32))


def test_a_list_is_an_array() -> None:
    np.testing.assert_array_equal(checked([0.25] * 1600), np.full(1600, 0.25, np.float32))


@pytest.mark.parametrize(
    ("kind", "subtype"), [("int16", "PCM_16"), ("int32", "PCM_32"), ("uint8", "PCM_U8")]
)
def test_integers_are_scaled_as_soundfile_scales_them(tmp_path, kind: str, subtype: str) -> None:
    info = np.iinfo(kind)
    drawn = np.random.default_rng(0).integers(info.min, info.max, 1600, dtype=kind, endpoint=True)
    drawn[:2] = info.min, info.max
    wide = (drawn.astype(np.int64) - (128 if kind == "uint8" else 0)) << (32 - info.bits)
    soundfile.write(tmp_path / "a.wav", wide.astype(np.int32), 16000, subtype=subtype)
    np.testing.assert_array_equal(
        checked(drawn), soundfile.read(tmp_path / "a.wav", dtype="float32")[0]
    )


def test_big_endian_integers_are_read_as_what_they_are() -> None:
    heard = checked(np.full(1600, 8192, ">i2"))
    np.testing.assert_array_equal(heard, np.full(1600, 0.25, np.float32))


@pytest.mark.parametrize("shape", ["samples first", "channels first"])
@pytest.mark.parametrize("channels", [1, 2, 8])
def test_channels_are_averaged_whichever_axis_they_are(shape: str, channels: int) -> None:
    drawn = np.random.default_rng(0).uniform(-1, 1, (2000, channels))
    heard = checked(drawn if shape == "samples first" else drawn.T)
    np.testing.assert_allclose(heard, drawn.mean(axis=1), atol=1e-6)


def test_stereo_int16_is_scaled_and_averaged() -> None:
    stereo = np.stack([np.full(1600, 16384), np.full(1600, -8192)], axis=1).astype(np.int16)
    np.testing.assert_array_equal(checked(stereo), np.full(1600, 0.125, np.float32))


@pytest.mark.parametrize("rate", [8000, 44100, 48000, 22050.0, np.int64(11025), np.float32(96000)])
def test_other_rates_are_converted(rate: float) -> None:
    heard = checked(tone(round(0.5 * rate), rate), rate)
    assert abs(len(heard) - 8000) <= 1
    inner = slice(800, 7200)  # away from the edges, where a resampler rings
    np.testing.assert_allclose(heard[inner], tone(len(heard))[inner], atol=2e-3)


@settings(max_examples=50, deadline=None)
@given(rate=st.floats(1_000, 1_000_000), extra=st.integers(0, 3))
def test_a_tenth_of_a_second_stays_long_enough_at_every_rate(rate: float, extra: int) -> None:
    samples = int(np.ceil(0.1 * rate)) + extra
    assert len(checked(np.zeros(samples), rate)) >= 1600


REFUSED = [
    ([], "the waveform is empty"),
    (np.zeros((0, 2)), "the waveform is empty"),
    (np.zeros((100, 0)), "the waveform is empty"),
    (np.zeros(160), r"too short: 0\.010 s \(160 samples at 16000 Hz\); at least 0\.1 s are"),
    (np.zeros(1599), r"too short: 0\.100 s \(1599 samples"),
    (np.float32(0.5), r"this array has shape \(\)"),
    (None, r"shape \(\)"),
    (np.zeros((1, 2, 1600)), r"this array has shape \(1, 2, 1600\)"),
    (np.zeros((1600, 9)), r"no axis of shape \(1600, 9\) can be channels"),
    (np.zeros((9, 1600)), r"no axis of shape \(9, 1600\) can be channels"),
    (np.zeros((2, 2)), "too short"),
    (np.zeros(1600, complex), "complex128 has no known full scale"),
    (np.zeros(1600, bool), "bool has no known full scale"),
    (np.zeros(1600, np.int64), "int64 has no known full scale; give floats within ±1, or int16"),
    (np.zeros(1600, np.uint16), "uint16 has no known full scale"),
    (np.array(["0.5"] * 1600), "str.* has no known full scale"),
    (np.array([0.5] * 1600, object), "object has no known full scale"),
    ("speech.wav", r"shape \(\)"),
    ([[0.1], [0.1, 0.2]], "not an array of numbers"),
    (np.where(np.arange(1600) < 3, np.nan, 0.0), "3 of 1600 samples are NaN or infinite"),
    (np.where(np.arange(1600) == 7, np.inf, 0.0), "1 of 1600 samples are NaN or infinite"),
    (np.where(np.arange(1600) == 7, -np.inf, 0.0), "1 of 1600 samples are NaN or infinite"),
    (np.full((1600, 2), np.nan), "3200 of 3200 samples are NaN"),
    (20000 * tone(1600), "samples reach 10000, but floats must be within ±1; 16-bit"),
    (np.full(1600, -1e300), r"samples reach 1e\+300"),
]  # fmt: skip


@pytest.mark.parametrize(("samples", "message"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_no_waveform_is_told(samples: ArrayLike, message: str) -> None:
    with pytest.raises(WaveformError, match=message):
        checked(samples)


def test_loud_floats_are_sound_up_to_20_db_over_full_scale() -> None:
    loud = np.full(1600, 9.99)
    np.testing.assert_array_equal(checked(loud), loud.astype(np.float32))
    with pytest.raises(WaveformError, match=r"samples reach 10\.01"):
        checked(loud + 0.02)


@pytest.mark.parametrize(
    ("rate", "message"),
    [
        (0, "the sample rate is 0 Hz; give one from 1000 to 1,000,000"),
        (-16000, "the sample rate is -16000 Hz"),
        (16, "the sample rate is 16 Hz"),
        (1e9, r"the sample rate is 1e\+09 Hz"),
        (float("nan"), "the sample rate is nan Hz"),
        (float("inf"), "the sample rate is inf Hz"),
        (True, "the sample rate is True; give a number"),
        (None, "the sample rate is None; give a number"),
        ("16000", "the sample rate is '16000'; give a number in Hz"),
    ],
)
def test_what_is_no_sample_rate_is_told(rate: float, message: str) -> None:
    with pytest.raises(WaveformError, match=re.compile(message)):
        checked(tone(1600), rate)
