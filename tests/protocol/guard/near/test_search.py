from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from tests_support.copies import MP3, TRANSFORMS, Waveform, encoded, pcm, speech_like
from tests_support.tables import noise_table

from serbench.api import CorpusError, StoreError
from serbench.data.corpus.load import load_corpus
from serbench.protocol.guard.near import index, search
from serbench.protocol.guard.near.fingerprints import fingerprint
from serbench.protocol.guard.near.search import THRESHOLD, NearPair, near_duplicates, similar
from serbench_corpora.demo import Demo, DemoParams
from serbench_runtime.audio.read import pcm_digest, read_known, read_waveform


@dataclass(frozen=True)
class File:
    id: str
    path: Path
    pcm_sha256: str


Write = Callable[[str, Waveform], File]


def nothing(done: int, total: int) -> None:
    pass


def fail(path: Path, digest: str) -> Waveform:
    raise AssertionError(f"{path} was read")


@cache
def voices() -> tuple[Waveform, ...]:
    draw = np.random.default_rng(0)
    return tuple(speech_like(draw, float(draw.uniform(1.8, 2.6))) for _ in range(12))


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(name: str, waveform: Waveform) -> File:
        path = tmp_path / "wav" / f"{name}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, waveform, 16_000)
        return File(name, path, pcm_digest(read_waveform(path)))

    return to_file


@pytest.fixture
def corpus(write: Write) -> list[File]:
    """Twelve recordings, no two of them alike."""
    return [write(f"u{n:02d}", waveform) for n, waveform in enumerate(voices())]


def names(pairs: Sequence[NearPair]) -> list[tuple[str, str]]:
    return [(pair.one, pair.other) for pair in pairs]


def test_a_clean_corpus_has_no_pair(corpus: list[File], tmp_path: Path) -> None:
    assert near_duplicates(corpus, tmp_path / "cache", nothing) == ()


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_planted_copy_is_found_by_both_names(
    name: str, corpus: list[File], write: Write, tmp_path: Path
) -> None:
    copy = TRANSFORMS[name](voices()[7], np.random.default_rng(1))
    planted = [*corpus, write("planted", copy)]
    (pair,) = near_duplicates(planted, tmp_path / "cache", nothing)
    assert (pair.one, pair.other) == ("planted", "u07")
    assert THRESHOLD <= pair.similarity <= 1


def test_a_copy_in_another_format_is_found(
    corpus: list[File], write: Write, tmp_path: Path
) -> None:
    path = tmp_path / "copy.mp3"
    path.write_bytes(encoded(voices()[2], MP3)[0])
    copy = File("zz", path, pcm_digest(read_waveform(path)))
    assert names(near_duplicates([*corpus, copy], tmp_path / "cache", nothing)) == [("u02", "zz")]


def test_every_pair_of_three_copies_is_named(
    corpus: list[File], write: Write, tmp_path: Path
) -> None:
    x = voices()[4]
    same = [write("again", x), write("later", x[4_000:]), write("soft", pcm(x * 0.3))]
    pairs = near_duplicates([*corpus, *same], tmp_path / "cache", nothing)
    assert names(pairs) == [
        ("again", "later"), ("again", "soft"), ("again", "u04"),
        ("later", "soft"), ("later", "u04"), ("soft", "u04"),
    ]  # fmt: skip
    by_name = {(p.one, p.other): p for p in pairs}
    assert by_name["again", "u04"] == NearPair("again", "u04", 1.0, 0.0)
    # A copy that begins later has the common part earlier.
    assert by_name["again", "later"].offset_s == by_name["later", "u04"].offset_s * -1
    assert by_name["again", "later"].offset_s < 0


def test_what_a_pair_is_called_does_not_depend_on_which_was_read(
    write: Write, tmp_path: Path
) -> None:
    x = voices()[4][3_000:]
    x = x[np.flatnonzero(np.abs(x) > 0.01)[0] :]
    files = [write("b", x), write("c", x), write("a", x[800:])]
    pairs = near_duplicates(files, tmp_path / "cache", nothing)
    offsets = {(p.one, p.other): p.offset_s for p in pairs}
    assert offsets == {
        ("a", "b"): pytest.approx(0.05, abs=1e-3), ("a", "c"): offsets["a", "b"], ("b", "c"): 0.0,
    }  # fmt: skip


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> list[File]:
    """Twelve recordings and copies of four."""
    folder = tmp_path_factory.mktemp("planted")
    draw = np.random.default_rng(2)
    copies = [TRANSFORMS["both ends cut, 0.5 s in all"](x, draw) for x in voices()[:4]]
    files = []
    for number, waveform in enumerate([*voices(), *copies]):
        path = folder / f"{number}.wav"
        soundfile.write(path, waveform, 16_000)
        # Names in another order than files, so that pairs are turned around now and then.
        files.append(File(f"{number * 7 % 16:02d}", path, pcm_digest(read_waveform(path))))
    return files


@settings(max_examples=8, deadline=None)
@given(order=st.permutations(range(16)))
def test_the_order_of_recordings_changes_nothing(
    planted: list[File], order: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    expected = near_duplicates(planted, tmp_path_factory.mktemp("cache"), nothing)
    shuffled = [planted[n] for n in order]
    assert near_duplicates(shuffled, tmp_path_factory.mktemp("cache"), nothing) == expected
    assert len(expected) == 4


def test_a_second_search_reads_nothing(
    corpus: list[File], write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = [*corpus, write("x", voices()[0][2_000:])]
    found = near_duplicates(planted, tmp_path / "cache", nothing)
    monkeypatch.setattr(search, "read_known", fail)
    assert near_duplicates(planted, tmp_path / "cache", nothing) == found
    assert names(found) == [("u00", "x")]


def test_one_more_file_is_all_that_is_read(
    corpus: list[File], write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    near_duplicates(corpus, tmp_path / "cache", nothing)
    new = write("new", speech_like(np.random.default_rng(9), 1.5))
    read: list[Path] = []
    monkeypatch.setattr(
        search, "read_known", lambda path, digest: (read.append(path), read_known(path, digest))[1]
    )
    told: list[tuple[int, int]] = []
    near_duplicates([*corpus, new], tmp_path / "cache", lambda *count: told.append(count))
    assert read == [new.path]
    assert told == [(13, 13)]


def test_progress_counts_recordings(
    corpus: list[File], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "BLOCK", 5)
    told: list[tuple[int, int]] = []
    near_duplicates(corpus, tmp_path / "cache", lambda *count: told.append(count))
    assert told == [(n, 12) for n in range(1, 13)]


def test_a_damaged_cache_is_made_anew(
    corpus: list[File], write: Write, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    planted = [*corpus, write("x", voices()[0][2_000:])]
    found = near_duplicates(planted, tmp_path / "cache", nothing)
    files = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert len(files) == 2
    for path in files:
        path.write_bytes(path.read_bytes()[:40])
    with caplog.at_level(logging.WARNING):
        assert near_duplicates(planted, tmp_path / "cache", nothing) == found
    assert caplog.text.count("is damaged") == 2


def test_a_file_that_changed_since_is_an_error(corpus: list[File], tmp_path: Path) -> None:
    soundfile.write(corpus[3].path, voices()[5], 16_000)
    with pytest.raises(CorpusError, match=r"u03\.wav: its audio has changed"):
        near_duplicates(corpus, tmp_path / "cache", nothing)


def test_a_file_that_is_gone_is_an_error(corpus: list[File], tmp_path: Path) -> None:
    corpus[3].path.unlink()
    with pytest.raises(CorpusError, match=r"u03\.wav"):
        near_duplicates(corpus, tmp_path / "cache", nothing)


def test_silent_recordings_are_in_no_pair(write: Write, tmp_path: Path) -> None:
    silent = [write(f"s{n}", np.zeros(16_000 + n, np.float32)) for n in range(3)]
    assert near_duplicates(silent, tmp_path / "cache", nothing) == ()


def test_no_recording_gives_no_pair(tmp_path: Path) -> None:
    assert near_duplicates([], tmp_path / "cache", nothing) == ()


def test_a_full_disk_is_an_error_that_says_where(
    corpus: list[File], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(index.Occurrences, "_put", full)
        with pytest.raises(StoreError, match=rf"{tmp_path}/near/.*No space left.*same command"):
            near_duplicates(corpus, tmp_path, nothing)
    assert near_duplicates(corpus, tmp_path, nothing) == ()


def test_steady_noise_of_other_seeds_is_not_alike() -> None:
    draw = np.random.default_rng(3)
    noises = [
        pcm(draw.normal(0, 10 ** draw.uniform(-4, -1), 24_000).astype(np.float32))
        for _ in range(60)
    ]
    assert similar([fingerprint(x) for x in noises], noises.__getitem__) == []


def test_many_tones_do_not_blow_it_up() -> None:
    """A tone repeats its words for ever; the same tone twice may well count as a copy."""
    time_s = np.arange(32_000) / 16_000
    tones = [
        pcm((0.3 * np.sin(2 * np.pi * (200 + n) * time_s)).astype(np.float32)) for n in range(99)
    ]
    pairs = similar([fingerprint(x) for x in tones], tones.__getitem__)
    assert all(abs(one - other) <= 1 for one, other, _, _ in pairs)


def test_the_noise_corpus_has_no_pair(tmp_path: Path) -> None:
    table = noise_table(tmp_path / "noise", speakers=4, utterances=6)
    assert near_duplicates(table.utterances, tmp_path / "cache", nothing) == ()


def test_the_demo_corpus_has_no_pair(tmp_path: Path) -> None:
    """Two takes of each sentence in each emotion by each of four synthetic speakers."""
    demo = Demo(DemoParams(speakers=4))
    (tmp_path / "demo").mkdir()
    demo.build(tmp_path / "demo", nothing)
    table = load_corpus(demo, "demo", tmp_path / "demo", tmp_path / "cache", nothing)
    assert len(table.utterances) == 192
    assert near_duplicates(table.utterances, tmp_path / "cache", nothing) == ()


def test_what_other_code_made_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "noise"
    recordings = noise_table(folder, speakers=2, utterances=1).utterances
    counts: list[int] = []

    def taken() -> int:
        counts.clear()
        near_duplicates(recordings, tmp_path / "cache", lambda done, _: counts.append(done))
        return len(counts)

    assert (taken(), taken()) == (len(recordings), 0)
    monkeypatch.setattr(search, "core_digest", lambda names: "of other code")
    assert taken() == len(recordings)


def test_a_recording_that_is_too_long_is_named(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "MOST_FRAMES", 100)
    with pytest.raises(CorpusError, match=r"long\.wav is longer than 0 hours.*utterances"):
        near_duplicates([write("long", voices()[0])], tmp_path / "cache", nothing)
