from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serbench.api import StoreError
from serbench.files.atomic import file_name, json_bytes, write_atomically, write_text, write_whole
from serbench.files.digests import name_digest


def test_a_failed_write_keeps_the_old_file_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    write_atomically(path, b"old")

    def no_room(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_room)
    with pytest.raises(StoreError, match="No space left on device"):
        write_atomically(path, b"new")
    assert [each.name for each in tmp_path.iterdir()] == ["a.json"]
    assert path.read_bytes() == b"old"


def test_names_of_files_that_are_no_utf_8_are_stored(tmp_path: Path) -> None:
    foreign = os.fsdecode(b"M\xfcller")
    write_text(tmp_path / "a.csv", f"id,{foreign}\n")
    assert (tmp_path / "a.csv").read_bytes() == b"id,M\\xfcller\n"
    assert json.loads(json_bytes({"folder": foreign}, "a plan").decode()) == {"folder": foreign}
    assert name_digest(foreign, 8) != name_digest(r"M\xfcller", 8)


def test_what_is_written_once_stays(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.json"
    write_whole(path, b"first", once=True)
    write_whole(path, b"second", once=True)
    assert path.read_bytes() == b"first"
    assert [each.name for each in path.parent.iterdir()] == ["a.json"]


@settings(max_examples=25)
@given(st.sets(st.text(min_size=1, max_size=12), min_size=2, max_size=6))
def test_names_become_distinct_safe_file_names(names: set[str]) -> None:
    files = {file_name(name) for name in names}
    assert len(files) == len(names)
    assert all("/" not in each and each not in {"", ".", ".."} for each in files)
