from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tests_support.exported import make_exported, posteriors_by_hand

from serbench.errors import WaveformError
from serbench_runtime import Model, find_audio, load, predict_file, predict_files
from serbench_runtime import files as runtime_files
from serbench_runtime.audio.read import read_waveform


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(make_exported(tmp_path_factory.mktemp("model") / "m.onnx"))


def write(path: Path, seconds: float = 0.5, rate: int = 16000, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = np.random.default_rng(seed).normal(0, 0.1, round(seconds * rate))
    soundfile.write(path, drawn, rate)
    return path


def test_folders_are_searched_and_sorted_and_nothing_comes_twice(tmp_path: Path) -> None:
    for name in ("b/2.WAV", "b/10.flac", "a.ogg", "b/c/x.mp3", "notes.txt", "b/.hidden.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    named = [tmp_path / "b" / "2.WAV", tmp_path, tmp_path / "b" / ".." / "a.ogg"]
    found = find_audio(named)
    assert [str(path.relative_to(tmp_path)) for path in found] == [
        "b/2.WAV", "a.ogg", "b/10.flac", "b/c/x.mp3",
    ]  # fmt: skip


def test_a_named_file_may_have_any_suffix(tmp_path: Path) -> None:
    (tmp_path / "speech.raw").touch()
    assert find_audio([tmp_path / "speech.raw"]) == (tmp_path / "speech.raw",)


def test_links_to_one_file_are_files_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    (tmp_path / "b.wav").symlink_to("a.wav")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert [path.name for path in find_audio([tmp_path])] == ["a.wav", "b.wav"]


def test_what_cannot_be_read_in_a_folder_is_told_like_a_file(
    model: Model, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path / "a.wav")
    (tmp_path / "b.wav").symlink_to("gone.wav")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "c.m4a").touch()
    first, second = predict_files(model, find_audio([tmp_path]))
    assert first.prediction is not None
    assert str(second.error) == f"{tmp_path / 'b.wav'}: a link to what is not there"
    (told,) = caplog.messages
    assert "*.m4a (1 file of a kind" in told
    assert "loop/ (leads to " in told


def test_every_missing_path_is_told_before_any_work(tmp_path: Path) -> None:
    write(tmp_path / "a.wav")
    named = [tmp_path / "a.wav", *(tmp_path / f"none{n}.wav" for n in range(5))]
    with pytest.raises(WaveformError, match=r"none0\.wav, .*none2\.wav and 2 more: no such file"):
        find_audio(named)


def test_a_folder_without_audio_is_told(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(WaveformError, match=r"no audio in this folder or below \(\.aif, "):
        find_audio([tmp_path])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list everything")
def test_a_folder_that_may_not_be_listed_is_told(tmp_path: Path) -> None:
    write(tmp_path / "a.wav")
    (tmp_path / "locked").mkdir(mode=0)
    with pytest.raises(WaveformError, match="locked: cannot be listed"):
        find_audio([tmp_path])


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
@pytest.mark.parametrize("rate", [16000, 44100])
def test_a_file_has_the_prediction_of_its_samples(
    model: Model, tmp_path: Path, name: str, rate: int
) -> None:
    path = write(tmp_path / name, 1.0, rate)
    waveform = read_waveform(path)
    prediction = predict_file(model, path)
    by_hand = posteriors_by_hand(waveform[None])[0]
    np.testing.assert_allclose(prediction.posteriors, by_hand, atol=1e-5)
    assert prediction.duration_s == len(waveform) / 16000


def test_a_long_file_has_the_prediction_of_its_samples(model: Model, tmp_path: Path) -> None:
    path = write(tmp_path / "long.wav", 100.0, 8000)
    whole = model.predict(read_waveform(path), 16000)
    np.testing.assert_array_equal(predict_file(model, path).posteriors, whole.posteriors)


def test_one_unreadable_file_stops_none_of_the_others(model: Model, tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{n}.wav", seed=n) for n in range(30)]
    paths[3].write_bytes(b"")
    paths[7].write_bytes(b"this is no audio" * 9)
    paths[8].write_bytes(paths[9].read_bytes()[:-100])
    paths[11].unlink()
    write(paths[29], 0.01)
    heard = list(predict_files(model, paths))
    assert [item.path for item in heard] == paths
    bad = {n: str(item.error) for n, item in enumerate(heard) if item.prediction is None}
    assert list(bad) == [3, 7, 8, 11, 29]
    assert all(message.startswith(str(paths[n])) for n, message in bad.items())
    assert "empty" in bad[3]
    assert "not a readable audio file" in bad[7]
    assert "truncated" in bad[8]
    assert "No such file" in bad[11]
    assert "too short: 0.010 s" in bad[29]
    for n, item in enumerate(heard):
        if n not in bad:
            assert item.prediction is not None
            assert item.error is None
            alone = predict_file(model, paths[n])
            np.testing.assert_array_equal(item.prediction.posteriors, alone.posteriors)


class Recorder:
    """Stands for ``read_blocks``: counts the blocks that are decoded and not yet heard."""

    def __init__(self, blocks: int) -> None:
        self.blocks = blocks
        self.lock = threading.Lock()
        self.decoded = 0

    def __call__(self, path: Path) -> Iterator[np.ndarray]:
        for _ in range(self.blocks):
            with self.lock:
                self.decoded += 1
            yield np.zeros(16000, np.float32)


@pytest.mark.parametrize("blocks", [1, 50])
def test_decoding_keeps_a_bounded_distance_ahead(
    model: Model, monkeypatch: pytest.MonkeyPatch, blocks: int
) -> None:
    recorder = Recorder(blocks)
    monkeypatch.setattr(runtime_files, "read_blocks", recorder)
    paths = [Path(f"{n}.wav") for n in range(200)]
    ahead = []
    for done, heard in enumerate(predict_files(model, paths), 1):
        assert heard.prediction is not None
        ahead.append(recorder.decoded - done * blocks)
    assert max(ahead) <= runtime_files.AHEAD
    assert recorder.decoded == 200 * blocks


def test_a_file_with_no_samples_left_is_told_by_name(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = np.zeros(100, np.float32)
    monkeypatch.setattr(runtime_files, "read_blocks", lambda *_: iter([short]))
    (heard,) = predict_files(model, [Path("x.wav")])
    assert str(heard.error).startswith("x.wav: waveforms of shape (1, 100)")


def test_stopping_early_decodes_no_more(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(1)
    monkeypatch.setattr(runtime_files, "read_blocks", recorder)
    found = predict_files(model, [Path(f"{n}.wav") for n in range(200)])
    next(found)
    found.close()  # pyright: ignore[reportAttributeAccessIssue]
    assert recorder.decoded <= runtime_files.AHEAD + 1
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]
