"""audformat databases, made by the library itself, and audb with a repository in a folder."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import soundfile
from pydantic import ValidationError
from tests_support.howto import described_corpus

from serbench.api import CorpusError, PluginError
from serbench.data.corpus.load import load_corpus
from serbench.data.corpus.locate import locate
from serbench.testing import check_corpus, check_corpus_card
from serbench_corpora import audformat_files
from serbench_corpora.audformat_db import Audformat, AudformatParams

if TYPE_CHECKING:
    from audformat import Database

audformat = pytest.importorskip("audformat", reason="the extra audformat is not installed")

# What pandas says of how audformat writes tables; where serbench reads them, it is silent.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

CARD = {
    "title": "EmoDB as audb has it",
    "language": "German",
    "licence": "CC0 1.0",
    "home": "https://audeering.github.io/datasets",
    "citation": "F. Burkhardt et al., Interspeech 2005",
    "elicitation": "acted",
    "layout": "db.yaml, its tables and wav",
    "utterances": 6,
}
EMODB: dict[str, object] = {
    "emotion": "emotion.emotion",
    "speaker": "files.speaker",
    "text": "files.transcription",
    "gender": "gender",
    "labels": {name: name for name in ("anger", "happiness", "neutral")},
    "splits": {
        "emotion.categories.train.gold_standard": "train",
        "emotion.categories.test.gold_standard": "test",
    },
    "card": CARD,
}
EMOTIONS = {"W": "anger", "F": "happiness", "N": "neutral"}

FILES = [f"wav/{who:02}a01{emotion}a.wav" for who in (3, 8) for emotion in EMOTIONS]


def add_table(
    database: Database,
    name: str,
    index: pd.Index,
    columns: Mapping[str, tuple[str | None, list[str | int]]],
    split: str | None = None,
) -> None:
    database[name] = audformat.Table(index, split_id=split)
    for column, (scheme, values) in columns.items():
        database[name][column] = audformat.Column(scheme_id=scheme)
        database[name][column].set(values)


def make_database() -> Database:
    """Tables, schemes and names as EmoDB 1.4.1 of audb has them; two speakers."""
    database = audformat.Database("emodb", source="made up", usage="unrestricted")
    database.schemes["emotion"] = audformat.Scheme(labels=sorted(EMOTIONS.values()))
    database.schemes["transcription"] = audformat.Scheme(labels={"a01": "Der Lappen liegt …"})
    database["speaker"] = audformat.MiscTable(pd.Index([3, 8], name="speaker", dtype="Int64"))
    database["speaker"]["gender"] = audformat.Column()
    database["speaker"]["gender"].set(["male", "female"])
    database.schemes["speaker"] = audformat.Scheme("int", labels="speaker")
    for split in ("train", "test"):
        database.splits[split] = audformat.Split(split)
    emotions = [EMOTIONS[file[9]] for file in FILES]
    index = audformat.filewise_index(FILES)
    add_table(database, "emotion", index, {"emotion": ("emotion", [*emotions])})
    for split, half in (("train", slice(0, 3)), ("test", slice(3, 6))):
        add_table(
            database,
            f"emotion.categories.{split}.gold_standard",
            audformat.filewise_index(FILES[half]),
            {"emotion": ("emotion", [*emotions[half]])},
            split,
        )
    speakers = [int(file[4:6]) for file in FILES]
    columns = {"speaker": ("speaker", [*speakers]), "transcription": ("transcription", ["a01"] * 6)}
    add_table(database, "files", index, columns)
    return database


def write(database: Database, folder: Path) -> Path:
    for file in FILES:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(len(file)).normal(size=3200) * 0.1
        soundfile.write(folder / file, noise, 16000)
    database.save(str(folder))
    return folder


@pytest.fixture
def emodb(tmp_path: Path) -> Path:
    return write(make_database(), tmp_path / "emodb")


def corpus(**changes: object) -> Audformat:
    return Audformat(AudformatParams.model_validate(EMODB | changes))


def fault(folder: Path, **changes: object) -> str:
    with pytest.raises(CorpusError) as raised:
        list(corpus(**changes).utterances(folder))
    return str(raised.value)


def test_a_database_loads(emodb: Path, tmp_path: Path) -> None:
    table = load_corpus(corpus(), "emodb", emodb, tmp_path / "cache", lambda done, total: None)
    assert [(u.id, u.speaker, u.label, u.text, u.gender, u.official) for u in table.utterances] == [
        ("03a01Fa", "3", "happiness", "a01", "male", "train"),
        ("03a01Na", "3", "neutral", "a01", "male", "train"),
        ("03a01Wa", "3", "anger", "a01", "male", "train"),
        ("08a01Fa", "8", "happiness", "a01", "female", "test"),
        ("08a01Na", "8", "neutral", "a01", "female", "test"),
        ("08a01Wa", "8", "anger", "a01", "female", "test"),
    ]


def test_the_contract_is_kept(emodb: Path) -> None:
    check_corpus_card(Audformat, EMODB)
    check_corpus(Audformat, emodb, EMODB)


def test_reading_warns_of_nothing_and_writes_nothing(emodb: Path) -> None:
    before = sorted(emodb.rglob("*"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(list(corpus().utterances(emodb))) == 6
    assert sorted(emodb.rglob("*")) == before


@pytest.mark.parametrize("storage", ["csv", "parquet"])
def test_both_formats_of_tables_are_read(storage: str, tmp_path: Path) -> None:
    make_database().save(str(tmp_path), storage_format=storage)
    assert len(list(corpus().utterances(tmp_path))) == 6


@dataclass
class Trap:
    """Makes a file when it is unpickled."""

    path: Path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_pickled_tables_are_never_read(emodb: Path, tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    (emodb / "db.emotion.pkl").write_bytes(pickle.dumps(Trap(sprung)))
    assert len(list(corpus().utterances(emodb))) == 6
    (emodb / "db.emotion.parquet").unlink()
    assert "never from pickles" in fault(emodb)
    assert not sprung.exists()


def test_emotions_of_several_tables_and_splits_by_name(emodb: Path) -> None:
    tables = [f"emotion.categories.{split}.gold_standard" for split in ("train", "test")]
    found = list(
        corpus(
            emotion=[f"{table}.emotion" for table in tables],
            splits={"train": "train", "test": "test"},
            labels={"anger": "anger", "neutral": "calm"},
            drop=["happiness"],
            id="{speaker}-{stem}",
        ).utterances(emodb)
    )
    assert [(r.id, r.label, r.official) for r in found] == [
        ("3-03a01Wa", "anger", "train"),
        ("3-03a01Na", "calm", "train"),
        ("8-08a01Wa", "anger", "test"),
        ("8-08a01Na", "calm", "test"),
    ]


def test_gender_may_be_a_column(tmp_path: Path) -> None:
    database = make_database()
    index = audformat.filewise_index(FILES)
    values: list[str | int] = ["M", "M", "M", "w", "w", "unknown"]
    add_table(database, "people", index, {"sex": (None, values)})
    folder = write(database, tmp_path)
    genders = {"w": "female", "unknown": ""}
    found = corpus(gender="people.sex", genders=genders, splits={}).utterances(folder)
    assert [r.gender for r in found] == ["male"] * 3 + ["female"] * 2 + [None]
    assert "a gender that is not one of f, female, m, male (3): wav/08a01Wa.wav w" in fault(
        folder, gender="people.sex"
    )


def test_whole_files_as_segments_are_read_and_parts_are_not(tmp_path: Path) -> None:
    database = make_database()
    # The file's header says 0.2 s.
    ends = [pd.NaT, 0.2, 0.2, 0.2, 0.2, pd.NaT]
    whole = audformat.segmented_index(FILES, [0] * 6, ends)
    part = audformat.segmented_index(FILES[:2], [0, 0.1], [0.1, 0.2])
    emotions: list[str | int] = [EMOTIONS[file[9]] for file in FILES]
    add_table(database, "whole", whole, {"emotion": ("emotion", emotions)})
    add_table(database, "part", part, {"emotion": ("emotion", emotions[:2])})
    folder = write(database, tmp_path)
    assert len(list(corpus(emotion="whole.emotion").utterances(folder))) == 6
    text = fault(folder, emotion="part.emotion")
    assert "segments in part that are only a part of a file, which is not supported (2)" in text
    assert "wav/03a01Wa.wav from 0 s to 0.1 s" in text


def test_files_that_do_not_say_enough_are_told(tmp_path: Path) -> None:
    database = make_database()
    database["emotion"]["emotion"].set(
        ["happiness", float("nan")], index=audformat.filewise_index(FILES[:2])
    )
    folder = write(database, tmp_path)
    text = fault(
        folder, emotion=["emotion.emotion", "emotion.categories.train.gold_standard.emotion"]
    )
    assert (
        "two values in emotion.emotion, emotion.categories.train.gold_standard.emotion (2)" in text
    )
    assert "wav/03a01Wa.wav happiness, anger" in text
    assert "empty cells (1): wav/03a01Fa.wav emotion" in fault(folder)
    test = {"emotion.categories.test.gold_standard": "test"}
    assert "empty cells (2): wav/03a01Wa.wav split" in fault(folder, splits=test, drop=[""])
    both = {"emotion": "train", "test": "test"}
    assert "files on both sides (3): wav/08a01Wa.wav train, test" in fault(folder, splits=both)
    labels = {"anger": "anger", "neutral": "neutral"}
    text = fault(folder, labels=labels, drop=[""])
    assert "label that is not one of anger, neutral (2): wav/03a01Wa.wav happiness" in text


def test_what_a_database_lacks_is_told(emodb: Path) -> None:
    assert "has no emotion.mood; it has emotion.emotion, " in fault(emodb, emotion="emotion.mood")
    assert "has no table or split dev; its tables are emotion, " in fault(
        emodb, splits={"dev": "validation"}
    )
    assert "Cannot map 'speaker' to 'sex'. Expected one of ['gender']" in fault(emodb, gender="sex")


def test_what_is_no_database_is_told(emodb: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.wav").touch()
    assert "it has no db.yaml; it contains a.wav" in fault(tmp_path / "other")
    (emodb / "db.emotion.parquet").write_text("no table")
    assert f"{emodb} is not a readable audformat database" in fault(emodb)
    (emodb / "db.yaml").write_text("name: [")
    assert f"{emodb} is not a readable audformat database" in fault(emodb)


def test_a_missing_extra_is_one_clear_error(emodb: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(module: str) -> None:
        raise ModuleNotFoundError(f"No module named {module!r}")

    monkeypatch.setattr(audformat_files, "import_module", gone)
    with pytest.raises(PluginError, match=r"audformat cannot.*pip install 'serbench\[audformat\]'"):
        list(corpus().utterances(emodb))
    with pytest.raises(PluginError, match=r"audb cannot.*pip install 'serbench\[audformat\]'"):
        corpus(database="emodb", version="1.0.0").build(emodb, lambda done, total: None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"drop": ["anger"]}, "anger is in both labels and drop"),
        ({"database": "emodb"}, "database and version belong together"),
        ({"id": "{name}"}, "id uses name; it can use emotion, file, folder, gender, speaker, stem"),
        ({"genders": {"x": "woman"}}, "genders"),
    ],
)
def test_a_wrong_description_is_told(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        AudformatParams.model_validate(EMODB | change)


def find(given: Audformat, cache: Path) -> Path:
    return locate(given, "mine", None, cache, lambda done, total: None, lambda text: None)


def test_a_database_is_fetched_through_audb(
    emodb: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audb = pytest.importorskip("audb", reason="the extra audformat is not installed")
    (tmp_path / "host" / "shelf").mkdir(parents=True)
    shelf = audb.Repository("shelf", str(tmp_path / "host"), "file-system")
    monkeypatch.setattr(audb.config, "REPOSITORIES", [shelf])
    audb.publish(str(emodb), "1.0.0", shelf, cache_root=str(tmp_path / "audb"), verbose=False)
    given = corpus(database="emodb", version="1.0.0")
    folder = find(given, tmp_path / "cache")
    assert (folder / "wav" / "03a01Wa.wav").is_file()
    assert not list(folder.glob("*.pkl"))
    table = load_corpus(given, "mine", folder, tmp_path / "cache", lambda done, total: None)
    assert len(table.utterances) == 6
    assert find(given, tmp_path / "cache") == folder
    with pytest.raises(CorpusError, match=r"cannot download emodb 2.0.0: .*--data-dir DIR"):
        find(corpus(database="emodb", version="2.0.0"), tmp_path / "cache")
    monkeypatch.setattr(
        audb.config, "REPOSITORIES", [audb.Repository("gone", str(tmp_path / "no"), "file-system")]
    )
    with pytest.raises(CorpusError, match=r"no repository can be reached \(gone on .*no\)"):
        find(given, tmp_path / "other")
    assert not (tmp_path / "other" / "corpora" / "mine").exists()


def test_without_a_name_in_audb_nothing_is_fetched(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="cannot be downloaded automatically"):
        find(corpus(), tmp_path)


def test_the_how_to_describes_a_database_that_loads(emodb: Path, tmp_path: Path) -> None:
    given = described_corpus("howto-corpus.md", "emodb-audb", tmp_path)
    assert isinstance(given, Audformat)
    assert (given.params.database, given.params.version) == ("emodb", "1.4.1")
    found = {r.id: r for r in given.utterances(emodb)}
    told = found["08a01Fa"]
    assert (told.speaker, told.label, told.text) == ("8", "happiness", "a01")
    assert (told.gender, told.official) == ("female", "test")
