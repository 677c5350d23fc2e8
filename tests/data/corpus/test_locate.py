from __future__ import annotations

import shutil
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import BaseModel
from tests_support.damage import DAMAGES
from tests_support.tables import Noise, write_noise

from serbench.api import (
    Advance,
    Corpus,
    CorpusCard,
    CorpusError,
    Params,
    StoreError,
    UtteranceRecord,
)
from serbench.data.corpus.load import load_corpus
from serbench.data.corpus.locate import OLD_RECIPE, folders_here, locate
from serbench.files.kept import SUMS


class MadeParams(Params):
    size: int = 1


class Made(Corpus):
    """A corpus that is made on first use."""

    name: ClassVar[str] = "made"
    Params: ClassVar[type[BaseModel]] = MadeParams
    built: ClassVar[int] = 0

    @property
    def card(self) -> CorpusCard:
        return CorpusCard(
            title="Made corpus",
            language="none",
            licence="by request",
            home="http://localhost/",
            citation="none",
            elicitation="synthetic",
            labels=("calm",),
            utterances=5,
            layout="SPEAKER.wav",
        )

    def utterances(self, folder: Path) -> Iterable[UtteranceRecord]:
        return ()

    def build(self, folder: Path, advance: Advance) -> bool:
        assert not list(folder.iterdir())
        (folder / "sound.wav").write_text(str(self.params.size))
        advance(1, 1)
        return True


class Requested(Made):
    """A corpus that is to be had by request only."""

    def build(self, folder: Path, advance: Advance) -> bool:
        return False


@pytest.fixture(autouse=True)
def no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SERBENCH_DATA", raising=False)


def find(
    corpus: Corpus, cache: Path, data_dir: Path | None = None, path: Path | None = None
) -> tuple[Path, list[str]]:
    said: list[str] = []
    folder = locate(corpus, "set", data_dir, cache, lambda done, total: None, said.append, path)
    return folder, said


def folders(cache: Path) -> set[Path]:
    """Corpora, and what was left behind, but no locks."""
    return {path for path in (cache / "corpora").iterdir() if path.suffix != ".lock"}


def test_the_order_of_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("named", "own", "root/set", "cache/corpora/set"):
        (tmp_path / name).mkdir(parents=True)
    corpus, cache = Made(MadeParams()), tmp_path / "cache"
    assert find(corpus, cache)[0] == cache / "corpora" / "set"
    assert find(corpus, cache, path=tmp_path / "own")[0] == tmp_path / "own"
    monkeypatch.setenv("SERBENCH_DATA", str(tmp_path / "root"))
    assert find(corpus, cache, path=tmp_path / "own")[0] == tmp_path / "root" / "set"
    assert find(corpus, cache, tmp_path / "named", tmp_path / "own")[0] == tmp_path / "named"


@pytest.mark.parametrize("origin", ["--data-dir", "the path of dataset set in the registry"])
def test_a_named_folder_that_is_missing_or_a_file(tmp_path: Path, origin: str) -> None:
    (tmp_path / "file.zip").touch()
    for name, reason in (("none", "does not exist"), ("file.zip", "is a file, not a folder")):
        wanted = tmp_path / name
        places = (wanted, None) if origin == "--data-dir" else (None, wanted)
        with pytest.raises(CorpusError) as error:
            find(Made(MadeParams()), tmp_path, *places)
        assert str(error.value) == (
            f"set: {wanted} ({origin}) {reason}. Expected Made corpus (5 utterances): SPEAKER.wav"
        )


def test_the_variable_must_name_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERBENCH_DATA", str(tmp_path / "none"))
    with pytest.raises(CorpusError, match=r"SERBENCH_DATA=.*none is not a folder"):
        find(Made(MadeParams()), tmp_path)


def test_a_corpus_below_the_variable_may_be_absent_but_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERBENCH_DATA", str(tmp_path))
    folder, said = find(Made(MadeParams()), tmp_path / "cache")
    assert folder.parent == tmp_path / "cache" / "corpora"
    assert said[0] == f"set is not in SERBENCH_DATA ({tmp_path})"


def test_a_made_corpus_is_made_once_and_again_for_other_parameters(tmp_path: Path) -> None:
    folder, said = find(Made(MadeParams()), tmp_path)
    assert said == [f"making set in {folder}"]
    assert find(Made(MadeParams()), tmp_path) == (folder, [])
    assert (folder / "sound.wav").read_text() == "1"
    other, _ = find(Made(MadeParams(size=2)), tmp_path)
    assert (other / "sound.wav").read_text() == "2"
    assert (folder / "sound.wav").read_text() == "1"
    assert folders(tmp_path) == {folder, other}


def test_what_an_older_version_has_made_is_not_used(tmp_path: Path) -> None:
    old = tmp_path / "corpora" / "set"
    old.mkdir(parents=True)
    (old / OLD_RECIPE).touch()
    assert find(Made(MadeParams()), tmp_path)[0] != old
    (old / OLD_RECIPE).unlink()
    assert find(Made(MadeParams()), tmp_path) == (old, [])


@pytest.mark.parametrize("name", ["sound.wav", SUMS])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_corpus_is_made_anew_and_said(
    tmp_path: Path, name: str, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder, _ = find(Made(MadeParams()), tmp_path)
    DAMAGES[damage](folder / name)
    again, said = find(Made(MadeParams()), tmp_path)
    assert (again, said) == (folder, [f"making set in {folder}"])
    assert (folder / "sound.wav").read_text() == "1"
    assert f"{folder} is damaged" in caplog.text
    assert find(Made(MadeParams()), tmp_path) == (folder, [])
    assert folders(tmp_path) == {folder}


def test_what_a_killed_synthesis_has_left_is_removed(tmp_path: Path) -> None:
    folder, _ = find(Made(MadeParams()), tmp_path)
    shutil.rmtree(folder)
    left = folder.with_name(f".{folder.name}-abcd1234")
    left.mkdir()
    assert find(Made(MadeParams()), tmp_path)[0] == folder
    assert folders(tmp_path) == {folder}


def test_an_interrupted_synthesis_leaves_nothing(tmp_path: Path) -> None:
    class Stopped(Made):
        def build(self, folder: Path, advance: Advance) -> bool:
            (folder / "half.wav").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        find(Stopped(MadeParams()), tmp_path)
    assert folders(tmp_path) == set()


def test_of_several_at_once_one_makes_the_corpus(tmp_path: Path) -> None:
    built: list[Path] = []
    together = threading.Barrier(4)

    class Counted(Made):
        def build(self, folder: Path, advance: Advance) -> bool:
            built.append(folder)
            return super().build(folder, advance)

    def wanted() -> Path:
        together.wait()
        return find(Counted(MadeParams()), tmp_path)[0]

    with ThreadPoolExecutor(4) as pool:
        found = {job.result() for job in [pool.submit(wanted) for _ in range(4)]}
    assert len(built) == 1
    assert folders(tmp_path) == found


def test_a_corpus_by_request_names_its_home(tmp_path: Path) -> None:
    with pytest.raises(CorpusError) as error:
        find(Requested(MadeParams()), tmp_path)
    for part in ("http://localhost/", "by request", "--data-dir DIR", "SPEAKER.wav"):
        assert part in str(error.value)
    assert folders(tmp_path) == set()


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(StoreError, match=r"cannot write .*set SERBENCH_CACHE to a writable folder"):
        find(Made(MadeParams()), tmp_path / "cache")


def test_a_disk_that_fills_up_during_synthesis(tmp_path: Path) -> None:
    class Full(Made):
        def build(self, folder: Path, advance: Advance) -> bool:
            raise OSError(28, "No space left on device")

    with pytest.raises(CorpusError, match=r"No space left on device.; free some space"):
        find(Full(MadeParams()), tmp_path)


def test_a_relative_folder_works_as_an_absolute_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_noise(tmp_path / "here", speakers=2, utterances=1)
    monkeypatch.chdir(tmp_path)
    corpus = Noise(Params())
    folder = locate(corpus, "noise", Path("here"), tmp_path, lambda *_: None, lambda _: None)
    table = load_corpus(corpus, "noise", folder, tmp_path / "audio", lambda *_: None)
    assert len(table.utterances) == 4


def test_folders_that_are_here_are_told_and_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERBENCH_DATA", str(tmp_path / "data"))
    cache = tmp_path / "cache"
    assert folders_here("mine", cache, tmp_path / "own") == []
    assert not cache.exists()
    here = [tmp_path / "data" / "mine", tmp_path / "own", cache / "corpora" / "mine-0123abcd"]
    for folder in (*here, cache / "corpora" / "mine-other"):
        folder.mkdir(parents=True)
    assert folders_here("mine", cache, tmp_path / "own") == here
