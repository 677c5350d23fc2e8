"""Corpora as EmoBox prepared them: made-up rows under its real names, and its irregularities."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
from pydantic import ValidationError
from tests_support.howto import described_corpus

from serbench.api import CorpusError, LeakageError
from serbench.data.corpus.load import load_corpus
from serbench.protocol.guard.checks import check_split
from serbench.protocol.splits.outer import outer_splits
from serbench.testing import check_corpus
from serbench_corpora.emobox import EmoBox, EmoBoxParams

CARD = {
    "title": "EmoDB as EmoBox has it",
    "language": "German",
    "licence": "CC0 1.0",
    "home": "https://github.com/emo-box/EmoBox",
    "citation": "Z. Ma et al., Interspeech 2024",
    "elicitation": "acted",
    "layout": "data/emodb and downloads/emodb/wav",
}
EMODB: dict[str, object] = {
    "metadata": "data/emodb",
    "speaker": r"(?P<speaker>\d\d)(?P<text>[ab]\d\d)[WLEAFNT]",
    "text": "{text}",
    "labels": {"Angry": "anger", "Happy": "happiness", "neutral": "neutral"},
    "card": CARD,
}
LABEL_MAP = {"anger": "Angry", "happy": "Happy", "Neutral": "Neutral", "sad": "Sad"}

EMOTIONS = {"W": "anger", "F": "happy", "N": "neutral"}

NAMES = [f"{who}{text}{e}a" for who in ("03", "08") for text in ("a01", "b02") for e in EMOTIONS]
"""Two speakers, who say two sentences in three emotions."""

BY_SPEAKER = {1: NAMES[:6], 2: NAMES[6:]}
MIXED = {1: NAMES[::2], 2: NAMES[1::2]}


def row(name: str) -> dict[str, object]:
    return {
        "key": f"emodb-{name}",
        "dataset": "emodb",
        "wav": f"downloads/emodb/wav/{name}.wav",
        "type": "raw",
        "sample_rate": 16000,
        "length": 1.5,
        "task": "category",
        "emo": EMOTIONS[name[5]],
        "channel": 1,
    }


def write(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(each) + "\n" for each in rows))


def write_folds(folder: Path, tests: Mapping[int, Sequence[str]], names: list[str] = NAMES) -> Path:
    """An EmoBox of ``tests`` by fold; the rest of ``names`` is each fold's training side."""
    data = folder / "data" / "emodb"
    for fold, tested in tests.items():
        trained = [name for name in names if name not in tested]
        for part, those in (("train", trained), ("test", tested)):
            write(data / f"fold_{fold}" / f"emodb_{part}_fold_{fold}.jsonl", [*map(row, those)])
    (data / "label_map.json").write_text(json.dumps(LABEL_MAP))
    return folder


def emobox(**changes: object) -> EmoBox:
    return EmoBox(EmoBoxParams.model_validate(EMODB | changes))


def fault(folder: Path, **changes: object) -> str:
    with pytest.raises(CorpusError) as raised:
        list(emobox(**changes).utterances(folder))
    return str(raised.value)


def write_audio(folder: Path) -> None:
    noise = np.random.default_rng(0)
    for name in NAMES:
        path = folder / "downloads" / "emodb" / "wav" / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, noise.normal(size=4800) * 0.1, 16000)


def test_rows_become_utterances_and_folds_their_official_split(tmp_path: Path) -> None:
    found = {r.id: r for r in emobox().utterances(write_folds(tmp_path, BY_SPEAKER))}
    assert sorted(found) == sorted(NAMES)
    told = found["08b02Fa"]
    assert told.path == Path("downloads/emodb/wav/08b02Fa.wav")
    assert (told.speaker, told.label, told.text, told.official) == ("08", "happiness", "b02", "2")
    assert {r.official for r in found.values() if r.speaker == "03"} == {"1"}
    # label_map.json has Neutral, rows have neutral: labels may say either.
    assert found["03a01Na"].label == "neutral"


def test_a_single_fold_is_a_split_in_sides(tmp_path: Path) -> None:
    write_folds(tmp_path, {1: NAMES[:3]}, NAMES[:9])
    valid = tmp_path / "data" / "emodb" / "fold_1" / "emodb_valid_fold_1.jsonl"
    write(valid, [*map(row, NAMES[9:])])
    found = {r.id: r.official for r in emobox().utterances(tmp_path)}
    expected = ["test"] * 3 + ["train"] * 6 + ["validation"] * 3
    assert found == dict(zip(NAMES, expected, strict=True))


def test_a_part_under_several_names_is_read_once(tmp_path: Path) -> None:
    fold = write_folds(tmp_path, BY_SPEAKER) / "data" / "emodb" / "fold_1"
    write(fold / "emodb_test_fold1.jsonl", [row(NAMES[7])])
    (fold / "emodb_test_fold_1.json").write_text("{}")
    assert {r.id: r.official for r in emobox().utterances(tmp_path)}["03a01Wa"] == "1"
    (fold / "emodb_test_fold_1.jsonl").unlink()
    (fold / "emodb_test_fold1.jsonl").unlink()
    rows = {str(row(name)["key"]): row(name) for name in NAMES[:6]}
    (fold / "emodb_test_fold_1.json").write_text(json.dumps(rows))
    assert {r.id: r.official for r in emobox().utterances(tmp_path)}["03a01Wa"] == "1"


def test_the_audio_may_be_where_the_corpus_has_it(tmp_path: Path) -> None:
    write_folds(tmp_path / "EmoBox", BY_SPEAKER)
    corpus = emobox(metadata=str(tmp_path / "EmoBox" / "data" / "emodb"), audio="wav/{stem}.wav")
    paths = {record.path for record in corpus.utterances(tmp_path / "emodb")}
    assert paths == {Path(f"wav/{name}.wav") for name in NAMES}


def test_the_contract_is_kept(tmp_path: Path) -> None:
    write_audio(write_folds(tmp_path, BY_SPEAKER))
    check_corpus(EmoBox, tmp_path, EMODB)


def test_names_tell_who_speaks_as_the_speaker_s_pattern_says() -> None:
    read = emobox().read_name("downloads/emodb/wav/03a01Wa.wav")
    assert read is not None
    assert (read.id, read.speaker, read.text, read.label) == ("03a01Wa", "03", "a01", "")
    assert emobox().read_name("downloads/other.wav") is None
    assert emobox(id="{key}").read_name("downloads/emodb/wav/03a01Wa.wav") is None


def test_folds_that_mix_speakers_are_found_when_they_are_used(tmp_path: Path) -> None:
    for name, tests in (("clean", BY_SPEAKER), ("mixed", MIXED)):
        folder = write_folds(tmp_path / name, tests)
        write_audio(folder)
        table = load_corpus(emobox(), name, folder, tmp_path / "cache", lambda done, total: None)
        splits = outer_splits(table, "official", 2)
        assert len(splits) == 2
        for split in splits:
            if name == "clean":
                check_split(split, table)
            else:
                with pytest.raises(LeakageError, match="L1"):
                    check_split(split, table)


def test_overlapping_folds_are_told(tmp_path: Path) -> None:
    write_folds(tmp_path, {1: NAMES[:7], 2: NAMES[6:]})
    assert "1 utterances are tested in two folds: emodb-08a01Wa (1 and 2)" in fault(tmp_path)


def test_sides_that_overlap_or_leave_out_are_told(tmp_path: Path) -> None:
    fold = write_folds(tmp_path, BY_SPEAKER) / "data" / "emodb" / "fold_1"
    train = fold / "emodb_train_fold_1.jsonl"
    write(train, [*map(row, NAMES[5:])])
    assert "1 utterances are on two sides of fold 1: emodb-03b02Na (test and train)" in fault(
        tmp_path
    )
    write(train, [*map(row, NAMES[7:])])
    assert "on no side of fold 1, but on one of other folds: emodb-08a01Wa" in fault(tmp_path)


def test_an_utterance_that_no_fold_tests_is_told(tmp_path: Path) -> None:
    write_folds(tmp_path, {1: NAMES[:6], 2: NAMES[6:11]})
    assert "1 utterances are tested in no fold: emodb-08b02Na" in fault(tmp_path)


def test_rows_that_do_not_say_enough_are_told(tmp_path: Path) -> None:
    folder = write_folds(tmp_path, BY_SPEAKER)
    text = fault(folder, speaker=r"(?P<speaker>1\d)a\d\d", text="")
    assert "the speaker's pattern matches neither key nor wav (12)" in text
    assert "fold_1/emodb_test_fold_1.jsonl:1 emodb-03a01Wa" in text
    text = fault(folder, labels={"Angry": "anger", "neutral": "neutral"})
    assert "a label that is not one of Angry, anger, neutral (4): " in text
    test = folder / "data" / "emodb" / "fold_1" / "emodb_test_fold_1.jsonl"
    write(test, [{**row(NAMES[0]), "start_time": 0.5, "end_time": 1.0}, *map(row, NAMES[1:6])])
    assert "parts of audio files, which are not supported (1)" in fault(folder)
    write(test, [{"key": "emodb-03a01Wa", "emo": "anger"}])
    assert 'emodb_test_fold_1.jsonl:1: no wav; a row is {"key"' in fault(folder)


def test_what_is_not_emobox_is_told(tmp_path: Path) -> None:
    assert "has no EmoBox fold files; expected fold_1/" in fault(tmp_path)
    data = write_folds(tmp_path, BY_SPEAKER) / "data" / "emodb"
    write(data / "fold_1" / "crema_train_fold_1.jsonl", [row(NAMES[0])])
    assert "fold files of several datasets: crema, emodb" in fault(tmp_path)
    (data / "fold_1" / "crema_train_fold_1.jsonl").unlink()
    (data / "label_map.json").write_text('["a"]')
    assert "label_map.json must be a JSON object" in fault(tmp_path)
    (data / "label_map.json").write_text("{")
    assert "label_map.json cannot be read" in fault(tmp_path)
    (data / "fold_2" / "emodb_test_fold_2.jsonl").unlink()
    assert "fold 2 has no test file" in fault(tmp_path)
    (data / "fold_2" / "emodb_test_fold_2.json").write_text("[]")
    assert "must be a JSON object of rows by key" in fault(tmp_path)


def test_rows_of_a_dropped_label_are_left_out(tmp_path: Path) -> None:
    folder = write_folds(tmp_path, BY_SPEAKER)
    labels = {"Angry": "anger", "neutral": "neutral"}
    for dropped in ("Happy", "happy"):
        found = list(emobox(labels=labels, drop=[dropped]).utterances(folder))
        assert len(found) == 8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"speaker": r"\d\d"}, r"needs a group \(\?P<speaker>"),
        ({"speaker": "("}, "is not a valid regular expression"),
        ({"text": "{words}"}, "text uses words; it can use emo, folder, key, speaker, stem"),
        ({"drop": ["Angry"]}, "Angry is in both labels and drop"),
        ({"audio": "wav/{"}, "a brace does not belong to a"),
    ],
)
def test_a_wrong_description_is_told(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        EmoBoxParams.model_validate(EMODB | change)


def test_who_speaks_must_be_said() -> None:
    with pytest.raises(ValidationError, match="speaker"):
        EmoBoxParams.model_validate({k: v for k, v in EMODB.items() if k != "speaker"})


def test_the_how_to_describes_a_copy_that_loads(tmp_path: Path) -> None:
    corpus = described_corpus("howto-corpus.md", "emodb-emobox", tmp_path)
    assert isinstance(corpus, EmoBox)
    found = {r.id: r for r in corpus.utterances(write_folds(tmp_path, BY_SPEAKER))}
    assert len(found) == 12
    assert (found["03a01Wa"].label, found["03a01Wa"].text) == ("anger", "a01")
