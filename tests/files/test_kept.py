from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests_support.damage import DAMAGES

from serbench.api import StoreError
from serbench.files.kept import (
    SUMS,
    DamageError,
    check_folder,
    check_kept,
    folder_files,
    keep_folder,
    kept_bytes,
    making,
    read_kept,
    write_kept,
)

CONTENT = bytes(range(256)) * 5


@pytest.mark.parametrize("content", [b"", CONTENT])
def test_what_is_kept_is_read_back(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "new" / "a.bin"
    write_kept(path, content[:7], memoryview(content[7:]))
    assert kept_bytes(path) == content
    assert check_kept(path) == path
    assert path.read_bytes().startswith(content)


def test_every_turned_bit_and_every_cut_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    write_kept(path, CONTENT[:40])
    whole = path.read_bytes()
    broken = [whole[:size] for size in range(len(whole))]
    for place in range(len(whole)):
        for bit in range(8):
            content = bytearray(whole)
            content[place] ^= 1 << bit
            broken.append(bytes(content))
    for content in broken:
        path.write_bytes(content)
        for read in (kept_bytes, check_kept):
            with pytest.raises(DamageError):
                read(path)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_told_once_and_removed(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.bin"
    write_kept(path, CONTENT)
    DAMAGES[damage](path)
    assert read_kept(path, kept_bytes, "cached thing") is None
    assert [record.getMessage().partition(" (")[0] for record in caplog.records] == [
        f"cached thing {path} is damaged"
    ]
    assert not path.exists()
    assert read_kept(path, kept_bytes) is None
    assert read_kept(path / "below", kept_bytes) is None
    assert len(caplog.records) == 1


def folder_of(place: Path, **content: bytes) -> Path:
    for name, each in content.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(each)
    return place


def test_a_folder_is_kept_whole(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    keep_folder(folder_of(tmp_path / "new", **{"a": b"1", "deep/b": b"2"}), folder)
    assert check_folder(folder) == folder
    assert folder_files(folder) == ["a", "deep/b"]
    folder_of(folder, mine=b"3")
    assert check_folder(folder) == folder


@pytest.mark.parametrize("name", ["a", "deep/b", SUMS])
@pytest.mark.parametrize("damage", [*DAMAGES, "gone"])
def test_a_damaged_folder_is_told_and_mended(
    tmp_path: Path, name: str, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder, content = tmp_path / "folder", {"a": b"11", "deep/b": b"22"}
    keep_folder(folder_of(tmp_path / "new", **content), folder)
    if damage == "gone":
        (folder / name).unlink()
    else:
        DAMAGES[damage](folder / name)
    assert read_kept(folder, check_folder) is None
    assert f"{folder} is damaged" in caplog.text
    with (folder / ("deep/b" if name == "a" else "a")).open("rb") as held:
        keep_folder(folder_of(tmp_path / "again", **content), folder)
        assert held.read() in content.values()
    assert check_folder(folder) == folder
    assert {each: (folder / each).read_bytes() for each in content} == content


def test_a_folder_that_was_half_mended_is_damaged(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    keep_folder(folder_of(tmp_path / "new", a=b"1"), folder)
    new = folder_of(tmp_path / "again", **{"a": b"1", "b/c": b"2"})
    (folder / "b").touch()
    with pytest.raises(OSError, match="b"):
        keep_folder(new, folder)
    with pytest.raises(DamageError, match="has no"):
        check_folder(folder)


def test_a_list_of_files_cannot_be_changed(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    keep_folder(folder_of(tmp_path / "new", a=b"1"), folder)
    (folder / SUMS).write_text(json.dumps({"files": {}}))
    with pytest.raises(DamageError):
        check_folder(folder)


def test_where_nothing_can_be_written_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="set SERBENCH_CACHE"), making(tmp_path / "file" / "x"):
        pass
