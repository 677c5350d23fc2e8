from __future__ import annotations

import hashlib
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests_support.damage import turn_a_bit

from serbench.api import CorpusError, Source
from serbench.data.corpus.download import fetch

if TYPE_CHECKING:
    from conftest import Behaviour

CONTENT = np.random.default_rng(3).bytes(300_000)


@pytest.fixture(autouse=True)
def content(server: Behaviour) -> None:
    server.content = CONTENT


def download(server: Behaviour, folder: Path, **facts: str | int | None) -> bytes:
    """Fetch; on success only the file itself and its checksum are left."""
    steps: list[tuple[int, int]] = []
    source = Source(server.url, "corpus.bin", unpack=False, **facts)  # pyright: ignore[reportArgumentType]
    file = fetch(source, folder, lambda done, total: steps.append((done, total)))
    assert {path.name for path in folder.iterdir()} == {"corpus.bin", "corpus.bin.sha256"}
    if steps:
        assert steps[-1] == (len(server.content), len(server.content))
    return file.read_bytes()


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_a_file_is_fetched_once(server: Behaviour, tmp_path: Path) -> None:
    assert download(server, tmp_path / "new" / "folder") == CONTENT
    assert download(server, tmp_path / "new" / "folder") == CONTENT
    assert server.asked == [None]


@pytest.mark.parametrize("damaged", ["corpus.bin", "corpus.bin.sha256"])
def test_a_whole_file_that_was_damaged_since_is_fetched_anew(
    server: Behaviour, tmp_path: Path, damaged: str, caplog: pytest.LogCaptureFixture
) -> None:
    download(server, tmp_path)
    turn_a_bit(tmp_path / damaged)
    assert download(server, tmp_path) == CONTENT
    assert "the downloaded file" in caplog.text
    assert server.asked == [None, None]


def test_a_cut_connection_goes_on_where_it_was(server: Behaviour, tmp_path: Path) -> None:
    server.cuts = [150_000, 100_000]
    assert download(server, tmp_path, checksum=sha256(CONTENT)) == CONTENT
    assert server.asked == [None, "bytes=150000-", "bytes=250000-"]


def test_many_cuts_are_survived_as_long_as_bytes_arrive(server: Behaviour, tmp_path: Path) -> None:
    server.cuts = [30_000] * 9
    assert download(server, tmp_path) == CONTENT


def test_an_interrupted_download_goes_on_in_the_next_run(server: Behaviour, tmp_path: Path) -> None:
    server.cuts = [100_000]
    stopped = Source(server.url, "corpus.bin")

    def interrupt(done: int, total: int) -> None:
        if done >= 60_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(stopped, tmp_path, interrupt)
    assert download(server, tmp_path) == CONTENT
    assert server.requests[0] == (None, None)
    asked, condition = server.requests[1]
    assert asked is not None
    assert int(asked.removeprefix("bytes=").removesuffix("-")) >= 60_000
    assert condition == '"one"'


def test_a_server_that_ignores_ranges_sends_all_again(server: Behaviour, tmp_path: Path) -> None:
    server.ranges, server.cuts = False, [150_000]
    assert download(server, tmp_path) == CONTENT
    assert server.asked == [None, "bytes=150000-"]


def test_a_server_that_always_cuts_at_the_same_place_is_given_up(
    server: Behaviour, tmp_path: Path
) -> None:
    server.ranges, server.cuts = False, [150_000] * 50
    with pytest.raises(CorpusError, match="cut after 150000 of 300000 bytes"):
        download(server, tmp_path)
    assert len(server.asked) == 4


def test_a_file_that_changed_meanwhile_starts_over(server: Behaviour, tmp_path: Path) -> None:
    server.cuts = [150_000] + [0] * 3
    with pytest.raises(CorpusError, match="cut after 150000"):
        download(server, tmp_path)
    server.etag, server.content = '"two"', CONTENT[::-1]
    assert download(server, tmp_path) == CONTENT[::-1]


def test_a_server_that_continues_elsewhere_is_not_believed(
    server: Behaviour, tmp_path: Path
) -> None:
    server.cuts, server.wrong_place = [150_000], True
    assert download(server, tmp_path) == CONTENT
    assert server.asked == [None, "bytes=150000-", None]


def test_a_part_that_is_already_whole(server: Behaviour, tmp_path: Path) -> None:
    (tmp_path / "corpus.bin.part").write_bytes(CONTENT)
    assert download(server, tmp_path, checksum=sha256(CONTENT)) == CONTENT
    assert server.asked == ["bytes=300000-"]


def test_a_part_that_is_too_long_starts_over(server: Behaviour, tmp_path: Path) -> None:
    (tmp_path / "corpus.bin.part").write_bytes(CONTENT + b"more")
    assert download(server, tmp_path) == CONTENT


def test_a_server_that_names_no_length(server: Behaviour, tmp_path: Path) -> None:
    server.lengthless, server.etag = True, ""
    assert download(server, tmp_path, checksum=f"md5:{hashlib.md5(CONTENT).hexdigest()}") == CONTENT


def test_a_published_size_shows_a_cut_that_the_server_hides(
    server: Behaviour, tmp_path: Path
) -> None:
    server.lengthless, server.cuts = True, [150_000]
    assert download(server, tmp_path, size_bytes=300_000) == CONTENT
    assert server.asked == [None, "bytes=150000-"]


def test_another_size_than_published(server: Behaviour, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="offers 300000 bytes, but 299999 are published"):
        download(server, tmp_path, size_bytes=299_999)


def test_a_wrong_checksum_throws_the_file_away(server: Behaviour, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"sha256 of the file is [0-9a-f]{64}, but 00"):
        download(server, tmp_path, checksum="sha256:" + 32 * "00")
    assert not list(tmp_path.iterdir())
    with pytest.raises(CorpusError, match="neither with md5: nor with sha256:"):
        download(server, tmp_path, checksum="crc:12")


def test_a_missing_file_is_asked_for_once(server: Behaviour, tmp_path: Path) -> None:
    server.statuses = [404]
    with pytest.raises(CorpusError, match="the server answers 404 Not Found"):
        download(server, tmp_path)
    assert len(server.asked) == 1


def test_a_busy_server_is_asked_again(server: Behaviour, tmp_path: Path) -> None:
    server.statuses = [503, 429]
    assert download(server, tmp_path) == CONTENT


def test_a_refused_connection(server: Behaviour, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        server.url = f"http://127.0.0.1:{free.getsockname()[1]}/"
        with pytest.raises(CorpusError, match="refused"):
            download(server, tmp_path)


def test_only_http_is_downloaded(server: Behaviour, tmp_path: Path) -> None:
    server.url = f"file://{__file__}"
    with pytest.raises(CorpusError, match="only http and https"):
        download(server, tmp_path)


def test_no_room_is_known_before_the_first_byte(
    server: Behaviour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 299_999})())
    with pytest.raises(CorpusError, match=r"not enough disk space for corpus\.bin: 0\.3 MB needed"):
        download(server, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_disk_that_fills_up(server: Behaviour, tmp_path: Path) -> None:
    (tmp_path / "corpus.bin.part").symlink_to("/dev/full")
    with pytest.raises(CorpusError, match=r"cannot be written .no room on disk"):
        download(server, tmp_path)
