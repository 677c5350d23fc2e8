"""The way of a whole corpus, from its home to a table."""

from __future__ import annotations

import io
import socket
import threading
import zipfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pytest
import soundfile
from pydantic import BaseModel
from tests_support.damage import turn_a_bit

from serbench.api import Corpus, CorpusCard, CorpusError, Params, Source, UtteranceRecord
from serbench.data.corpus.load import load_corpus
from serbench.data.corpus.locate import locate
from serbench.files.kept import SUMS

if TYPE_CHECKING:
    from conftest import Behaviour


class Remote(Corpus):
    """Two utterances in an archive; a test sets where it is."""

    name: ClassVar[str] = "remote"
    Params: ClassVar[type[BaseModel]] = Params
    urls: Sequence[str] = ()
    unpack = True

    @property
    def card(self) -> CorpusCard:
        return CorpusCard(
            title="Remote corpus",
            language="none",
            licence="MIT",
            home="http://localhost/",
            citation="none",
            elicitation="synthetic",
            labels=("calm", "wild"),
            utterances=2,
            per_label={"calm": 1, "wild": 1},
            layout="SPEAKER_LABEL.wav",
        )

    def utterances(self, folder: Path) -> Iterable[UtteranceRecord]:
        for file in folder.glob("*.wav"):
            speaker, _, label = file.stem.partition("_")
            yield UtteranceRecord(file.stem, file, speaker, label)

    def sources(self) -> Sequence[Source]:
        return [
            Source(url, f"{number}.zip" if self.unpack else "a_calm.wav", unpack=self.unpack)
            for number, url in enumerate(self.urls)
        ]


def archive(names: Sequence[str]) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as target:
        for name in names:
            sound = io.BytesIO()
            samples = np.random.default_rng(len(name)).uniform(-0.5, 0.5, 2000)
            soundfile.write(sound, samples, 16000, format="WAV")
            target.writestr(name, sound.getvalue())
    return whole.getvalue()


def find(corpus: Remote, cache: Path) -> tuple[Path, list[str]]:
    said: list[str] = []
    folder = locate(corpus, "far", None, cache, lambda done, total: None, said.append)
    return folder, said


@pytest.fixture
def remote(server: Behaviour, monkeypatch: pytest.MonkeyPatch) -> Remote:
    monkeypatch.delenv("SERBENCH_DATA", raising=False)
    server.content = archive(["a_calm.wav", "b_wild.wav", "notes/readme.txt"])
    corpus = Remote(Params())
    corpus.urls = [server.url]
    return corpus


def left_in(cache: Path) -> set[str]:
    files = (path for path in cache.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {path.relative_to(cache).as_posix() for path in files}


def test_a_damaged_corpus_is_downloaded_anew(
    server: Behaviour, remote: Remote, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, _ = find(remote, tmp_path)
    before = (folder / "b_wild.wav").read_bytes()
    turn_a_bit(folder / "b_wild.wav")
    assert find(remote, tmp_path)[0] == folder
    assert (folder / "b_wild.wav").read_bytes() == before
    assert "b_wild.wav has another checksum" in caplog.text
    assert len(server.requests) == 2


def test_a_corpus_is_downloaded_on_first_use(
    server: Behaviour, remote: Remote, tmp_path: Path
) -> None:
    folder, said = find(remote, tmp_path)
    assert folder.parent == tmp_path / "corpora"
    assert said == [f"downloading far from {server.url}", "unpacking 0.zip"]
    assert left_in(tmp_path) == {
        f"corpora/{folder.name}/{name}"
        for name in ("a_calm.wav", "b_wild.wav", "notes/readme.txt", SUMS)
    }
    table = load_corpus(remote, "far", folder, tmp_path, lambda done, total: None)
    assert table.ids == ("a_calm", "b_wild")
    assert find(remote, tmp_path) == (folder, [])
    assert len(server.requests) == 1


def test_of_several_at_once_one_downloads(
    server: Behaviour, remote: Remote, tmp_path: Path
) -> None:
    together = threading.Barrier(3)

    def wanted() -> Path:
        together.wait()
        return find(remote, tmp_path)[0]

    with ThreadPoolExecutor(3) as pool:
        found = {job.result() for job in [pool.submit(wanted) for _ in range(3)]}
    assert len(found) == len(server.requests) == 1


def test_a_file_that_is_no_archive_is_put_into_the_folder(
    server: Behaviour, remote: Remote, tmp_path: Path
) -> None:
    remote.unpack = False
    with pytest.raises(CorpusError, match="label wild: 0 of 1, 1 missing"):
        find(remote, tmp_path)
    assert left_in(tmp_path) == set()


def refusal(remote: Remote, cache: Path) -> str:
    """The message of a download that must fail and leave no corpus behind."""
    with pytest.raises(CorpusError) as error:
        find(remote, cache)
    assert [path for path in (cache / "corpora").iterdir() if path.is_dir()] == []
    return str(error.value)


def test_every_failure_names_the_ways_out(
    server: Behaviour, remote: Remote, tmp_path: Path
) -> None:
    server.statuses = [404]
    message = refusal(remote, tmp_path)
    assert f"far cannot be downloaded from {server.url}: the server answers 404" in message
    assert "--data-dir DIR (SPEAKER_LABEL.wav)" in message
    assert f"download {server.url} by hand and unpack it into {tmp_path}/corpora/far" in message


def test_without_network_one_message_names_the_ways_out(remote: Remote, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        remote.urls = [f"http://127.0.0.1:{free.getsockname()[1]}/corpus.zip"]
        message = refusal(remote, tmp_path)
    assert "refused" in message
    assert "--data-dir DIR" in message
    assert "by hand" in message


def test_the_second_way_out_works(server: Behaviour, remote: Remote, tmp_path: Path) -> None:
    server.statuses = [404]
    refusal(remote, tmp_path)
    with zipfile.ZipFile(io.BytesIO(server.content)) as by_hand:
        by_hand.extractall(tmp_path / "corpora" / "far")
    assert find(remote, tmp_path) == (tmp_path / "corpora" / "far", [])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<html><body>moved</body></html>", "is not a zip or tar archive; it is a web page"),
        (archive(["elsewhere/a_calm.wav"]), "no utterances found in"),
        (archive(["a_calm.wav", "b_calm.wav"]), "label wild: 0 of 1, 1 missing"),
        (archive(["a_calm.wav", "b_wild.wav", "c_wild.wav"]), "utterances: 3 instead of 2"),
        (archive(["a_calm.wav", "../b_wild.wav"]), "not safe"),
    ],
    ids=["web page", "another corpus", "missing", "surplus", "unsafe"],
)
def test_a_wrong_archive_is_refused_and_fetched_anew(
    server: Behaviour, remote: Remote, tmp_path: Path, content: bytes, reason: str
) -> None:
    good, server.content = server.content, content
    message = refusal(remote, tmp_path)
    assert reason in message
    assert "--data-dir DIR" in message
    server.content = good
    assert find(remote, tmp_path)[0].is_dir()
    assert len(server.requests) == 2


def test_a_download_that_was_cut_for_good_goes_on_later(
    server: Behaviour, remote: Remote, tmp_path: Path
) -> None:
    half = len(server.content) // 2
    server.cuts = [half, 0, 0, 0]
    assert f"cut after {half}" in refusal(remote, tmp_path)
    assert find(remote, tmp_path)[0].is_dir()
    assert server.asked[-1] == f"bytes={half}-"
