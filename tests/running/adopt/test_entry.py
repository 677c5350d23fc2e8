from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import cast

import pytest

from serbench.api import Corpus, RegistryError
from serbench.data.corpus.check import count_differences, scan
from serbench.running.adopt.entry import Card, append_entry, check_name, make_entry
from serbench.running.adopt.guess import guess
from serbench.running.adopt.names import audio_names
from serbench.running.adopt.understood import understand
from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry

PLUGINS = load_plugins()
CARD = Card('My "own" corpus', "Italian", "CC BY 4.0", "acted")

BEFORE = b"""\
# Mine; do not touch.
[datasets.small] # a small one
corpus = "demo"
folds = "pairs"
params = { speakers = 4, takes = 1 }"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for speaker in ("ann", "bob"):
        for emotion in ("rab", "gio"):
            for take in (1, 2):
                path = tmp_path / "audio" / f"{speaker}_{emotion}_{take}.wav"
                path.parent.mkdir(exist_ok=True)
                path.touch()
    return tmp_path / "audio"


def entry(folder: Path) -> dict[str, object]:
    names = audio_names(folder)
    return make_entry(understand(names, guess(names)), folder, CARD)


def test_an_entry_reads_its_own_folder(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "new.toml"
    append_entry("mine", entry(folder), output, folder, PLUGINS)
    known = load_registry(PLUGINS, output)
    assert known.dataset("mine").path == folder
    corpus = cast("Corpus", known.make("corpora", "mine"))
    assert corpus.card.title == 'My "own" corpus'
    assert corpus.card.per_speaker == {"ann": 4, "bob": 4}
    (folder / "ann_rab_1.wav").unlink()
    missing = count_differences(corpus.card, scan(corpus, "mine", folder)).missing
    assert "utterances: 7 of 8, 1 missing" in missing


def test_a_folder_whose_name_is_no_text_is_refused(folder: Path, tmp_path: Path) -> None:
    foreign = folder.rename(tmp_path / os.fsdecode(b"m\xfcll"))
    with pytest.raises(RegistryError, match=r"m\\xfcll: this name is not UTF-8, as .*rename"):
        append_entry("mine", entry(foreign), tmp_path / "new.toml", foreign, PLUGINS)
    assert not (tmp_path / "new.toml").exists()


@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n# the end\n"])
def test_what_stood_in_the_file_stays_as_it_was(folder: Path, tmp_path: Path, end: bytes) -> None:
    output = tmp_path / "serbench.toml"
    output.write_bytes(BEFORE + end)
    text = append_entry("mine", entry(folder), output, folder, PLUGINS)
    content = output.read_bytes()
    assert content.startswith(BEFORE + end)
    assert content.endswith(text.encode())
    assert set(tomllib.loads(content.decode())["datasets"]) == {"small", "mine"}
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".tmp"] == []


@pytest.mark.parametrize("name", ["small", "emodb", "demo"])
def test_a_name_that_is_taken_is_refused(folder: Path, tmp_path: Path, name: str) -> None:
    output = tmp_path / "serbench.toml"
    output.write_bytes(BEFORE)
    with pytest.raises(RegistryError, match=f"a dataset '{name}' already exists"):
        append_entry(name, entry(folder), output, folder, PLUGINS)
    assert output.read_bytes() == BEFORE


@pytest.mark.parametrize("name", ["", "a b", "../x", "[x]"])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(RegistryError, match="cannot be a dataset's name"):
        check_name(name, tmp_path / "serbench.toml", PLUGINS)


def test_a_file_that_would_be_broken_is_left_as_it_was(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "serbench.toml"
    inline = b'datasets = { small = { corpus = "demo", folds = "pairs" } }\n'
    output.write_bytes(inline)
    with pytest.raises(RegistryError, match="was not changed") as raised:
        append_entry("mine", entry(folder), output, folder, PLUGINS)
    assert ".tmp" not in str(raised.value)
    assert output.read_bytes() == inline
    assert sorted(path.name for path in tmp_path.iterdir()) == ["audio", "serbench.toml"]


def test_files_that_come_meanwhile_are_noticed(folder: Path, tmp_path: Path) -> None:
    made = entry(folder)
    (folder / "cay_rab_1.wav").touch()
    with pytest.raises(RegistryError, match="changed during the reading"):
        append_entry("mine", made, tmp_path / "serbench.toml", folder, PLUGINS)
    assert not (tmp_path / "serbench.toml").exists()
