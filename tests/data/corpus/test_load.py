from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import soundfile
from pydantic import BaseModel
from tests_support.damage import DAMAGES

from serbench.api import Corpus, CorpusCard, CorpusError, Params, StoreError, UtteranceRecord
from serbench.data.corpus.load import load_corpus, read_each
from serbench.data.corpus.table import CorpusTable
from serbench_runtime.audio import read as audio

CARD = CorpusCard(
    title="Test corpus",
    language="none",
    licence="MIT",
    home="http://localhost/",
    citation="none",
    elicitation="synthetic",
    labels=("calm", "wild"),
    utterances=4,
    per_label={"calm": 2, "wild": 2},
    per_speaker={"a": 2, "b": 2},
    layout="SPEAKER_LABEL.wav",
)


class Listed(Corpus):
    """A corpus whose records a test lists."""

    name: ClassVar[str] = "listed"
    Params: ClassVar[type[BaseModel]] = Params
    records: Sequence[UtteranceRecord] = ()
    own_card: CorpusCard = CARD

    @property
    def card(self) -> CorpusCard:
        return self.own_card

    def utterances(self, folder: Path) -> Iterable[UtteranceRecord]:
        return self.records


def corpus_in(folder: Path, names: Sequence[str], card: CorpusCard = CARD) -> Listed:
    """One file per name ``speaker_label``, each of its own sound."""
    corpus = Listed(Params())
    corpus.own_card = card
    corpus.records = []
    for number, name in enumerate(names):
        speaker, label = name.split("_")[:2]
        samples = 0.3 * np.sin(np.arange(2000) * (0.1 + 0.01 * number))
        soundfile.write(folder / f"{name}.wav", samples, 16000)
        corpus.records.append(UtteranceRecord(name, Path(f"{name}.wav"), speaker, label))
    return corpus


FOUR = ("b_wild", "a_calm", "b_calm", "a_wild")


def load(corpus: Corpus, folder: Path, allow_incomplete: bool = False) -> CorpusTable:
    def advance(done: int, total: int) -> None:
        assert 1 <= done <= total

    return load_corpus(corpus, "test", folder, folder / "cache", advance, allow_incomplete)


@pytest.fixture
def read_files(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the audio files that are opened."""
    opened: list[str] = []

    def read(path: Path) -> audio.Audio:
        opened.append(path.name)
        return audio.read_audio(path)

    monkeypatch.setattr("serbench.data.corpus.load.read_audio", read)
    return opened


def test_a_table_is_sorted_and_knows_its_columns(tmp_path: Path) -> None:
    table = load(corpus_in(tmp_path, FOUR), tmp_path)
    assert table.ids == ("a_calm", "a_wild", "b_calm", "b_wild")
    assert table.labels == ("calm", "wild")
    assert table.label_index.tolist() == [0, 1, 0, 1]
    assert table.label_index.dtype == np.int64
    assert table.units == ("a", "b")
    first = table.by_id["a_calm"]
    assert first is table.utterances[0]
    assert table.unit_of(first) == first.speaker == "a"
    assert (first.duration_s, first.sample_rate_hz, first.channels) == (0.125, 16000, 1)
    assert first.path == tmp_path / "a_calm.wav"
    with pytest.raises(ValueError, match="read-only"):
        table.label_index[0] = 1


def test_the_digest_tells_audio_labels_and_speakers_apart(tmp_path: Path) -> None:
    corpus = corpus_in(tmp_path, FOUR)
    original = load(corpus, tmp_path).digest
    assert load(corpus, tmp_path).digest == original
    records = list(corpus.records)
    free = replace(CARD, per_label={}, per_speaker={})
    for change in ({"label": "calm"}, {"speaker": "z"}, {"id": "other"}):
        corpus.own_card = free
        corpus.records = [replace(records[0], **change), *records[1:]]
        assert load(corpus, tmp_path).digest != original
    corpus.records = records
    soundfile.write(tmp_path / "a_calm.wav", np.full(2000, 0.25), 16000)
    assert load(corpus, tmp_path).digest != original


def test_the_digest_does_not_depend_on_the_folder(tmp_path: Path) -> None:
    digests = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        digests.add(load(corpus_in(tmp_path / name, FOUR), tmp_path / name).digest)
    assert len(digests) == 1


def test_files_are_read_once(tmp_path: Path, read_files: list[str]) -> None:
    corpus = corpus_in(tmp_path, FOUR)
    cold = load(corpus, tmp_path)
    assert sorted(read_files) == [f"{i}.wav" for i in cold.ids]
    read_files.clear()
    assert load(corpus, tmp_path) == cold
    assert read_files == []
    soundfile.write(tmp_path / "a_wild.wav", np.full(3000, 0.25), 16000)
    assert load(corpus, tmp_path).by_id["a_wild"].duration_s == 0.1875
    assert read_files == ["a_wild.wav"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_cache_is_read_around_and_said(
    tmp_path: Path, read_files: list[str], damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    corpus = corpus_in(tmp_path, FOUR)
    cold = load(corpus, tmp_path)
    (file,) = (tmp_path / "cache" / "audio").iterdir()
    DAMAGES[damage](file)
    read_files.clear()
    assert load(corpus, tmp_path) == cold
    assert len(read_files) == 4
    assert f"{file} is damaged" in caplog.text
    read_files.clear()
    assert load(corpus, tmp_path) == cold
    assert read_files == []


def test_what_was_read_before_a_stop_is_kept(tmp_path: Path, read_files: list[str]) -> None:
    corpus = corpus_in(tmp_path, FOUR)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_corpus(corpus, "test", tmp_path, tmp_path / "cache", stop)
    before = set(read_files)
    assert before
    read_files.clear()
    load(corpus, tmp_path)
    # A file that was open at the stop is read again.
    assert {f"{name}.wav" for name in FOUR} - before <= set(read_files)
    assert len(read_files) < len(FOUR)


def test_a_stop_reads_no_further_file(tmp_path: Path) -> None:
    paths = {str(n): Path(str(n)) for n in range(500)}
    begun: list[Path] = []

    def read(path: Path) -> None:
        begun.append(path)
        time.sleep(0.001)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_each(paths, read, stop)
    assert len(begun) < len(paths)


def test_all_count_differences_come_at_once(tmp_path: Path) -> None:
    corpus = corpus_in(tmp_path, ("a_calm", "a_wild", "a_calm_2", "b_calm", "c_calm"))
    with pytest.raises(CorpusError) as error:
        load(corpus, tmp_path)
    for part in (
        "utterances: 5 instead of 4, 1 too many",
        "label calm: 4 instead of 2, 2 too many",
        "label wild: 1 of 2, 1 missing",
        "speaker a: 3 instead of 2, 1 too many",
        "speaker b: 1 of 2, 1 missing",
        "speaker c: 1 instead of 0, 1 too many",
        "SPEAKER_LABEL.wav",
    ):
        assert part in str(error.value)


def test_an_incomplete_corpus_is_loaded_on_request_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    corpus = corpus_in(tmp_path, FOUR[:3])
    with pytest.raises(CorpusError, match="speaker a: 1 of 2, 1 missing"):
        load(corpus, tmp_path)
    with caplog.at_level(logging.WARNING):
        assert len(load(corpus, tmp_path, allow_incomplete=True).ids) == 3
    assert "speaker a: 1 of 2, 1 missing" in caplog.text


def test_surplus_is_never_allowed(tmp_path: Path) -> None:
    corpus = corpus_in(tmp_path, (*FOUR, "c_calm"))
    with pytest.raises(CorpusError, match="speaker c: 1 instead of 0"):
        load(corpus, tmp_path, allow_incomplete=True)


def test_bad_files_are_listed_together(tmp_path: Path) -> None:
    corpus = corpus_in(tmp_path, FOUR)
    (tmp_path / "a_calm.wav").write_bytes(b"")
    (tmp_path / "a_wild.wav").unlink()
    (tmp_path / "b_wild.wav").write_text("not audio")
    with pytest.raises(CorpusError, match="3 of 4 audio files") as error:
        load(corpus, tmp_path)
    lines = str(error.value).splitlines()
    assert ["a_calm" in lines[1], "a_wild" in lines[2], "b_wild" in lines[3]] == [True] * 3


@pytest.mark.parametrize("name", ["a\0b.wav", "\ud800.wav"])
def test_a_name_that_no_file_can_have_is_a_bad_file(tmp_path: Path, name: str) -> None:
    read, problems = read_each({"a": tmp_path / name}, Path.read_bytes, lambda *_: None)
    assert (read, problems["a"].reason) == ({}, "no file can have this name")


def test_a_long_list_is_cut_and_counted_and_what_is_alike_is_told_once(tmp_path: Path) -> None:
    corpus = Listed(Params())
    corpus.own_card = replace(CARD, utterances=None, per_label={}, per_speaker={})
    corpus.records = [
        UtteranceRecord(f"u{n:02d}", Path(f"{n}.wav"), "a", "calm") for n in range(25)
    ]
    with pytest.raises(CorpusError, match=r"  25 files, such as .*0\.wav: cannot be read: No such"):
        load(corpus, tmp_path)
    for number, record in enumerate(corpus.records):
        soundfile.write(tmp_path / record.path, np.zeros(1599 - 16 * number), 16000)
    with pytest.raises(CorpusError, match=r"and 5 more$"):
        load(corpus, tmp_path)


def test_ids_labels_and_sessions_are_checked(tmp_path: Path) -> None:
    corpus = corpus_in(tmp_path, FOUR, replace(CARD, unit="session"))
    first, *others = corpus.records
    corpus.records = [first, first, replace(others[0], label="mild"), *others[1:]]
    with pytest.raises(CorpusError) as error:
        load(corpus, tmp_path)
    for part in ("b_wild is used 2 times", "a_calm: label 'mild' is not one of calm, wild"):
        assert part in str(error.value)
    assert str(error.value).count("no session") == 5


def test_sessions_are_units(tmp_path: Path) -> None:
    corpus = corpus_in(tmp_path, FOUR, replace(CARD, unit="session"))
    corpus.records = [replace(r, session=f"s{r.label}") for r in corpus.records]
    assert load(corpus, tmp_path).units == ("scalm", "swild")


def test_a_folder_without_utterances_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(
        CorpusError, match=r"no utterances found in .*Test corpus.*SPEAKER_LABEL\.wav"
    ):
        load(Listed(Params()), tmp_path)


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path: Path) -> None:
    class Unreadable(Listed):
        def utterances(self, folder: Path) -> Iterable[UtteranceRecord]:
            raise PermissionError(13, "Permission denied", str(folder))

    with pytest.raises(CorpusError, match=r"cannot be read .Permission denied"):
        load(Unreadable(Params()), tmp_path)


def test_one_speaker_is_a_corpus(tmp_path: Path) -> None:
    card = replace(CARD, utterances=None, per_label={}, per_speaker={})
    table = load(corpus_in(tmp_path, ("a_calm", "a_wild"), card), tmp_path)
    assert table.units == ("a",)


def test_an_unwritable_cache_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the cache should be")
    with pytest.raises(StoreError, match="cannot write"):
        load(corpus_in(tmp_path, FOUR), tmp_path)


class Below(Listed):
    """Every WAV file, named by its stem."""

    def utterances(self, folder: Path) -> Iterable[UtteranceRecord]:
        for path in sorted(folder.rglob("*.wav")):
            speaker, label = path.stem.split("_")[:2]
            yield UtteranceRecord(path.stem, path.relative_to(folder), speaker, label)


def test_a_corpus_that_is_in_its_folder_twice_is_told_in_one_sentence(tmp_path: Path) -> None:
    for place in (tmp_path / "Actor", tmp_path / "audio/Actor"):
        place.mkdir(parents=True)
        corpus_in(place, FOUR)
    with pytest.raises(CorpusError) as caught:
        load(Below(Params()), tmp_path)
    told = str(caught.value)
    assert told.count("\n") == 1
    assert "4 recordings occur more than once, in the folder itself and audio: keep" in told


def test_names_that_are_used_twice_by_others_are_told_one_by_one(tmp_path: Path) -> None:
    for place in (tmp_path / "one", tmp_path / "two"):
        place.mkdir()
        corpus_in(place, FOUR)
    for path in (tmp_path / "two").iterdir():
        path.write_bytes(path.read_bytes() + b"0")
    with pytest.raises(CorpusError, match="utterance id b_wild is used 2 times") as caught:
        load(Below(Params()), tmp_path)
    assert "more than once" not in str(caught.value)
