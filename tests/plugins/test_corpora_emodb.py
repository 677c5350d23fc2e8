from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from serbench.api import CorpusError
from serbench.data.corpus.check import CountDifferences, count_differences, missing_files, scan
from serbench.data.corpus.load import load_corpus
from serbench.data.corpus.locate import locate
from serbench_corpora.emodb import CARD, EmoDB, EmoDBParams
from serbench_corpora.emodb_names import STEMS

NAMES = ("03a01Fa", "03a01Wb", "16b10Td")


def emodb() -> EmoDB:
    return EmoDB(EmoDBParams())


def touch(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def nothing(done: int, total: int) -> None:
    pass


def test_the_card_adds_up() -> None:
    card = emodb().card
    assert card.labels == (
        "anger", "boredom", "disgust", "fear", "happiness", "neutral", "sadness",
    )  # fmt: skip
    assert card.utterances == sum(card.per_label.values()) == sum(card.per_speaker.values()) == 535
    assert card.fold_sets["paper"] == (
        ("03", "08"), ("09", "10"), ("11", "12"), ("13", "14"), ("15", "16"),
    )  # fmt: skip
    assert tuple(card.per_label) == card.labels
    assert card.unit == "speaker"


@pytest.mark.parametrize("below", ["", "wav"])
def test_the_folder_may_be_the_root_or_wav_itself(tmp_path: Path, below: str) -> None:
    touch(tmp_path / "wav", *(f"{name}.wav" for name in NAMES), ".DS_Store")
    records = list(emodb().utterances(tmp_path / "wav" if below else tmp_path))
    assert [r.id for r in records] == sorted(NAMES)
    last = records[-1]
    assert (last.speaker, last.text, last.label, last.session) == ("16", "b10", "sadness", None)
    assert last.path == tmp_path / "wav" / "16b10Td.wav"


@pytest.mark.parametrize(
    ("letter", "label"),
    list(zip("WLEAFNT", emodb().card.labels, strict=True)),
)
def test_emotion_letters(tmp_path: Path, letter: str, label: str) -> None:
    touch(tmp_path / "wav", f"03a01{letter}a.wav")
    assert [r.label for r in emodb().utterances(tmp_path)] == [label]


def test_names_of_another_grammar_are_reported_together(tmp_path: Path) -> None:
    touch(tmp_path / "wav", "03a01Fa.wav", "03a01Xa.wav", "3a01Fa.wav", "03a01Fa.mp3")
    with pytest.raises(CorpusError, match="not EmoDB file names") as error:
        list(emodb().utterances(tmp_path))
    for name in ("03a01Xa.wav", "3a01Fa.wav", "03a01Fa.mp3"):
        assert name in str(error.value)
    assert "03a01Fa.wav" in str(error.value)  # the example


@pytest.mark.parametrize("content", [(), ("some.wav",), ("notes.txt",)])
def test_a_wrong_folder_says_what_was_expected(tmp_path: Path, content: tuple[str, ...]) -> None:
    touch(tmp_path, *content)
    with pytest.raises(CorpusError, match=r"is not EmoDB.*neither.*wav/03a01Fa\.wav"):
        list(emodb().utterances(tmp_path))


@pytest.mark.parametrize(
    "name", ["wav/03a01Fa.wav", "03a01Fa.wav", "03a01Fa", "/any/where/wav/03a01Fa.wav"]
)
def test_a_name_tells_speaker_text_and_emotion(name: str) -> None:
    record = emodb().read_name(name)
    assert record is not None
    assert (record.id, record.speaker, record.text, record.label, record.session) == (
        "03a01Fa", "03", "a01", "happiness", None,
    )  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ["", "/", "..", "wav/", "emodb-03a01Fa", "03a01Xa", "03a01Fa.mp3", "03a01Fa.wav/x", "٠٣a01Fa"],
)
def test_a_name_of_another_grammar_tells_nothing(name: str) -> None:
    assert emodb().read_name(name) is None


def test_the_source_can_be_a_mirror() -> None:
    (home,) = emodb().sources()
    assert home.url == "http://emodb.bilderbar.info/download/download.zip"
    (mirror,) = EmoDB(EmoDBParams(url="https://mirror.example/e.zip")).sources()
    assert mirror.url == "https://mirror.example/e.zip"
    with pytest.raises(ValueError, match="pattern"):
        EmoDBParams(url="ftp://mirror.example/e.zip")


@pytest.fixture
def shared() -> Path:
    value = os.environ.get("SERBENCH_TEST_SHARED")
    if not value:
        pytest.skip("SERBENCH_TEST_SHARED is not set")
    return Path(value) / "corpora" / "emodb"


@pytest.mark.real
def test_the_real_corpus_loads_with_all_counts(shared: Path, tmp_path: Path) -> None:
    corpus = emodb()
    folder = locate(corpus, "emodb", shared, tmp_path, nothing, print)

    table, again = (load_corpus(corpus, "emodb", folder, tmp_path, nothing) for _ in range(2))
    assert again == table
    assert Counter(u.label for u in table.utterances) == corpus.card.per_label
    assert Counter(u.speaker for u in table.utterances) == corpus.card.per_speaker
    assert {u.sample_rate_hz for u in table.utterances} == {16000}
    assert {u.channels for u in table.utterances} == {1}
    durations_s = [u.duration_s for u in table.utterances]
    assert (round(min(durations_s), 2), round(max(durations_s), 2)) == (1.23, 8.98)
    assert {u.text for u in table.utterances} == {
        "a01", "a02", "a04", "a05", "a07", "b01", "b02", "b03", "b09", "b10",
    }  # fmt: skip
    assert len({u.pcm_sha256 for u in table.utterances}) == 535
    assert not [u for u in table.utterances if u.speaker == "08" and u.label == "disgust"]


def test_the_list_of_names_is_that_of_the_card() -> None:
    records = [EmoDB(EmoDBParams()).read_name(stem) for stem in STEMS]
    whole = [record for record in records if record is not None]
    assert len(whole) == len(STEMS) == 535
    assert count_differences(CARD, whole) == CountDifferences((), ())
    assert {r.speaker for r in whole if r.gender == "male"} == {"03", "10", "11", "12", "15"}


def test_missing_and_foreign_files_are_named() -> None:
    corpus = EmoDB(EmoDBParams())
    names = (corpus.read_name(stem) for stem in sorted(STEMS) if stem != "03a01Fa")
    records = [record for record in names if record is not None]
    assert missing_files(corpus, records) == ("missing files: 03a01Fa.wav",)
    foreign = corpus.read_name("17a01Fa")
    assert foreign is not None
    assert "utterances of other speakers: 17a01Fa" in (
        count_differences(CARD, [*records, foreign]).surplus
    )


def test_a_tree_of_real_names_gives_the_published_table(tmp_path: Path) -> None:
    folder = touch(tmp_path / "wav", *(f"{stem}.wav" for stem in STEMS))
    records = scan(emodb(), "emodb", folder.parent)
    assert [record.id for record in records] == sorted(STEMS)
    assert count_differences(CARD, records) == CountDifferences((), ())
    (folder / "03a01Fa.wav").rename(folder / "03a01Xa.wav")
    with pytest.raises(CorpusError, match=r"not EmoDB file names: 03a01Xa\.wav"):
        scan(emodb(), "emodb", folder.parent)
