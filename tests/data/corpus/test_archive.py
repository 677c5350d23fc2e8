from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from serbench.api import CorpusError
from serbench.data.corpus.archive import unpack


def make_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def make_tar(path: Path, members: dict[str, bytes], links: dict[str, str] | None = None) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix == ".tgz" else "w") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type = tarfile.SYMTYPE
            entry.linkname = target
            archive.addfile(entry)
    return path


def unpacked(archive: Path) -> dict[str, bytes]:
    """Unpack into a folder of its own; nothing may appear beside it."""
    folder = archive.parent / "sandbox" / "corpus"
    before = set(archive.parent.iterdir())
    try:
        unpack(archive, folder, lambda done, total: None)
    finally:
        assert set(archive.parent.iterdir()) - before <= {folder.parent}
        assert not folder.parent.exists() or set(folder.parent.iterdir()) <= {folder}
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


CONTENT = {"wav/a.wav": b"aaa", "wav/b.wav": b"", "readme.txt": b"hello"}


def test_zip_and_tar_are_unpacked(tmp_path: Path) -> None:
    (tmp_path / "zip").mkdir()
    (tmp_path / "tgz").mkdir()
    assert unpacked(make_zip(tmp_path / "zip" / "c.zip", {"wav/": b"", **CONTENT})) == CONTENT
    assert unpacked(make_tar(tmp_path / "tgz" / "c.tgz", CONTENT)) == CONTENT


@pytest.mark.parametrize(
    "name", ["../out.wav", "wav/../../out.wav", "/tmp/out.wav", "C:\\out.wav", "..\\out.wav"]
)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_member_that_would_leave_is_refused_before_any_is_written(
    tmp_path: Path, name: str, kind: str
) -> None:
    make = make_zip if kind == "zip" else make_tar
    archive = make(tmp_path / f"c.{kind}", {**CONTENT, name: b"evil"})
    with pytest.raises(CorpusError, match=r"not safe: .* would leave its folder"):
        unpacked(archive)
    assert not (tmp_path / "sandbox").exists()


@pytest.mark.parametrize("target", ["/etc/passwd", "../out", "../../out", "x/../../../out"])
def test_a_tar_link_that_leaves_is_refused(tmp_path: Path, target: str) -> None:
    archive = make_tar(tmp_path / "c.tar", CONTENT, {"wav/link": target})
    if target == "../out":  # ends inside the folder, where nothing is
        with pytest.raises(CorpusError, match="damaged"):
            unpacked(archive)
    else:
        with pytest.raises(CorpusError, match=r"not safe: .*link.* would leave"):
            unpacked(archive)


def test_writing_through_a_link_is_not_possible(tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "c.tar", {}, {"door": str(tmp_path)})
    with tarfile.open(archive, "a") as more:
        more.addfile(tarfile.TarInfo("door/out.wav"), io.BytesIO(b""))
    with pytest.raises(CorpusError, match="not safe"):
        unpacked(archive)
    assert not (tmp_path / "out.wav").exists()


def test_a_tar_link_that_stays_becomes_a_copy(tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "c.tar", CONTENT, {"wav/c.wav": "../wav/a.wav"})
    assert unpacked(archive) == {**CONTENT, "wav/c.wav": b"aaa"}
    assert not (tmp_path / "sandbox" / "corpus" / "wav" / "c.wav").is_symlink()


def test_a_tar_link_to_itself_is_damage(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"c\.tar is damaged"):
        unpacked(make_tar(tmp_path / "c.tar", {}, {"loop": "loop"}))


def test_hard_links_and_devices_in_a_tar(tmp_path: Path) -> None:
    for name, kind, target in (
        ("hard", tarfile.LNKTYPE, "../../etc/passwd"),
        ("device", tarfile.CHRTYPE, ""),
        ("pipe", tarfile.FIFOTYPE, ""),
    ):
        path = tmp_path / f"{name}.tar"
        with tarfile.open(path, "w") as archive:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, target
            archive.addfile(entry)
        with pytest.raises(CorpusError, match="not safe"):
            unpacked(path)


def test_a_zip_link_is_refused(tmp_path: Path) -> None:
    entry = zipfile.ZipInfo("wav/link")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(CorpusError, match="not safe: 'wav/link' is a link"):
        unpacked(tmp_path / "c.zip")


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "c.zip", {"a.wav": b"aaa"})
    content = bytearray(path.read_bytes())
    content[6] |= 1  # flags in the member's own header
    content[content.index(b"PK\x01\x02") + 8] |= 1  # and in the directory
    path.write_bytes(bytes(content))
    with pytest.raises(CorpusError, match=r"'a\.wav' is encrypted"):
        unpacked(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<!DOCTYPE html>\n<html><body>Sign in</body></html>", "it is a web page"),
        (b"\n  <html lang=de>", "it is a web page"),
        (b"PK\x03\x04 cut off", "it begins with"),
        (b"", "it begins with"),
    ],
)
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "c.zip").write_bytes(content)
    with pytest.raises(CorpusError, match=rf"c\.zip is not a zip or tar archive.*{reason}"):
        unpacked(tmp_path / "c.zip")


def test_a_damaged_member_is_found(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "c.zip", {"a.wav": b"sound" * 100})
    path.write_bytes(path.read_bytes().replace(b"soundsound", b"soundSOUND", 1))
    with pytest.raises(CorpusError, match=r"c\.zip is damaged: Bad CRC-32"):
        unpacked(path)


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"c\.zip cannot be unpacked"):
        unpacked(make_zip(tmp_path / "c.zip", {"a": b"file", "a/b": b"below it"}))


def test_no_room_to_unpack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 7})())
    with pytest.raises(
        CorpusError, match=r"not enough disk space to unpack c\.zip: .* 0\.0 MB free"
    ):
        unpacked(make_zip(tmp_path / "c.zip", CONTENT))
