"""Corpora that the registry describes: every shipped one by the names of its files."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from tests_support.corpus_names import NAMES, names_of, savee

from serbench.api import CorpusError, UtteranceRecord
from serbench.data.corpus.check import count_differences, scan
from serbench.data.corpus.load import load_corpus
from serbench.protocol.spelling import respelled
from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry
from serbench.testing import check_corpus_card
from serbench_corpora.files import Files, FilesParams

REGISTRY = load_registry(load_plugins())
DESCRIBED = [name for name, spec in REGISTRY.datasets.items() if spec.corpus == "files"]
GRIDS = [
    "ravdess", "ravdess-song", "tess", "savee", "emovo", "subesco", "cafe", "jl-corpus", "esd",
    "esd-english", "esd-mandarin",
]  # fmt: skip
WITHOUT_TEXT = {"urdu", "shemo"}
RATE_HZ = 16_000
NOWHERE = Path("nowhere")

Shown = Callable[[Iterable[str]], None]
"""``shown(paths)``: what the corpus finds from now on."""


@cache
def corpus_of(name: str) -> Files:
    corpus = REGISTRY.make("corpora", name)
    assert isinstance(corpus, Files)
    return corpus


@cache
def records_of(name: str) -> tuple[UtteranceRecord, ...]:
    """Of a whole copy."""
    return tuple(corpus_of(name).read(names_of(name), NOWHERE))


def without(name: str, lacking: Iterable[str]) -> list[UtteranceRecord]:
    """Of a copy that lacks these paths."""
    gone = set(lacking)
    return [record for record in records_of(name) if record.path.as_posix() not in gone]


def own(corpus: Files, path: str) -> str:
    """The part of a path that the corpus's pattern reads."""
    pattern = re.compile(corpus.params.pattern)
    parts = PurePosixPath(path).parts
    tails = ["/".join(parts[start:]) for start in reversed(range(len(parts)))]
    return next(tail for tail in tails if pattern.fullmatch(tail))


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    """A folder's content without a disk: tens of thousands of files would take their time."""
    return lambda paths: monkeypatch.setattr(Files, "paths", lambda self, folder: sorted(paths))


def tree(folder: Path, names: Iterable[str]) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def test_every_described_corpus_has_a_list_of_names() -> None:
    assert sorted(DESCRIBED) == sorted(NAMES)
    assert sorted(GRIDS) == sorted(name for name in DESCRIBED if corpus_of(name).params.grid)


@pytest.mark.parametrize("name", DESCRIBED)
def test_real_names_give_the_published_counts(name: str, shown: Shown) -> None:
    corpus, names = corpus_of(name), names_of(name)
    shown(names)
    records = scan(corpus, name, NOWHERE)
    assert len(records) == len(names)
    assert corpus.card.utterances in {len(names), None}
    differences = count_differences(corpus.card, records)
    assert (differences.missing, differences.surplus) == ((), ())
    labels = Counter(record.label for record in records)
    assert set(labels) == set(corpus.card.labels)
    assert corpus.card.per_label in ({}, labels)
    speakers = Counter(record.speaker for record in records)
    assert corpus.card.per_speaker in ({}, speakers)
    assert set(speakers) == set(corpus.params.card.speakers) or name == "shemo"
    assert all((record.text is None) == (name in WITHOUT_TEXT) for record in records)
    assert corpus.missing(records) == ([] if name in GRIDS else ())
    assert respelled(records) == ()


def test_only_emov_db_and_shemo_have_counts_that_are_not_published() -> None:
    cards = {name: corpus_of(name).card for name in DESCRIBED}
    assert {name for name, card in cards.items() if card.utterances is None} == {"emov-db"}
    assert {name for name, card in cards.items() if not card.per_label} == {"emov-db", "shemo"}


@pytest.mark.parametrize("name", DESCRIBED)
def test_a_disk_shows_the_same_as_a_list(name: str, tmp_path: Path) -> None:
    corpus, names = corpus_of(name), names_of(name)
    some = list(names[:: len(names) // 20])
    litter = ["notes.txt", ".hidden/three.wav", "__MACOSX/four.wav"]
    found = list(corpus.utterances(tree(tmp_path, [*some, *litter])))
    assert found == corpus.read(some, tmp_path)
    assert [record.path.as_posix() for record in found] == some


@pytest.mark.parametrize("name", DESCRIBED)
def test_a_few_files_with_sound_load(name: str, tmp_path: Path) -> None:
    corpus, names = corpus_of(name), names_of(name)
    *good, bad = names[:: len(names) // 5]
    rng = np.random.default_rng(7)
    tree(tmp_path / "corpus", [*good, bad])
    for path in good:
        noise = rng.normal(0, 0.1, RATE_HZ // 5)
        soundfile.write(tmp_path / "corpus" / path, noise, RATE_HZ, format="WAV")
    table = load_corpus(
        corpus, name, tmp_path / "corpus", tmp_path, lambda done, total: None, allow_incomplete=True
    )
    records = {record.id: record for record in corpus.read(good, tmp_path)}
    assert {utterance.id for utterance in table.utterances} == set(records)
    for utterance in table.utterances:
        record = records[utterance.id]
        for field in ("speaker", "label", "session", "text", "gender", "intensity", "take"):
            assert getattr(utterance, field) == getattr(record, field)
        assert utterance.duration_s == pytest.approx(0.2)
    (unreadable,) = corpus.read([bad], tmp_path)
    assert any(line.endswith(unreadable.id) for line in table.incomplete)


@pytest.mark.parametrize("name", DESCRIBED)
def test_the_card_keeps_the_contract(name: str) -> None:
    check_corpus_card(Files, REGISTRY.datasets[name].params)


@pytest.mark.parametrize("name", DESCRIBED)
def test_names_are_read_alike_in_other_folders_and_without_an_ending(name: str) -> None:
    corpus, path = corpus_of(name), names_of(name)[17]
    (record,) = corpus.read([path], NOWHERE)
    for other in (path, f"some/where/{path}", path.removesuffix(".wav")):
        read = corpus.read_name(other)
        assert read is not None, other
        assert (read.id, read.speaker, read.label) == (record.id, record.speaker, record.label)
    for foreign in ("", "/", "..", "some/where/no-such-name.wav", "03a01Fa.wav"):
        assert corpus.read_name(foreign) is None


@pytest.mark.parametrize("name", [name for name in DESCRIBED if name != "emov-db"])
def test_missing_surplus_and_foreign_files_are_told_by_name_and_count(
    name: str, shown: Shown
) -> None:
    corpus, names = corpus_of(name), names_of(name)
    records = without(name, names[:1])
    missing = count_differences(corpus.card, records).missing
    assert f"utterances: {len(names) - 1} of {len(names)}, 1 missing" in missing
    assert list(corpus.missing(records)) == ([own(corpus, names[0])] if name in GRIDS else [])
    surplus = count_differences(corpus.card, [*records_of(name), records[0]]).surplus
    assert f"utterances: {len(names) + 1} instead of {len(names)}, 1 too many" in surplus
    shown([names[0], "extra/one.wav", "extra/two.flac"])
    with pytest.raises(
        CorpusError, match=r"match the pattern \(2\): extra/one.wav, extra/two.flac"
    ):
        scan(corpus, name, NOWHERE)
    shown([names[0], f"again/{names[0]}"])
    with pytest.raises(CorpusError, match="is used 2 times"):
        scan(corpus, name, NOWHERE)


@pytest.mark.parametrize("name", GRIDS)
def test_a_speaker_who_is_missing_is_named_file_by_file(name: str) -> None:
    corpus = corpus_of(name)
    records = records_of(name)
    lacking = [r.path.as_posix() for r in records if r.speaker == records[-1].speaker]
    told = corpus.missing(without(name, lacking))
    plain = name not in {"tess", "subesco"}  # whose speakers are not one group as it is
    assert sorted(told) == (sorted(own(corpus, path) for path in lacking) if plain else [])


@pytest.mark.parametrize("name", ["tess", "subesco"])
def test_a_stray_name_that_is_missing_is_told_as_it_is(name: str) -> None:
    corpus = corpus_of(name)
    (stray,) = corpus.params.irregular
    path = next(path for path in names_of(name) if path.endswith(stray))
    other = next(p for p in names_of(name) if p.rsplit("_", 2)[1] == path.rsplit("_", 2)[1])
    assert sorted(corpus.missing(without(name, [path, other]))) == sorted(
        [stray, own(corpus, other)]
    )
    assert corpus.missing(without(name, [other])) == [own(corpus, other)]


@pytest.mark.parametrize("name", [*GRIDS[:5], "urdu", "aesdd", "mesd", "enterface05"])
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_no_name_is_told_that_is_not_missing(name: str, data: st.DataObject) -> None:
    corpus, names = corpus_of(name), names_of(name)
    lacking = data.draw(st.lists(st.sampled_from(names), unique=True, max_size=len(names) // 2))
    told = corpus.missing(without(name, lacking))
    assert set(told) <= {own(corpus, path) for path in lacking}
    assert len(set(told)) == len(told)


def test_what_is_known_of_single_files() -> None:
    for name, path, *known in (
        ("ravdess", "Actor_16/03-01-05-02-01-01-16.wav",
         "16", "anger", "01", "female", "02", "01"),
        ("ravdess-song", "03-02-06-01-02-02-07", "07", "fear", "02", "male", "01", "02"),
        ("crema-d", "1076_MTI_SAD_XX", "1076", "sadness", "MTI", None, "XX", None),
        ("tess", "OAF_neutral/OA_bite_neutral.wav",
         "OAF", "neutral", "bite", "female", None, None),
        ("savee", "DC_sa01.wav", "DC", "sadness", "sa01", "male", None, None),
        ("savee", "DC/sa01.wav", "DC", "sadness", "sa01", "male", None, None),
        ("emovo", "f1/dis-f1-b1.wav", "f1", "disgust", "b1", "female", None, None),
        ("urdu", "Angry/SM4_F48_A0100.wav", "SM4", "anger", None, "male", None, None),
        ("subesco", "M_01_NAME_S_10_FEAR_5", "M_01", "fear", "10", "male", None, "5"),
        ("cafe", "Tristesse/Fort/12-T-2-6.wav", "12", "sadness", "6", "female", "2", None),
        ("mesd", "Anger_C_A_abajo.wav", "child", "anger", "abajo", None, None, None),
        ("mesd", "Fear_F_B_abajo.wav", "female", "fear", "abajo", "female", None, None),
        ("shemo", "male/M02F01.wav", "M02", "fear", None, "male", None, None),
        ("aesdd", "sadness/s01 (5)a.wav", "5", "sadness", "01", None, None, "a"),
        ("aesdd", "fear/f10 (01).wav", "1", "fear", "10", None, None, None),
        ("jl-corpus", "male2_excited_7b_2", "male2", "excitement", "7", "male", None, "2"),
        ("esd", "0011/Angry/0011_000351.wav", "0011", "anger", "en-000001", None, None, None),
        ("esd", "0010/Surprise/test/0010_001750.wav",
         "0010", "surprise", "zh-000350", None, None, None),
        ("esd-english", "0020/Sad/0020_001052.wav",
         "0020", "sadness", "en-000002", None, None, None),
        ("emov-db", "bea/Amused/amused_1-15_0001.wav",
         "bea", "amusement", "0001", "female", None, None),
        ("enterface05", "subject 11/anger/sentence 2/s12_an_2.wav",
         "11", "anger", "anger-2", None, None, None),
    ):  # fmt: skip
        read = corpus_of(name).read_name(path)
        assert read is not None, path
        found = (read.speaker, read.label, read.text, read.gender, read.intensity, read.take)
        assert found == tuple(known), path


@pytest.mark.parametrize(
    ("name", "kept", "ignored"),
    [
        ("ravdess", "A/03-01-01-01-01-01-01.wav", "A/03-02-01-01-01-01-01.wav"),
        ("ravdess-song", "A/03-02-01-01-01-01-01.wav", "A/03-01-01-01-01-01-01.wav"),
        ("esd-english", "0011/Sad/0011_001051.wav", "0010/Sad/0010_001051.wav"),
        ("esd-mandarin", "0010/Sad/0010_001051.wav", "0011/Sad/0011_001051.wav"),
        ("aesdd", "sadness/s05 (4).wav", "sadness/s05 (3).wav"),
        ("enterface05", "subject 5/fear/sentence 1/s5_fe_1.wav", "subject 6/fear/s6_fe.wav"),
    ],
)
def test_what_lies_beside_a_corpus_is_ignored(name: str, kept: str, ignored: str) -> None:
    found = corpus_of(name).read([kept, ignored], NOWHERE)
    assert [record.path.as_posix() for record in found] == [kept]


def test_savee_without_folders_is_the_same_corpus() -> None:
    corpus = corpus_of("savee")
    flat, deep = (corpus.read(savee(joint), NOWHERE) for joint in "_/")
    assert [(r.id, r.label) for r in flat] == [(r.id, r.label) for r in deep]


def test_most_speakers_of_urdu_have_one_emotion() -> None:
    pairs = {(record.speaker, record.label) for record in records_of("urdu")}
    heard = Counter(speaker for speaker, _ in pairs)
    assert len(heard) == 29
    assert {speaker for speaker, labels in heard.items() if labels > 1} == {"SM3", "SM5", "SM6"}


def test_a_sentence_of_esd_is_one_sentence_in_every_emotion() -> None:
    texts = Counter(record.text for record in records_of("esd"))
    assert len(texts) == 700
    assert set(texts.values()) == {50}


def test_the_papers_folds_of_ravdess() -> None:
    folds = corpus_of("ravdess").card.fold_sets["paper"]
    assert [(fold[0], fold[-1], len(fold)) for fold in folds] == [
        ("01", "05", 5),
        ("06", "10", 5),
        ("11", "15", 5),
        ("16", "20", 5),
        ("21", "24", 4),
    ]


def toy(pattern: str = r"(?P<speaker>[^/]+)/(?P<emotion>[a-zü]+)\.wav") -> Files:
    card = {
        "title": "Toy", "language": "none", "licence": "CC0", "home": "http://localhost",
        "citation": "none", "elicitation": "acted", "layout": "SPEAKER/EMOTION.wav",
    }  # fmt: skip
    labels = {"wut": "anger", "trübsal": "sadness"}
    read = {"pattern": pattern, "labels": labels, "id": "{folder}-{stem}", "card": card}
    return Files(FilesParams.model_validate(read))


def read_toy(folder: Path, names: Iterable[str]) -> list[tuple[str, str, str]]:
    found = toy().utterances(tree(folder, names))
    return [(record.id, record.speaker, record.path.as_posix()) for record in found]


def test_capital_endings_are_read(tmp_path: Path) -> None:
    assert read_toy(tmp_path, ["s1/wut.WAV"]) == [("s1-wut", "s1", "s1/wut.WAV")]


def test_names_are_the_same_whatever_their_unicode_form(tmp_path: Path) -> None:
    name = unicodedata.normalize("NFD", "Jürgen/trübsal.wav")
    assert read_toy(tmp_path, [name]) == [("Jürgen-trübsal", "Jürgen", name)]
    read = toy().read_name(name)
    assert read is not None
    assert read.speaker == "Jürgen"
    decomposed = toy(unicodedata.normalize("NFD", r"(?P<speaker>Jürgen)/(?P<emotion>trübsal)\.wav"))
    assert decomposed.read_name("Jürgen/trübsal.wav") is not None


def test_names_that_are_no_utf_8_are_text_in_records(tmp_path: Path) -> None:
    name = os.fsdecode(b"M\xfcller/wut.wav")
    assert read_toy(tmp_path, [name]) == [(r"M\xfcller-wut", r"M\xfcller", name)]


def test_what_cannot_be_looked_at_is_told(tmp_path: Path) -> None:
    tree(tmp_path, ["s1/wut.wav"])
    (tmp_path / "s2").symlink_to("gone")
    assert [each.name for each in toy().left_out(tmp_path)] == ["s2"]
    with pytest.raises(CorpusError, match=r"cannot be read: s2 \(a link to what is not"):
        load_corpus(toy(), "toy", tmp_path, tmp_path / "cache", lambda done, total: None)
