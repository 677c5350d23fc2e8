from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from serbench.api import CorpusError
from serbench_runtime.audio import read
from serbench_runtime.audio.read import (
    PcmDigest,
    pcm_digest,
    read_audio,
    read_blocks,
    read_waveform,
)


def tone(rate_hz: int, seconds: float = 0.5, frequency_hz: float = 440.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * frequency_hz * np.arange(round(rate_hz * seconds)) / rate_hz)


def test_16_khz_mono_pcm_is_read_bit_for_bit(tmp_path: Path) -> None:
    samples = np.random.default_rng(1).integers(-32768, 32768, 4000, dtype=np.int16)
    soundfile.write(tmp_path / "a.wav", samples, 16000, subtype="PCM_16")
    waveform = read_waveform(tmp_path / "a.wav")
    assert waveform.dtype == np.float32
    np.testing.assert_array_equal(waveform, samples.astype(np.float64) / 32768)


@pytest.mark.parametrize(("rate_hz", "channels"), [(8000, 1), (48000, 2), (44100, 1), (24414, 1)])
def test_other_rates_and_stereo_become_16_khz_mono(
    tmp_path: Path, rate_hz: int, channels: int
) -> None:
    samples = np.repeat(tone(rate_hz)[:, None], channels, axis=1)
    soundfile.write(tmp_path / "a.wav", samples, rate_hz, subtype="FLOAT")
    read = read_audio(tmp_path / "a.wav")
    assert (read.sample_rate_hz, read.channels) == (rate_hz, channels)
    assert read.duration_s == pytest.approx(0.5, abs=1e-3)
    waveform = read_waveform(tmp_path / "a.wav")
    assert abs(len(waveform) - 8000) <= 1
    inner = slice(800, 7200)  # away from the edges, where a resampler rings
    np.testing.assert_allclose(waveform[inner], tone(16000)[inner], atol=2e-3)
    assert read.pcm_sha256 == pcm_digest(waveform)


def test_channels_are_averaged(tmp_path: Path) -> None:
    left, right = tone(16000), tone(16000, frequency_hz=1000.0)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], 1), 16000, subtype="FLOAT")
    np.testing.assert_allclose(
        read_waveform(tmp_path / "a.wav"), (left + right) / 2, atol=1e-6, rtol=0
    )


@pytest.mark.parametrize("suffix", ["flac", "ogg", "mp3"])
def test_compressed_formats_are_read_whole(tmp_path: Path, suffix: str) -> None:
    soundfile.write(tmp_path / f"a.{suffix}", tone(16000, 1.0), 16000)
    assert read_audio(tmp_path / f"a.{suffix}").duration_s == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.999])
def test_a_truncated_wav_is_refused(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "cut.wav"
    soundfile.write(path, tone(16000), 16000, subtype="PCM_16")
    whole = path.read_bytes()
    path.write_bytes(whole[: 44 + round(kept * (len(whole) - 44))])
    with pytest.raises(CorpusError, match=r"cut\.wav: truncated: \d+ of 16000 bytes"):
        read_waveform(path)


def test_a_truncated_flac_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.flac"
    soundfile.write(path, np.random.default_rng(1).uniform(-0.5, 0.5, 32000), 16000)
    path.write_bytes(path.read_bytes()[:20000])
    with pytest.raises(CorpusError, match=r"cut\.flac: (truncated|damaged or cut)"):
        read_waveform(path)


def test_a_streamed_wav_of_undeclared_length_is_read(tmp_path: Path) -> None:
    path = tmp_path / "streamed.wav"
    soundfile.write(path, tone(16000), 16000, subtype="PCM_16")
    content = bytearray(path.read_bytes())
    content[4:8] = content[40:44] = b"\xff" * 4
    path.write_bytes(bytes(content))
    assert len(read_waveform(path)) == 8000


def test_chunks_before_the_audio_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "listed.wav"
    soundfile.write(path, tone(16000), 16000, subtype="PCM_16")
    content = path.read_bytes()
    note = b"LIST" + (5).to_bytes(4, "little") + b"INFO!" + b"\0"  # odd length, padded
    path.write_bytes(content[:36] + note + content[36:])
    assert len(read_waveform(path)) == 8000


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"this is no audio at all, only text\n" * 9, "not a readable audio file"),
        (b"RIFF", "not a readable audio file"),
    ],
)
def test_what_is_no_audio_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "x.wav").write_bytes(content)
    with pytest.raises(CorpusError, match=rf"x\.wav: {reason}"):
        read_waveform(tmp_path / "x.wav")


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="No such file"):
        read_waveform(tmp_path / "none.wav")
    with pytest.raises(CorpusError, match=r"cannot be read|not a readable"):
        read_waveform(tmp_path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_refused(tmp_path: Path, value: float) -> None:
    samples = tone(16000)
    samples[[5, 77]] = value
    soundfile.write(tmp_path / "x.wav", samples, 16000, subtype="FLOAT")
    with pytest.raises(CorpusError, match=r"x\.wav: 2 of 8000 samples are NaN or infinite"):
        read_waveform(tmp_path / "x.wav")


def test_a_tenth_of_a_second_is_the_least(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "short.wav", tone(16000)[:1599], 16000)
    soundfile.write(tmp_path / "long.wav", tone(16000)[:1600], 16000)
    soundfile.write(tmp_path / "none.wav", np.zeros(0), 16000)
    assert len(read_waveform(tmp_path / "long.wav")) == 1600
    for name in ("short.wav", "none.wav"):
        with pytest.raises(CorpusError, match=rf"{name}: too short: 0\.\d+ s"):
            read_waveform(tmp_path / name)


def test_silence_is_audio_and_all_silence_is_alike(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silent.wav", np.zeros(4000), 16000)
    waveform = read_waveform(tmp_path / "silent.wav")
    assert not waveform.any()
    assert pcm_digest(waveform) == pcm_digest(waveform[:100]) == hashlib.sha256(b"").hexdigest()


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.integers(-32768, 32767), min_size=1, max_size=30).filter(lambda x: x[0] and x[-1]),
    st.integers(0, 5),
    st.integers(0, 5),
)
def test_the_digest_is_of_the_pcm_without_its_padding(
    pcm: list[int], before: int, after: int
) -> None:
    padded = np.array([0] * before + pcm + [0] * after, dtype=np.float32) / np.float32(32768)
    by_hand = b"".join(value.to_bytes(2, "little", signed=True) for value in pcm)
    assert pcm_digest(padded) == hashlib.sha256(by_hand).hexdigest()


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(st.integers(-2, 2), max_size=5), max_size=8))
def test_the_digest_is_the_same_in_blocks(blocks: list[list[int]]) -> None:
    digest = PcmDigest()
    arrays = [np.array(block, np.float32) / np.float32(32768) for block in blocks]
    for block in arrays:
        digest.update(block)
    whole = np.concatenate([*arrays, np.zeros(1, np.float32)])
    assert digest.hexdigest() == pcm_digest(whole)


def test_the_digest_clips_what_is_beyond_full_scale() -> None:
    loud = np.array([2.0, -2.0], dtype=np.float32)
    assert pcm_digest(loud) == hashlib.sha256(b"\xff\x7f\x00\x80").hexdigest()


@pytest.mark.parametrize("block_s", [0.01, 0.3, 10.0])
@pytest.mark.parametrize(("rate_hz", "channels"), [(16000, 1), (44100, 2), (8000, 1)])
def test_blocks_are_the_waveform_bit_for_bit(
    tmp_path: Path, block_s: float, rate_hz: int, channels: int
) -> None:
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (rate_hz + 7, channels))
    soundfile.write(tmp_path / "a.wav", samples, rate_hz)
    blocks = list(read_blocks(tmp_path / "a.wav", block_s))
    np.testing.assert_array_equal(np.concatenate(blocks), read_waveform(tmp_path / "a.wav"))
    assert max(map(len, blocks)) <= 16000 * block_s + 2048  # what a resampler held back


def test_blocks_of_a_bad_file_are_refused(tmp_path: Path) -> None:
    samples = tone(16000, 4.0)
    samples[50000:50002] = np.nan
    soundfile.write(tmp_path / "late.wav", samples, 16000, subtype="FLOAT")
    blocks = read_blocks(tmp_path / "late.wav", 1.0)
    assert [len(next(blocks)) for _ in range(3)] == [16000] * 3
    with pytest.raises(CorpusError, match=r"2 of 16000 samples after 3 s are NaN or infinite"):
        next(blocks)
    soundfile.write(tmp_path / "short.wav", tone(16000)[:1599], 16000)
    with pytest.raises(CorpusError, match="too short"):
        next(read_blocks(tmp_path / "short.wav", 1.0))
    (tmp_path / "text.wav").write_text("this is no audio, only text\n" * 9)
    with pytest.raises(CorpusError, match=r"text\.wav: not a readable audio file"):
        next(read_blocks(tmp_path / "text.wav", 1.0))


def test_blocks_of_a_truncated_flac_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.flac"
    soundfile.write(path, np.random.default_rng(1).uniform(-0.5, 0.5, 32000), 16000)
    path.write_bytes(path.read_bytes()[:20000])
    with pytest.raises(CorpusError, match=r"cut\.flac: (truncated|damaged or cut)"):
        list(read_blocks(path, 0.5))


@pytest.mark.parametrize("scale", [32768, 3])
def test_floats_that_are_integers_are_refused(tmp_path: Path, scale: int) -> None:
    path = tmp_path / "loud.wav"
    soundfile.write(path, np.rint(scale * tone(16000)), 16000, subtype="FLOAT")
    with pytest.raises(CorpusError, match=r"loud\.wav: samples reach \d+, but floats must"):
        read_waveform(path)
    soundfile.write(path, 3 * tone(16000), 16000, subtype="FLOAT")
    assert read_waveform(path).max() > 1, "a hot recording is one"


def test_channels_that_cancel_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "swapped.wav"
    for weaker, told in ((1.0, "is silent"), (0.9, "is 23 dB too low")):
        samples = np.stack([tone(16000), -weaker * tone(16000)], 1)
        soundfile.write(path, samples, 16000, subtype="FLOAT")
        with pytest.raises(CorpusError, match=f"its 2 channels cancel one another: .*{told}; keep"):
            list(read_blocks(path, 0.1))


@pytest.mark.parametrize("level", [0.0, 0.25])
def test_a_file_without_a_sound_is_told_where_it_is_scored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, level: float
) -> None:
    soundfile.write(tmp_path / "dead.wav", np.full((44100, 2), level), 44100)
    assert sum(map(len, read_blocks(tmp_path / "dead.wav"))) == 16000
    (told,) = caplog.messages
    assert told.startswith(f"{tmp_path / 'dead.wav'}: there is no sound in it")
    soundfile.write(tmp_path / "alive.wav", tone(16000), 16000)
    list(read_blocks(tmp_path / "alive.wav"))
    assert len(caplog.messages) == 1


@pytest.mark.parametrize("channels", [2, 16])
def test_a_channel_among_silent_ones_is_heard(tmp_path: Path, channels: int) -> None:
    samples = np.zeros((8000, channels))
    samples[:, 1] = tone(16000)
    soundfile.write(tmp_path / "a.wav", samples, 16000)
    np.testing.assert_allclose(
        read_waveform(tmp_path / "a.wav"), tone(16000) / channels, atol=1e-4, rtol=0
    )


def test_files_of_many_channels_come_in_shorter_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "LARGEST_BLOCK", 4000)
    soundfile.write(tmp_path / "a.wav", np.repeat(tone(16000)[:, None], 8, axis=1), 16000)
    blocks = list(read.AudioReader(tmp_path / "a.wav"))
    assert {block.samples.shape for block in blocks} == {(500, 8)}


@pytest.mark.parametrize("rate_hz", [1, 999, 2_000_000])
def test_a_rate_that_no_recording_has_is_refused(tmp_path: Path, rate_hz: int) -> None:
    soundfile.write(tmp_path / "a.wav", tone(16000), rate_hz)
    with pytest.raises(CorpusError, match=f"its header claims a sample rate of {rate_hz} Hz"):
        read_waveform(tmp_path / "a.wav")


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_file_whose_name_is_no_text_is_read(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(16000), 16000)
    odd = (tmp_path / "a.wav").rename(tmp_path / os.fsdecode(b"caf\xe9.wav"))
    assert len(read_waveform(odd)) == len(next(read_blocks(odd, 1.0))) == 8000
