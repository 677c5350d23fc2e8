from __future__ import annotations

import pickle
from collections import deque
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests_support.exported import LABELS, make_exported, posteriors_by_hand, recorded

from serbench.errors import ModelError, SerbenchError, WaveformError
from serbench_runtime import Model, Step, Stream, Streams, load


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(make_exported(tmp_path_factory.mktemp("model") / "m.onnx"))


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    size = round(16000 * seconds)
    drawn = np.random.default_rng(seed).normal(0, 0.2, size)
    return (drawn + 0.1 * np.sin(np.arange(size) / 9000 + seed)).astype(np.float32)


def shown(steps: list[Step]) -> list[tuple[float, str, list[float]]]:
    """All of the steps but how long they took."""
    return [(step.time_s, step.label, step.posteriors.tolist()) for step in steps]


def by_hand(sound: np.ndarray, ends: list[int], window: int, average: int) -> list[np.ndarray]:
    each = [posteriors_by_hand(sound[None, max(0, end - window) : end])[0] for end in ends]
    return [np.mean(each[max(0, n + 1 - average) : n + 1], axis=0) for n in range(len(each))]


@pytest.mark.parametrize(
    ("step_s", "window_s", "average"), [(0.5, None, 4), (0.1, 0.35, 1), (1.0, 1.0, 3)]
)
def test_a_step_hears_the_last_window_and_averages_the_last_steps(
    model: Model, step_s: float, window_s: float | None, average: int
) -> None:
    sound = noise(6.2)
    stream = model.stream(step_s, window_s, average)
    steps = stream.feed(sound)
    ends = list(range(round(16000 * step_s), len(sound) + 1, round(16000 * step_s)))
    assert [step.time_s for step in steps] == [end / 16000 for end in ends]
    wanted = by_hand(sound, ends, round(16000 * (window_s or 3.0)), average)
    for step, posteriors in zip(steps, wanted, strict=True):
        np.testing.assert_allclose(step.posteriors, posteriors, atol=1e-5)
        assert step.label == LABELS[int(step.posteriors.argmax())]
        assert step.posteriors.dtype == np.float32
        assert 0 < step.latency_s < 10


def test_the_rest_is_one_more_step(model: Model) -> None:
    sound = noise(1.3)
    stream = model.stream(average=1)
    assert [step.time_s for step in stream.feed(sound)] == [0.5, 1.0]
    (last,) = stream.finish()
    assert last.time_s == stream.heard_s == 1.3
    np.testing.assert_allclose(last.posteriors, posteriors_by_hand(sound[None])[0], atol=1e-5)


@pytest.mark.parametrize(("seconds", "steps"), [(0.0, 0), (0.05, 0), (0.1, 1), (1.0, 2), (1.05, 2)])
def test_a_rest_of_less_than_a_tenth_of_a_second_is_none(
    model: Model, seconds: float, steps: int
) -> None:
    stream = model.stream()
    assert len(stream.feed(noise(seconds)) + stream.finish()) == steps


def in_chunks(stream: Stream, sound: np.ndarray, cuts: list[int]) -> list[Step]:
    places = sorted(min(cut, len(sound)) for cut in cuts)
    steps = [step for chunk in np.split(sound, places) for step in stream.feed(chunk)]
    return steps + stream.finish()


@settings(max_examples=25, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 80000), max_size=12),
    rate=st.sampled_from([None, 8000, 44100]),
    step_s=st.sampled_from([0.1, 0.3333, 0.5]),
    window_s=st.sampled_from([0.7, 3.0]),
)
def test_chunks_do_not_matter(
    tmp_path_factory: pytest.TempPathFactory,
    cuts: list[int],
    rate: int | None,
    step_s: float,
    window_s: float,
) -> None:
    model = load(make_exported(tmp_path_factory.mktemp("model") / "m.onnx"))
    sound = (noise(5.0) * 32767).clip(-32768, 32767).astype(np.int16)
    whole = model.stream(step_s, window_s, 3, rate)
    chunked = model.stream(step_s, window_s, 3, rate)
    assert shown(in_chunks(chunked, sound, cuts)) == shown(whole.feed(sound) + whole.finish())


def test_sound_of_another_rate_is_converted(model: Model) -> None:
    at_s = np.arange(3 * 48000) / 48000
    tone = (0.3 * np.sin(2 * np.pi * 300 * at_s) + 0.1).astype(np.float32)
    there = model.stream(sample_rate=48000)
    here = model.stream()
    slow = here.feed(tone[::3]) + here.finish()
    fast = there.feed(tone) + there.finish()
    assert [step.time_s for step in fast] == [step.time_s for step in slow]
    for one, other in zip(fast, slow, strict=True):
        np.testing.assert_allclose(one.posteriors, other.posteriors, atol=5e-3)


@pytest.mark.parametrize("rate", [None, 8000])
def test_streams_in_lock_step_answer_as_each_alone(model: Model, rate: int | None) -> None:
    sounds = np.stack([noise(4.3, seed) for seed in range(5)])
    together = model.streams(5, 0.5, 2.0, sample_rate=rate)
    found = together.feed(sounds[:, :30000]) + together.feed(sounds[:, 30000:])
    found += together.finish()
    for number, sound in enumerate(sounds):
        stream = model.stream(0.5, 2.0, sample_rate=rate)
        alone = stream.feed(sound) + stream.finish()
        row = [steps[number] for steps in found]
        assert [step.time_s for step in row] == [step.time_s for step in alone]
        np.testing.assert_allclose(
            [step.posteriors for step in row], [step.posteriors for step in alone], atol=1e-6
        )


def test_streams_share_a_call(tmp_path: Path) -> None:
    model, shapes = recorded(make_exported(tmp_path / "m.onnx"))
    model.streams(9, 1.0).feed(np.zeros((9, 32000), np.float32))
    assert shapes == [(9, 16000), (9, 32000)]


def test_a_stream_holds_one_window_however_long_it_is(model: Model) -> None:
    stream = model.streams(2, 0.5, 1.0, average=3)
    stream.feed(np.zeros((2, 64000), np.float32))
    size = len(pickle.dumps(held(stream)))
    for _ in range(50):
        stream.feed(np.zeros((2, 7000), np.float32))
    assert len(pickle.dumps(held(stream))) == size
    assert 2 * 16000 * 4 < size < 2 * 16000 * 4 + 2000


def held(stream: Streams) -> list[object]:
    """The samples and posteriors that it keeps."""
    return [each for each in vars(stream).values() if isinstance(each, np.ndarray | deque)]


@pytest.mark.parametrize(
    ("chunk", "message"),
    [
        (np.array([0.1, np.nan]), r"after 0\.50 s of the stream: 1 of 2 samples are NaN"),
        (np.full(10, 20000.0), "samples reach 20000"),
        (np.zeros(10, np.int64), "int64 has no known full scale"),
        (np.zeros((2, 10)), r"an array of shape \(2, 10\); give \(samples,\), one channel"),
    ],
)
def test_a_bad_chunk_is_told_and_changes_nothing(
    model: Model, chunk: np.ndarray, message: str
) -> None:
    sound = noise(2.0)
    stream, other = model.stream(), model.stream()
    steps = stream.feed(sound[:8000])
    with pytest.raises(WaveformError, match=message):
        stream.feed(chunk)
    steps += stream.feed(sound[8000:])
    assert shown(steps) == shown(other.feed(sound))


def test_streams_take_a_row_for_each(model: Model) -> None:
    with pytest.raises(WaveformError, match=r"3 streams were fed .* \(2, 10\); give \(3, samples"):
        model.streams(3).feed(np.zeros((2, 10)))


def test_a_finished_stream_takes_no_more(model: Model) -> None:
    stream = model.stream()
    stream.finish()
    with pytest.raises(WaveformError, match="the stream is finished"):
        stream.feed(noise(1.0))
    with pytest.raises(WaveformError, match="the stream is finished"):
        stream.finish()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"step_s": 0.05}, r"a step of 0\.05 s; give one from 0\.1 s to the window's 3 s"),
        ({"step_s": 3.5}, "a step of 3.5 s; .* windows would miss sound"),
        ({"step_s": float("nan")}, "a step of nan s"),
        ({"window_s": 0.05}, r"a window of 0\.05 s; give one from 0\.1 to 60 s"),
        ({"window_s": 61.0}, "a window of 61 s"),
        ({"window_s": float("inf")}, "a window of inf s"),
        ({"average": 0}, "average is 0; give a whole number of at least 1"),
        ({"average": 1.5}, "average is 1.5"),
        ({"sample_rate": 16}, "the sample rate is 16 Hz"),
        ({"sample_rate": float("nan")}, "the sample rate is nan Hz"),
    ],
)
def test_settings_out_of_range_are_told(
    model: Model, change: dict[str, float], message: str
) -> None:
    with pytest.raises(SerbenchError, match=message):
        model.stream(**change)  # pyright: ignore[reportArgumentType]


def test_no_stream_is_no_number_of_streams(model: Model) -> None:
    with pytest.raises(SerbenchError, match="streams is 0"):
        model.streams(0)


def test_a_model_that_fails_once_answers_the_step_later(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, failures = model.posteriors, [ModelError("once")]

    def answer_later(rows: np.ndarray) -> np.ndarray:
        if failures:
            raise failures.pop()
        return answer(rows)

    monkeypatch.setattr(model, "posteriors", answer_later)
    stream = model.stream()
    with pytest.raises(ModelError, match="once"):
        stream.feed(noise(0.5))
    assert [step.time_s for step in stream.feed(noise(0.5))] == [0.5, 1.0]


def test_a_model_of_a_path_stays_in_use_when_its_file_is_gone(tmp_path: Path) -> None:
    path = make_exported(tmp_path / "m.onnx")
    stream = load(path).stream()
    path.unlink()
    assert len(stream.feed(noise(1.0))) == 2
