"""Files that were cut, and files whose headers know no length, in every format that is read."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import soundfile

from serbench.api import CorpusError
from serbench_runtime.audio.containers import ACCEPTED
from serbench_runtime.audio.read import read_audio, read_waveform

RATE_HZ = 16_000
SECONDS = 2.0
SOUND = 0.2 * np.random.default_rng(0).standard_normal(int(RATE_HZ * SECONDS))

KINDS = [
    ("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "IMA_ADPCM"), ("WAVEX", "FLOAT"),
    ("RF64", "PCM_16"), ("W64", "PCM_16"), ("AIFF", "PCM_16"), ("AIFF", "FLOAT"),
    ("AU", "PCM_16"), ("AU", "ULAW"), ("CAF", "PCM_16"), ("CAF", "ALAC_16"),
    ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"),
    ("MP3", "MPEG_LAYER_III"), ("NIST", "PCM_16"),
]  # fmt: skip


def content(form: str, subtype: str) -> bytearray:
    """Of a whole file of ``SOUND``."""
    with BytesIO() as file:
        soundfile.write(file, SOUND, RATE_HZ, format=form, subtype=subtype)
        return bytearray(file.getvalue())


def duration_s(folder: Path, data: bytes) -> float:
    # An ending that tells another format: only the content may tell.
    path = folder / "a.mp3" if not data.startswith((b"ID3", b"\xff")) else folder / "a.wav"
    path.write_bytes(data)
    return read_audio(path).duration_s


def test_every_format_that_is_accepted_is_tried() -> None:
    assert {form for form, _ in KINDS} == ACCEPTED


@pytest.mark.parametrize(("form", "subtype"), KINDS)
def test_a_whole_file_is_read_and_a_part_of_one_is_refused(
    tmp_path: Path, form: str, subtype: str
) -> None:
    whole = content(form, subtype)
    assert duration_s(tmp_path, bytes(whole)) == pytest.approx(SECONDS, rel=0.02)
    for share in (0.5, 0.93):
        with pytest.raises(CorpusError, match=r"truncated|damaged or cut"):
            duration_s(tmp_path, bytes(whole[: round(share * len(whole))]))


UNKNOWN = [0, 0x7FFFF000, 0x7FFFFFFF - 36, 0x80000000, 0xFFFFFFFF - 36, 0xFFFFFFFF]


def with_length(data: bytearray, chunk: bytes, layout: str, length: int, after: int = 4) -> bytes:
    """The same with another length behind the name of a chunk."""
    place = data.index(chunk) + after
    struct.pack_into(layout, data, place, length)
    return bytes(data)


@pytest.mark.parametrize("length", UNKNOWN)
@pytest.mark.parametrize("rest", [0, 5000])
def test_wav_of_unknown_length_is_read_to_its_end(tmp_path: Path, length: int, rest: int) -> None:
    data = content("WAV", "PCM_16")
    struct.pack_into("<I", data, 4, min(length + rest, 0xFFFFFFFF))
    assert duration_s(tmp_path, with_length(data, b"data", "<I", length)) == SECONDS


@pytest.mark.parametrize(
    ("form", "chunk", "layout", "after", "lengths"),
    [
        ("AIFF", b"SSND", ">I", 4, [0, 8, 0x7F000008 | 0xFFF000, 0xFFFFFFFF]),
        ("AU", b".snd", ">I", 8, UNKNOWN),
        ("CAF", b"data", ">q", 4, [-1, 0]),
        ("W64", b"data", "<Q", 16, [0, 24, 2**63 - 1, 2**64 - 1]),
        ("RF64", b"ds64", "<Q", 16, [0, 2**32 - 1, 2**64 - 1]),
    ],
)
def test_others_of_unknown_length_are_read_to_their_end(
    tmp_path: Path, form: str, chunk: bytes, layout: str, after: int, lengths: list[int]
) -> None:
    for length in lengths:
        data = with_length(content(form, "PCM_16"), chunk, layout, length, after)
        assert duration_s(tmp_path, data) == SECONDS, length


def test_aiff_whose_count_of_samples_is_more_than_there_are_is_refused(tmp_path: Path) -> None:
    data = with_length(content("AIFF", "PCM_16"), b"COMM", ">I", 64000, 10)
    with pytest.raises(CorpusError, match="truncated: 32000 of 64000 samples are there"):
        duration_s(tmp_path, data)


def test_flac_from_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    data = content("FLAC", "PCM_16")
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    assert duration_s(tmp_path, bytes(data)) == SECONDS
    with pytest.raises(CorpusError, match="damaged or cut"):
        duration_s(tmp_path, bytes(data[: len(data) // 2]))


def test_a_wav_that_is_empty_is_not_filled_with_what_follows(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "e.wav", np.zeros(0), RATE_HZ)
    data = (tmp_path / "e.wav").read_bytes() + b"LIST" + struct.pack("<I", 8000) + bytes(8000)
    with pytest.raises(CorpusError, match=r"too short: 0\.000 s"):
        duration_s(tmp_path, data)


@pytest.mark.parametrize("form", ["WAV", "OGG"])
def test_several_recordings_in_one_file_are_refused(tmp_path: Path, form: str) -> None:
    data = bytes(content(form, "PCM_16" if form == "WAV" else "VORBIS"))
    with pytest.raises(CorpusError, match="several recordings one after the other"):
        duration_s(tmp_path, data + data)


def test_what_stands_behind_the_last_page_of_ogg_does_no_harm(tmp_path: Path) -> None:
    data = bytes(content("OGG", "OPUS")) + b"TAG" + bytes(125)
    assert duration_s(tmp_path, data) == pytest.approx(SECONDS)
    broken = bytearray(content("OGG", "OPUS"))
    broken[broken.index(b"OggS", 1)] = 0
    with pytest.raises(CorpusError, match="damaged: no page of Ogg begins at byte"):
        duration_s(tmp_path, bytes(broken))


# MP3


def mp3() -> tuple[bytes, bytes]:
    """The frame that counts the others, and these."""
    data = bytes(content("MP3", "MPEG_LAYER_III"))
    second = data.index(data[:2], 100)
    return data[:second], data[second:]


def test_an_estimate_of_the_length_never_cuts_a_file(tmp_path: Path) -> None:
    _, frames = mp3()
    path = tmp_path / "a.mp3"
    path.write_bytes(frames)
    guessed = soundfile.info(path).frames
    assert guessed < 0.9 * len(SOUND), "libsndfile guesses this file too short"
    waveform = read_waveform(path)
    assert len(SOUND) <= len(waveform) < len(SOUND) + 3000


def test_an_estimate_of_the_length_never_refuses_a_file(tmp_path: Path) -> None:
    _, frames = mp3()
    half = frames[: len(frames) // 2]
    tagged = b"ID3\4\0\0\0\0\0\x0a" + bytes(10) + half + b"TAG" + bytes(125)
    for data in (half, tagged):
        assert 0.4 * SECONDS < duration_s(tmp_path, data) < 0.7 * SECONDS


def test_a_count_that_says_too_little_cuts_nothing(tmp_path: Path) -> None:
    count, frames = mp3()
    assert duration_s(tmp_path, count + frames + frames) == pytest.approx(2 * SECONDS, rel=0.05)
    assert duration_s(tmp_path, count + frames) == SECONDS


# What is no audio


@pytest.mark.parametrize(
    ("start", "told"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid", "a git-lfs pointer .* git lfs pull"),
        (b"/annex/objects/SHA256E-s1--00.wav\n", "a git-annex pointer .* git annex get"),
        (b"\n <!DOCTYPE HTML><html>", "a web page; download the file again"),
        (b'{"message": "Not Found"}', "a server's error message"),
        (b"PK\3\4" + bytes(40), "a ZIP archive; unpack it first"),
        (b"\0\0\0\x20ftypM4A " + bytes(40), "M4A .*; convert it"),
        (b"\0\0\0\x20ftypisom" + bytes(40), "MP4 .*; convert it"),
        (b"\x1a\x45\xdf\xa3webm" + bytes(40), "WebM or Matroska; convert it"),
        (
            b"\0\5\x16\7\0\2\0\0Mac OS X" + bytes(40),
            "metadata of macOS",
        ),
        (bytes(9000), "nothing but zero bytes"),
        (b"hello, this is a letter " * 9, "not a readable audio file"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
@pytest.mark.parametrize("name", ["a.wav", "a.vox", "a.gsm"])
def test_what_is_no_audio_is_called_what_it_is(
    tmp_path: Path, start: bytes, told: str, name: str
) -> None:
    (tmp_path / name).write_bytes(start)
    with pytest.raises(CorpusError, match=rf"{name}: {told}"):
        read_audio(tmp_path / name)


def test_a_format_whose_length_cannot_be_checked_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", SOUND, RATE_HZ, format="VOC", subtype="PCM_16")
    with pytest.raises(CorpusError, match=r"VOC \(Creative Labs\), .*; convert it to WAV"):
        read_audio(tmp_path / "a.wav")
