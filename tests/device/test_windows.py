from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from serbench.api import Framing, RegistryError
from serbench.device.windows import WindowPlan
from serbench.settings import SegmentSettings

LOG_MEL = Framing(window=400, hop=160)
PLAN = WindowPlan(LOG_MEL, SegmentSettings())


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
    hop = round(hop_s * 16_000)
    plan = WindowPlan(Framing(hop, hop, centred=False), SegmentSettings())
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
    ("framing", "segments"),
    [
        (Framing(window=400, hop=159), SegmentSettings()),
        (LOG_MEL, SegmentSettings(window_s=2.995)),
    ],
)
def test_a_window_that_is_no_whole_number_of_frames_is_told(
    framing: Framing, segments: SegmentSettings
) -> None:
    with pytest.raises(RegistryError, match="a window must be a whole number of frames"):
        WindowPlan(framing, segments)


@pytest.mark.parametrize(("samples", "first"), [(1600, 0), (48_000, 0), (48_320, 1), (80_000, 100)])
def test_the_middle_is_one_window(samples: int, first: int) -> None:
    plan = WindowPlan(LOG_MEL, SegmentSettings(cut="centre"))
    assert plan.first_frames(samples) == [first]
    waveform = np.arange(samples, dtype=np.float32)
    (window,), (length,) = plan.cut(waveform)
    assert length == min(300, 1 + samples // 160)
    mirrored = np.pad(waveform, 200, mode="reflect")
    np.testing.assert_array_equal(window[:400], mirrored[first * 160 :][:400])


@pytest.mark.parametrize(("framing", "size"), [(None, 1), (Framing(400, 160, length=32_000), 201)])
def test_what_is_heard_whole_has_one_window_and_none_of_audio(
    framing: Framing | None, size: int
) -> None:
    plan = WindowPlan(framing, SegmentSettings(window_s=2.995))
    assert plan.size == size
    for samples in (1600, 200_000):
        assert plan.first_frames(samples) == [0]
        assert plan.frames(samples) == size
    with pytest.raises(RegistryError, match="needs a whole utterance at once"):
        plan.cut(np.zeros(1600, np.float32))


def test_a_plan_is_read_back_from_a_card() -> None:
    plan = WindowPlan(LOG_MEL, SegmentSettings(cut="centre"))
    card = {"framing": asdict(LOG_MEL), "segments": plan.segments.model_dump(mode="json")}
    assert WindowPlan.read(card) == plan
    assert WindowPlan.read({**card, "framing": None}).whole
