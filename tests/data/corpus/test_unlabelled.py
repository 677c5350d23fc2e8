from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from serbench.api import CorpusError
from serbench.data.corpus.unlabelled import UnlabelledAudio, load_unlabelled

RATE_HZ = 16_000


def write(path: Path, duration_s: float = 0.5, seed: int = 0, **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    x = np.random.default_rng(seed).normal(0, 0.1, round(duration_s * RATE_HZ))
    soundfile.write(path, x, RATE_HZ, **options)  # pyright: ignore[reportArgumentType]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three recordings, at three depths, in three formats."""
    folder = tmp_path / "speech"
    write(folder / "b.wav", 0.5, seed=1)
    write(folder / "a" / "c.FLAC", 1.0, seed=2, format="FLAC")
    write(folder / "a-z" / "deep" / "d.ogg", 1.5, seed=3, format="OGG", subtype="VORBIS")
    (folder / "readme.txt").write_text("no audio")
    return folder


def load(folder: Path) -> UnlabelledAudio:
    return load_unlabelled(folder, folder.parent / "cache", lambda *_: None)


def test_every_audio_file_below_the_folder_is_read(folder: Path) -> None:
    audio = load(folder)
    ids = [recording.id for recording in audio.utterances]
    assert ids == ["unlabelled/a-z/deep/d.ogg", "unlabelled/a/c.FLAC", "unlabelled/b.wav"]
    assert ids == sorted(ids)
    durations_s = [recording.duration_s for recording in audio.utterances]
    assert durations_s == pytest.approx([1.5, 1.0, 0.5], abs=0.01)
    assert audio.duration_s == pytest.approx(3.0, abs=0.01)
    assert all(recording.path.is_absolute() for recording in audio.utterances)
    assert len({recording.pcm_sha256 for recording in audio.utterances}) == 3


def test_files_of_one_name_are_kept_apart_by_folder_and_ending(folder: Path) -> None:
    write(folder / "a" / "b.wav", seed=4)
    write(folder / "b.flac", seed=5)
    assert len({recording.id for recording in load(folder).utterances}) == 5


def test_the_digest_is_of_names_and_sound_wherever_they_lie(folder: Path) -> None:
    digest = load(folder).digest
    moved = folder.rename(folder.with_name("elsewhere"))
    assert load(moved).digest == digest
    (moved / "b.wav").rename(moved / "e.wav")
    renamed = load(moved).digest
    assert renamed != digest
    write(moved / "e.wav", 0.5, seed=9)
    assert load(moved).digest not in {digest, renamed}
    write(moved / "f.wav", 0.5, seed=10)
    assert len(load(moved).utterances) == 4


def test_a_second_load_opens_no_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(folder)

    def forbidden(path: Path) -> None:
        raise AssertionError(f"{path} was read again")

    monkeypatch.setattr("serbench.data.corpus.load.read_audio", forbidden)
    assert load(folder) == first


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"unlabelled audio does not exist: .*nowhere"):
        load(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(CorpusError, match="of unlabelled audio does not exist"):
        load(tmp_path / "file")


def test_a_folder_without_audio_is_told_with_what_would_do(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "letter.txt").write_text("dear")
    (tmp_path / "texts" / "folder.wav").mkdir()
    with pytest.raises(CorpusError, match=r"texts: no audio .*\.flac.*\.wav.*recordings"):
        load(tmp_path / "texts")


def test_all_files_that_cannot_be_read_are_named(folder: Path) -> None:
    (folder / "broken.wav").write_bytes(b"RIFF")
    (folder / "empty.mp3").write_bytes(b"")
    with pytest.raises(CorpusError, match="unlabelled audio: 2 of 5 audio files") as caught:
        load(folder)
    assert "broken.wav" in str(caught.value)
    assert "empty.mp3" in str(caught.value)


def test_what_cannot_be_looked_at_is_named_and_litter_is_not(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    digest = load(folder).digest
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "._a.wav").write_bytes(b"\0\5\x16\7")
    assert load(folder).digest == digest
    assert not caplog.messages
    (folder / "s05").symlink_to("gone")
    assert load(folder).digest == digest
    (told,) = caplog.messages
    assert told.endswith("left out: s05 (a link to what is not there)")
