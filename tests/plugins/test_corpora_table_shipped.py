"""Corpora that come with serbench and that a table describes, by made-up rows of their grammar."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tests_support.written_tables import Cells, write_table

from serbench.api import CorpusError, UtteranceRecord
from serbench.data.corpus.check import count_differences, scan
from serbench.data.corpus.load import load_corpus
from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry
from serbench.testing import check_corpus, check_corpus_card
from serbench_corpora.table import Table

REGISTRY = load_registry(load_plugins())
DESCRIBED = [name for name, spec in REGISTRY.datasets.items() if spec.corpus == "table"]

NEMO_GENDERS = {
    **dict.fromkeys(("EB0", "IC0", "KD0", "MK0"), "female"),
    **dict.fromkeys(("KS0", "MP0", "SM0", "TP0", "WR0"), "male"),
}


def nemo() -> Iterator[Cells]:
    """The published count of each emotion; which sentences are missing is made up."""
    counts = {
        "anger": 749, "fear": 736, "happiness": 749, "neutral": 809, "sadness": 769,
        "surprised": 669,
    }  # fmt: skip
    for emotion, count in counts.items():
        takes = list(product(range(1, 91), NEMO_GENDERS))[:count]
        for sentence, speaker in takes:
            yield {
                "file_id": f"{speaker}_{emotion}_{sentence}.wav",
                "emotion": emotion,
                "raw_text": f"„Zdanie” numer {sentence}.",
                "normalized_text": f"zdanie numer {sentence}",
                "speaker_id": f"        {speaker}",  # as in the real table
                "gender": NEMO_GENDERS[speaker],
                "age": 25,
            }


def msp_podcast() -> Iterator[Cells]:
    splits = ["Train", "Train", "Development", "Test1", "Test2", "Test3"]
    for number, emotion in enumerate("ACDFHNSUOX" * 12):
        split = splits[number // 20]
        hidden = split == "Test3"
        yield {
            "FileName": f"MSP-PODCAST_{number // 20:04}_{number:04}.wav",
            "EmoClass": "" if hidden else emotion,
            "EmoAct": 3.5,
            "EmoVal": 4,
            "EmoDom": 2.25,
            "SpkrID": "Unknown" if hidden or number % 19 == 3 else number // 5,
            "Gender": "Unknown" if hidden or number % 7 == 5 else ("Female", "Male")[number % 2],
            "Split_Set": split,
        }


def cmu_mosei() -> Iterator[Cells]:
    emotions = ["anger", "disgust", "fear", "happy", "sad", "surprise", "none", "several"]
    splits = {"-3g5yACwYnA": "train", "fsBzpr4k3rY": "valid", "rC29Qub0U7A": "test", "zXyz": ""}
    for (video, split), (segment, emotion) in product(splits.items(), enumerate(emotions)):
        yield {"video": video, "segment": segment, "emotion": emotion, "split": split}


ROWS = {
    "nemo": nemo,
    "msp-podcast": msp_podcast,
    "cmu-mosei": cmu_mosei,
}

TABLES = {
    "nemo": "data.tsv",
    "msp-podcast": "Labels/labels_consensus.csv",
    "cmu-mosei": "segments.csv",
}


def corpus_of(name: str) -> Table:
    corpus = REGISTRY.make("corpora", name)
    assert isinstance(corpus, Table)
    return corpus


def write_audio(folder: Path, records: Sequence[UtteranceRecord]) -> None:
    """A tenth of a second, once; every other file is the same one."""
    first = folder / records[0].path
    for record in records:
        path = folder / record.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if path == first:
            soundfile.write(path, np.random.default_rng(0).normal(size=800) * 0.1, 8000)
        else:
            os.link(first, path)


@pytest.fixture(params=DESCRIBED)
def copy(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """The name of a shipped corpus and a folder with its table, without audio."""
    name = request.param
    write_table(tmp_path / TABLES[name], list(ROWS[name]()))
    return name, tmp_path


def test_every_described_corpus_has_rows_here() -> None:
    assert sorted(DESCRIBED) == sorted(ROWS)


@pytest.mark.parametrize("name", DESCRIBED)
def test_the_card_keeps_the_contract(name: str) -> None:
    check_corpus_card(Table, REGISTRY.datasets[name].params)


def test_shipped_corpora_keep_the_contract(copy: tuple[str, Path]) -> None:
    name, folder = copy
    records = list(corpus_of(name).utterances(folder))
    write_audio(folder, records)
    check_corpus(Table, folder, REGISTRY.datasets[name].params)


def test_nemo_loads_to_the_published_table(tmp_path: Path) -> None:
    corpus, folder = corpus_of("nemo"), tmp_path / "nEMO-main"  # as its archive unpacks
    write_table(folder / "data.tsv", list(nemo()))
    records = scan(corpus, "nemo", tmp_path)
    write_audio(tmp_path, records)
    table = load_corpus(corpus, "nemo", tmp_path, tmp_path / "cache", lambda done, total: None)
    assert len(table.utterances) == 4481
    assert table.units == tuple(sorted(NEMO_GENDERS))
    told = table.by_id["EB0_anger_1"]
    assert (told.speaker, told.label, told.text, told.gender) == ("EB0", "anger", "1", "female")
    assert table.by_id["WR0_surprised_64"].label == "surprise"
    (folder / "samples" / "KS0_fear_9.wav").unlink()
    with pytest.raises(CorpusError, match=r"(?s)1 of 4481 audio files.*KS0_fear_9.wav"):
        load_corpus(corpus, "nemo", tmp_path, tmp_path / "cache", lambda done, total: None)


def test_counts_of_nemo_are_held_against_the_table(tmp_path: Path) -> None:
    corpus = corpus_of("nemo")
    write_table(tmp_path / "data.tsv", list(nemo())[1:])
    missing = count_differences(corpus.card, scan(corpus, "nemo", tmp_path)).missing
    assert missing == ("utterances: 4480 of 4481, 1 missing", "label anger: 748 of 749, 1 missing")


def test_names_of_nemo_are_read_without_its_table() -> None:
    for name in ("samples/EB0_surprised_64.wav", "a/b/EB0_surprised_64.wav", "EB0_surprised_64"):
        read = corpus_of("nemo").read_name(name)
        assert read is not None
        assert (read.id, read.speaker, read.label, read.text) == (
            "EB0_surprised_64", "EB0", "surprise", "64",
        )  # fmt: skip
    for name in ("", "/", "..", "03a01Fa.wav", "EB0_joy_64.wav"):
        assert corpus_of("nemo").read_name(name) is None
    assert corpus_of("msp-podcast").read_name("Audios/MSP-PODCAST_0001_0008.wav") is None


def test_nemo_with_a_row_that_contradicts_its_file_name(tmp_path: Path) -> None:
    rows = [dict(row) for row in nemo()]
    rows[0]["emotion"] = "fear"
    rows[1]["speaker_id"] = "WR0"
    write_table(tmp_path / "data.tsv", rows)
    with pytest.raises(
        CorpusError,
        match=r"emotion differs from that in the file name \(1\): data.tsv:2 fear .*EB0_anger_1"
        r".*speaker_id differs .*data.tsv:3 WR0",
    ):
        corpus_of("nemo").utterances(tmp_path)


def test_msp_podcast_has_known_speakers_and_its_own_split(tmp_path: Path) -> None:
    write_table(tmp_path / TABLES["msp-podcast"], list(msp_podcast()))
    labels = "ACDFHNSU"
    found = list(corpus_of("msp-podcast").utterances(tmp_path))
    kept = [
        row
        for row in msp_podcast()
        if row["SpkrID"] != "Unknown" and str(row["EmoClass"]) in labels
        if row["Split_Set"] in {"Train", "Development", "Test1", "Test2"}
    ]
    assert [(r.path.name, r.speaker) for r in found] == [
        (row["FileName"], str(row["SpkrID"])) for row in kept if row["EmoClass"]
    ]
    assert {r.official for r in found} == {"train", "validation", "test", "test2"}
    assert {r.gender for r in found} == {"female", "male", None}
    assert len({r.label for r in found}) == len(labels)


def test_cmu_mosei_takes_videos_for_speakers(tmp_path: Path) -> None:
    write_table(tmp_path / "segments.csv", list(cmu_mosei()))
    found = list(corpus_of("cmu-mosei").utterances(tmp_path))
    assert len(found) == 3 * 6
    first = found[0]
    assert (first.id, first.speaker, first.official) == ("-3g5yACwYnA_0", "-3g5yACwYnA", "train")
    assert "video" in corpus_of("cmu-mosei").card.title
    read = corpus_of("cmu-mosei").read_name("any/-3g5yACwYnA_0.wav")
    assert read is not None
    assert (read.id, read.speaker, read.label) == ("-3g5yACwYnA_0", "-3g5yACwYnA", "")
