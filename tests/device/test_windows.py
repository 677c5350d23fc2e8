from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from serbench.api import RegistryError
from serbench.device.windows import WindowPlan
from serbench.settings import FeatureSettings, SegmentSettings

PLAN = WindowPlan(FeatureSettings(), SegmentSettings())


@hypothesis_settings(max_examples=50, deadline=None)
@given(samples=st.integers(1600, 400_000))
def test_windows_are_whole_start_every_hop_and_end_with_the_utterance(samples: int) -> None:
    first = PLAN.first_frames(samples)
    frames = 1 + samples // 160
    if samples <= 48_000:
        assert first == [0]
        return
    assert first[:-1] == [250 * n for n in range(len(first) - 1)]
    assert all(start + 300 <= frames for start in first)
    assert first[-1] - first[-2] <= 250
    assert abs(first[-1] * 160 + 48_000 - samples) <= 80


@hypothesis_settings(max_examples=30, deadline=None)
@given(samples=st.integers(1600, 120_000))
def test_cut_audio_holds_what_the_frames_of_each_window_reach_over(samples: int) -> None:
    waveform = np.arange(samples, dtype=np.float32)
    windows, lengths = PLAN.cut(waveform)
    first = PLAN.first_frames(samples)
    assert windows.shape == (len(first), PLAN.samples)
    assert windows.dtype == np.float32
    assert lengths.dtype == np.int64
    frames = 1 + samples // 160
    mirrored = np.pad(waveform, 200, mode="reflect")
    for row, start, length in zip(windows, first, lengths, strict=True):
        assert length == min(300, frames)
        for frame in (0, int(length) - 1):
            own = mirrored[(start + frame) * 160 :][:400]
            np.testing.assert_array_equal(row[frame * 160 :][:400], own)


@hypothesis_settings(max_examples=50, deadline=None)
@given(samples=st.integers(1600, 120_000), hop_s=st.sampled_from([0.01, 0.02]))
def test_windows_of_samples_are_cut_without_a_seam(samples: int, hop_s: float) -> None:
    plan = WindowPlan(FeatureSettings(kind="waveform", hop_s=hop_s), SegmentSettings())
    waveform = np.arange(1, samples + 1, dtype=np.float32)
    windows, lengths = plan.cut(waveform)
    assert windows.shape[1] == plan.samples == 48_000
    filled = np.pad(waveform, (0, 48_000))
    frames = -(-samples // plan.hop)
    for row, start, length in zip(windows, plan.first_frames(samples), lengths, strict=True):
        assert length == min(plan.size, frames)
        assert start + length <= frames
        np.testing.assert_array_equal(row, filled[start * plan.hop :][:48_000])


@pytest.mark.parametrize(
    ("features", "segments"),
    [
        (FeatureSettings(hop_s=0.00999), SegmentSettings()),
        (FeatureSettings(), SegmentSettings(window_s=2.995)),
    ],
)
def test_a_window_that_is_no_whole_number_of_frames_is_told(
    features: FeatureSettings, segments: SegmentSettings
) -> None:
    with pytest.raises(RegistryError, match="a window must be a whole number of frames"):
        WindowPlan(features, segments)
