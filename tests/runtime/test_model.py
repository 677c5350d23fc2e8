from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests_support.exported import FACTS, LABELS, make_exported, posteriors_by_hand, recorded

from serbench.errors import ModelError, WaveformError
from serbench.learning.segments import sliding_windows
from serbench_runtime import Model, load
from serbench_runtime.model import ROWS_AT_ONCE


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_exported(tmp_path_factory.mktemp("model") / "m.onnx")


@pytest.fixture(scope="module")
def model(path: Path) -> Model:
    return load(path)


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    """Louder and louder, with a mean that wanders, so that no two windows have one posterior."""
    size = round(16000 * seconds)
    drawn = np.random.default_rng(seed).normal(0, 0.1, size)
    at_s = np.arange(size) / 16000
    drawn = drawn * (1 + at_s / 30) + 0.05 * np.sin(at_s / 3)
    return drawn.astype(np.float32)


def test_a_prediction_is_what_the_graph_gives(model: Model) -> None:
    waveform = noise(1.0)
    by_hand = posteriors_by_hand(waveform[None])[0]
    prediction = model.predict(waveform, 16000)
    assert prediction.label == LABELS[int(by_hand.argmax())]
    assert prediction.posteriors.dtype == np.float32
    np.testing.assert_allclose(prediction.posteriors, by_hand, atol=1e-5)
    assert prediction.duration_s == 1.0


@pytest.mark.parametrize(("offset", "label"), [(0.5, "high"), (-0.5, "low")])
def test_the_label_is_of_the_greatest_posterior(model: Model, offset: float, label: str) -> None:
    assert model.predict(np.full(1600, offset), 16000).label == label


def test_a_prediction_as_json(model: Model) -> None:
    waveform = noise(1.0)
    by_hand = posteriors_by_hand(waveform[None])[0]
    content = json.loads(json.dumps(model.predict(waveform, 16000).as_dict()))
    assert list(content) == ["label", "duration_s", "posteriors"]
    assert content["posteriors"] == pytest.approx(dict(zip(LABELS, by_hand, strict=True)), abs=1e-5)


def test_rate_channels_and_integers_do_not_matter(model: Model) -> None:
    at_s = np.arange(48000) / 48000
    tone = 0.3 * np.sin(2 * np.pi * 300 * at_s) + 0.1
    stereo = np.rint(np.stack([tone, tone], axis=1) * 32768).astype(np.int16)
    here = model.predict(tone[::3], 16000)
    there = model.predict(stereo, 48000)
    np.testing.assert_allclose(there.posteriors, here.posteriors, atol=2e-3)
    assert there.duration_s == 1.0


def test_a_bad_waveform_is_told(model: Model) -> None:
    with pytest.raises(WaveformError, match="too short"):
        model.predict(np.zeros(160), 16000)
    with pytest.raises(WaveformError, match="waveform 1: 2 of 2000 samples are NaN"):
        model.predict_batch([noise(1.0), np.where(np.arange(2000) < 2, np.nan, 0.0)], 16000)


def test_a_batch_keeps_its_order(model: Model) -> None:
    seconds = [1.0, 0.5, 1.0, 70.0, 0.5, 1.0] + [0.25] * (ROWS_AT_ONCE + 3)
    waveforms = [noise(s, seed) for seed, s in enumerate(seconds)]
    batch = model.predict_batch(waveforms, 16000)
    assert [prediction.duration_s for prediction in batch] == seconds
    for prediction, waveform in zip(batch, waveforms, strict=True):
        alone = model.predict(waveform, 16000)
        np.testing.assert_allclose(prediction.posteriors, alone.posteriors, atol=1e-6)
    assert model.predict_batch([], 16000) == []


@pytest.mark.parametrize("shape", [(1600,), (0, 1600), (1, 1599), (1, 0), (1, 1, 1600)], ids=str)
def test_rows_for_the_graph_have_a_shape(model: Model, shape: tuple[int, ...]) -> None:
    with pytest.raises(WaveformError, match="at least 1 row of at least 1600 samples"):
        model.posteriors(np.zeros(shape, np.float32))


def test_rows_for_the_graph_are_finite(model: Model) -> None:
    with pytest.raises(WaveformError, match="NaN or infinite samples"):
        model.posteriors(np.full((1, 1600), np.nan, np.float32))


def test_posteriors_that_are_not_finite_are_an_error(model: Model) -> None:
    with pytest.raises(ModelError, match=r"m\.onnx: returns posteriors that are NaN or infinite"):
        model.posteriors(np.full((1, 1600), 1e30, np.float32))


def test_a_call_that_fails_is_told(path: Path) -> None:
    def fail(_: np.ndarray) -> np.ndarray:
        raise RuntimeError("no\n memory")

    model, _ = recorded(path, fail)
    with pytest.raises(ModelError, match=r"m\.onnx: the model cannot be run \(no memory\)"):
        model.predict(noise(1.0), 16000)


def test_calls_hold_a_bounded_number_of_rows(path: Path) -> None:
    model, shapes = recorded(path)
    rows = np.stack([noise(0.2, seed) for seed in range(2 * ROWS_AT_ONCE + 1)])
    np.testing.assert_allclose(model.posteriors(rows), posteriors_by_hand(rows), atol=1e-5)
    assert [rows for rows, _ in shapes] == [ROWS_AT_ONCE, ROWS_AT_ONCE, 1]


def mean_over_windows(rows: np.ndarray, window_s: float, overlap_s: float) -> np.ndarray:
    """What the graph of a model that hears windows gives, by hand."""
    windows = sliding_windows(rows.shape[1] / 16000, window_s, overlap_s)
    each = [
        posteriors_by_hand(rows[:, round(start_s * 16000) : round(end_s * 16000)])
        for start_s, end_s in windows
    ]
    return np.mean(each, axis=0)


@settings(max_examples=12, deadline=None)
@given(
    samples=st.integers(1600, 16000 * 200),
    blocks=st.integers(1, 7),
    bounds=st.sampled_from([(3.0, 0.5), (2.0, 0.0), (1.0, 0.9), (60.0, 1.0)]),
)
def test_an_utterance_in_pieces_has_the_posterior_of_its_windows(
    tmp_path_factory: pytest.TempPathFactory,
    samples: int,
    blocks: int,
    bounds: tuple[float, float],
) -> None:
    facts = {**FACTS, "window_s": bounds[0], "overlap_s": bounds[1]}
    path = make_exported(tmp_path_factory.mktemp("model") / "m.onnx", facts)
    model, shapes = recorded(path, lambda rows: mean_over_windows(rows, *bounds))
    waveform = np.resize(noise(200.0), samples)
    prediction = model.predict_blocks(np.array_split(waveform, blocks))
    whole = mean_over_windows(waveform[None], *bounds)[0]
    np.testing.assert_allclose(prediction.posteriors, whole, atol=1e-6)
    assert prediction.duration_s == samples / 16000
    most = 16000 * (60 + 2 * bounds[0])
    assert max(length for _, length in shapes) <= most
    if samples <= 16000 * 60:
        assert shapes == [(1, samples)]


def test_an_hour_is_heard_in_pieces(path: Path) -> None:
    model, shapes = recorded(path)
    hour = np.zeros(3600 * 16000, np.int16)
    prediction = model.predict(hour, 16000)
    assert prediction.duration_s == 3600.0
    assert len(shapes) == 60
    assert max(length for _, length in shapes) < 63 * 16000


@pytest.mark.parametrize("cut", ["centre", "whole"])
def test_an_utterance_of_one_window_is_never_heard_in_pieces(tmp_path: Path, cut: str) -> None:
    model, shapes = recorded(make_exported(tmp_path / "m.onnx", {**FACTS, "cut": cut}))
    long = np.zeros(200 * 16000, np.float32)
    assert model.predict_blocks(np.array_split(long, 3)).duration_s == 200.0
    model.predict_batch([long], 16000)
    assert shapes == [(1, len(long))] * 2


def test_a_stream_hears_no_more_than_a_model_can(tmp_path: Path) -> None:
    whole = load(make_exported(tmp_path / "w.onnx", {**FACTS, "cut": "whole"}))
    with pytest.raises(ModelError, match="cannot classify live sound"):
        whole.stream()
    centre = load(make_exported(tmp_path / "c.onnx", {**FACTS, "cut": "centre"}))
    assert centre.stream().heard_s == 0.0
    with pytest.raises(WaveformError, match="uses the middle"):
        centre.stream(window_s=centre.window_s + 1.0)
    with pytest.raises(ModelError, match=r'cut is "odd", not one of sliding, centre, whole'):
        load(make_exported(tmp_path / "o.onnx", {**FACTS, "cut": "odd"}))


@pytest.mark.parametrize("blocks", [[], [np.zeros(0, np.float32)]])
def test_no_block_is_no_waveform(model: Model, blocks: list[np.ndarray]) -> None:
    with pytest.raises(WaveformError, match="empty"):
        model.predict_blocks(blocks)
