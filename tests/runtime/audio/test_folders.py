from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from serbench.api import audio_below, is_hidden, plain_name
from serbench_runtime.audio.folders import why_unreadable


def put(*files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")


def left_out(folder: Path) -> dict[str, bool]:
    return {str(each): each.lost for each in audio_below(folder).left_out}


def test_audio_is_told_by_its_ending_and_named_below_the_folder(tmp_path: Path) -> None:
    put(*(tmp_path / name for name in ("b/2.WAV", "a.flac", "b/1.Opus", "notes.txt", "wav")))
    found = audio_below(tmp_path)
    assert found.names == ("a.flac", "b/1.Opus", "b/2.WAV")
    assert found.paths == tuple(tmp_path / name for name in found.names)
    assert not found.left_out
    assert audio_below(tmp_path, {".txt"}).names == ("notes.txt",)


def test_what_systems_and_archivers_leave_behind_is_no_audio(tmp_path: Path) -> None:
    put(*(tmp_path / name for name in ("a.wav", "._a.wav", ".git/b.wav", "__MACOSX/c.wav")))
    assert audio_below(tmp_path).names == ("a.wav",)
    assert not left_out(tmp_path)
    hidden = tmp_path / ".git"
    assert audio_below(hidden).names == ("b.wav",), "a folder that is named is looked through"
    assert is_hidden("__MACOSX")


def test_links_to_files_and_folders_elsewhere_are_followed(tmp_path: Path) -> None:
    put(tmp_path / "other/s05/deep/1.wav", tmp_path / "corpus/s01/1.wav")
    (tmp_path / "corpus/s05").symlink_to(tmp_path / "other/s05")
    (tmp_path / "corpus/2.wav").symlink_to(tmp_path / "other/s05/deep/1.wav")
    found = audio_below(tmp_path / "corpus")
    assert found.names == ("2.wav", "s01/1.wav", "s05/deep/1.wav")
    assert not found.left_out
    (tmp_path / "linked").symlink_to(tmp_path / "corpus")
    assert audio_below(tmp_path / "linked").names == found.names


def test_a_folder_that_can_be_reached_twice_is_read_under_its_own_name(tmp_path: Path) -> None:
    put(tmp_path / "s01/1.wav")
    (tmp_path / "all").mkdir()
    (tmp_path / "all/first").symlink_to("../s01")
    assert audio_below(tmp_path).names == ("s01/1.wav",)
    told = left_out(tmp_path)
    assert told == {"all/first/ (leads to s01/, where audio is looked for already)": False}


@pytest.mark.parametrize("target", [".", "..", "../..", "s01"])
def test_loops_end_and_are_named(tmp_path: Path, target: str) -> None:
    put(tmp_path / "corpus/s01/1.wav", tmp_path / "stranger.wav")
    (tmp_path / "corpus/s01/loop").symlink_to(f"../{target}")
    assert audio_below(tmp_path / "corpus").names == ("s01/1.wav",)
    ((told, lost),) = left_out(tmp_path / "corpus").items()
    assert told.startswith("s01/loop/ (leads to ")
    assert not lost


def test_two_linked_folders_that_hold_one_another_are_read_once(tmp_path: Path) -> None:
    put(tmp_path / "one/1.wav", tmp_path / "two/2.wav")
    (tmp_path / "one/two").symlink_to(tmp_path / "two")
    (tmp_path / "two/one").symlink_to(tmp_path / "one")
    assert audio_below(tmp_path / "one").names == ("1.wav", "two/2.wav")


def test_broken_links_are_lost_audio_and_say_why(tmp_path: Path) -> None:
    for name, target in (
        ("s05", tmp_path / "gone"),
        ("a.wav", "a.wav"),
        ("b.wav", ".git/annex/objects/b.wav"),
        ("readme.txt", "gone.txt"),
    ):
        (tmp_path / name).symlink_to(target)
    assert left_out(tmp_path) == {
        "a.wav (a link that leads back to itself)": True,
        "b.wav (a file that git-annex has not fetched; run git annex get)": True,
        "s05 (a link to what is not there)": True,
    }


def test_pipes_are_no_files_and_are_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.wav")
    assert left_out(tmp_path) == {"a.wav (a device or pipe, not a file)": True}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_must_not_be_read_is_named(tmp_path: Path) -> None:
    put(tmp_path / "s01/1.wav")
    (tmp_path / "s01").chmod(0)
    try:
        assert left_out(tmp_path) == {"s01/ (cannot be read: Permission denied)": True}
    finally:
        (tmp_path / "s01").chmod(0o700)


def test_a_folder_that_cannot_be_listed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "s01/1.wav", tmp_path / "s02/1.wav")
    scandir = os.scandir

    def refuse(place: Path) -> object:
        if place.name == "s01":
            raise PermissionError(13, "Permission denied")
        return scandir(place)

    monkeypatch.setattr(os, "scandir", refuse)
    assert audio_below(tmp_path).names == ("s02/1.wav",)
    assert left_out(tmp_path) == {"s01/ (cannot be read: Permission denied)": True}


def test_sound_that_nobody_here_can_read_is_counted(tmp_path: Path) -> None:
    put(*(tmp_path / name for name in ("1.m4a", "2.M4A", "3.wma")))
    found = audio_below(tmp_path)
    assert not found.names
    assert "*.m4a (2 files of a kind that cannot be read; convert them to WAV" in found.none
    assert "*.wma (1 file" in found.none


def test_a_deep_tree_is_looked_through(tmp_path: Path) -> None:
    place = tmp_path
    for _ in range(600):
        place /= "d"
    place.mkdir(parents=True)
    put(place / "1.wav")
    assert len(audio_below(tmp_path).names) == 1


def test_names_are_read_alike_whatever_system_wrote_them() -> None:
    decomposed = unicodedata.normalize("NFD", "Jürgen/Ärger.WAV")
    assert plain_name(decomposed) == "Jürgen/Ärger.wav"
    assert plain_name("s.01/A") == "s.01/A"
    assert plain_name(b"M\xfcller/a.wav".decode("utf-8", "surrogateescape")) == r"M\xfcller/a.wav"


@pytest.mark.parametrize(
    ("there", "asked"),
    [
        ("a.WAV", "a.wav"),
        (unicodedata.normalize("NFD", "Ärger.wav"), "Ärger.wav"),
        ("Jürgen/1.wav", unicodedata.normalize("NFD", "Jürgen/1.wav")),
    ],
)
def test_a_name_in_another_spelling_is_told_with_the_remedy(
    tmp_path: Path, there: str, asked: str
) -> None:
    put(tmp_path / there)
    error = FileNotFoundError(2, "No such file or directory")
    told = why_unreadable(tmp_path / asked, error)
    assert told.startswith("there is no such file, but one whose name differs only in capital")
    assert why_unreadable(tmp_path / "b.wav", error) == "cannot be read: No such file or directory"
