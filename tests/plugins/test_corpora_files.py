"""Corpora that the registry describes: every shipped one by a tree of its real names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from serbench.api import Corpus, CorpusError
from serbench.corpus.check import count_differences, scan
from serbench.plugins import load_plugins
from serbench.registry import load_registry
from serbench.testing import check_corpus_card
from serbench_corpora.card import spelled_out
from serbench_corpora.files import Files, FilesParams

DIGITS = [f"{number:02}" for number in range(1, 100)]


def ravdess() -> Iterator[str]:
    for actor in DIGITS[:24]:
        for emotion in DIGITS[:8]:
            for intensity in DIGITS[:1] if emotion == "01" else DIGITS[:2]:
                for statement in DIGITS[:2]:
                    for take in DIGITS[:2]:
                        stem = f"03-01-{emotion}-{intensity}-{statement}-{take}-{actor}"
                        yield f"Actor_{actor}/{stem}.wav"


def crema_d() -> Iterator[str]:
    sentences = ["IEO", "TIE", "IOM", "IWW", "TAI", "MTI", "IWL", "ITH", "DFA", "ITS", "TSI", "WSI"]
    names = [
        f"AudioWAV/{actor}_{sentence}_{emotion}_{level}.wav"
        for emotion in ("ANG", "DIS", "FEA", "HAP", "SAD", "NEU")
        for actor in range(1001, 1092)
        for sentence in sentences
        for level in (["LO", "MD", "HI"] if sentence == "IEO" and emotion != "NEU" else ["XX"])
    ]
    # Three takes of each emotion are missing, and five neutral ones.
    missing = {"ANG": 3, "DIS": 3, "FEA": 3, "HAP": 3, "SAD": 3, "NEU": 5}
    for name in names:
        emotion = name.split("_")[2]
        if missing[emotion]:
            missing[emotion] -= 1
        else:
            yield name


def tess() -> Iterator[str]:
    for speaker in ("OAF", "YAF"):
        for emotion in ("angry", "disgust", "fear", "happy", "neutral", "ps", "sad"):
            for number in range(200):
                word = "".join(chr(97 + number // 26**place % 26) for place in range(3))
                folder = f"{speaker}_{emotion}"
                # One file of the real set lacks the F.
                spoken = "OA" if (speaker, emotion, number) == ("OAF", "neutral", 7) else speaker
                yield f"{folder}/{spoken}_{word}_{emotion}.wav"


def savee(joint: str = "/") -> Iterator[str]:
    for speaker in ("DC", "JE", "JK", "KL"):
        for emotion in ("a", "d", "f", "h", "n", "sa", "su"):
            for number in DIGITS[: 30 if emotion == "n" else 15]:
                yield f"{speaker}{joint}{emotion}{number}.wav"


def emovo() -> Iterator[str]:
    sentences = ["b1", "b2", "b3", "l1", "l2", "l3", "l4", "n1", "n2", "n3", "n4", "n5", "d1", "d2"]
    for speaker in ("f1", "f2", "f3", "m1", "m2", "m3"):
        for emotion in ("dis", "gio", "neu", "pau", "rab", "sor", "tri"):
            for sentence in sentences:
                yield f"{speaker}/{emotion}-{speaker}-{sentence}.wav"


NAMES: dict[str, Callable[[], Iterator[str]]] = {
    "ravdess": ravdess,
    "crema-d": crema_d,
    "tess": tess,
    "savee": savee,
    "emovo": emovo,
}


REGISTRY = load_registry(load_plugins())
DESCRIBED = [name for name, spec in REGISTRY.datasets.items() if spec.corpus == "files"]


def corpus_of(name: str) -> Corpus:
    corpus = REGISTRY.make("corpora", name)
    assert isinstance(corpus, Files)
    return corpus


def tree(folder: Path, names: list[str]) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def test_every_described_corpus_has_a_list_of_names() -> None:
    assert sorted(DESCRIBED) == sorted(NAMES)


@pytest.mark.parametrize("name", DESCRIBED)
def test_real_names_give_the_published_counts(name: str, tmp_path: Path) -> None:
    corpus = corpus_of(name)
    names = list(NAMES[name]())
    records = scan(corpus, name, tree(tmp_path, names))
    assert len(records) == corpus.card.utterances == len(names)
    differences = count_differences(corpus.card, records)
    assert (differences.missing, differences.surplus) == ((), ())
    assert {record.label for record in records} == set(corpus.card.labels)
    assert len({record.speaker for record in records}) == len(
        REGISTRY.datasets[name].params["card"]["speakers"]  # pyright: ignore[reportArgumentType, reportIndexIssue, reportCallIssue, reportOptionalSubscript]
        if name not in {"ravdess", "crema-d"}
        else range({"ravdess": 24, "crema-d": 91}[name])
    )
    assert all(record.text for record in records)


@pytest.mark.parametrize("name", DESCRIBED)
def test_the_card_keeps_the_contract(name: str) -> None:
    check_corpus_card(Files, REGISTRY.datasets[name].params)


@pytest.mark.parametrize("name", DESCRIBED)
def test_names_are_read_alike_in_other_folders_and_without_any(name: str, tmp_path: Path) -> None:
    corpus = corpus_of(name)
    path = list(NAMES[name]())[17]
    (record,) = [r for r in corpus.utterances(tree(tmp_path, [path])) if r.path.name]
    for other in (path, f"some/where/{path}", path.removesuffix(".wav")):
        read = corpus.read_name(other)
        assert read is not None, other
        assert (read.id, read.speaker, read.label) == (record.id, record.speaker, record.label)
    for foreign in ("", "/", "..", "some/where/no-such-name.wav", "03a01Fa.wav"):
        assert corpus.read_name(foreign) is None


@pytest.mark.parametrize("name", DESCRIBED)
def test_missing_and_foreign_files_are_told_by_name_and_count(name: str, tmp_path: Path) -> None:
    corpus = corpus_of(name)
    names = list(NAMES[name]())
    folder = tree(tmp_path, names[1:])
    missing = count_differences(corpus.card, scan(corpus, name, folder)).missing
    assert f"utterances: {len(names) - 1} of {len(names)}, 1 missing" in missing
    tree(folder, ["extra/one.wav", "extra/two.flac", "notes.txt", ".hidden/three.wav"])
    with pytest.raises(CorpusError, match=r"another grammar \(2\): extra/one.wav, extra/two.flac"):
        corpus.utterances(folder)


def test_what_is_known_of_single_files() -> None:
    read = corpus_of("ravdess").read_name("Actor_16/03-01-05-02-01-02-16.wav")
    assert read is not None
    assert (read.speaker, read.label, read.text) == ("16", "anger", "01")
    read = corpus_of("crema-d").read_name("1076_MTI_SAD_XX")
    assert read is not None
    assert (read.speaker, read.label, read.text) == ("1076", "sadness", "MTI")
    read = corpus_of("tess").read_name("OAF_neutral/OA_bite_neutral.wav")
    assert read is not None
    assert (read.speaker, read.label, read.text) == ("OAF", "neutral", "bite")
    for name in ("DC_sa01.wav", "DC/sa01.wav"):
        read = corpus_of("savee").read_name(name)
        assert read is not None
        assert (read.id, read.speaker, read.label) == ("DC_sa01", "DC", "sadness")
    read = corpus_of("emovo").read_name("f1/dis-f1-b1.wav")
    assert read is not None
    assert (read.speaker, read.label, read.text) == ("f1", "disgust", "b1")


def test_songs_beside_the_speech_of_ravdess_are_ignored(tmp_path: Path) -> None:
    speech, song = "Actor_01/03-01-01-01-01-01-01.wav", "Actor_01/03-02-01-01-01-01-01.wav"
    found = list(corpus_of("ravdess").utterances(tree(tmp_path, [speech, song])))
    assert [record.id for record in found] == ["03-01-01-01-01-01-01"]


def test_savee_without_folders_is_the_same_corpus(tmp_path: Path) -> None:
    corpus = corpus_of("savee")
    flat = scan(corpus, "savee", tree(tmp_path / "flat", list(savee("_"))))
    deep = scan(corpus, "savee", tree(tmp_path / "deep", list(savee())))
    assert [(r.id, r.label) for r in flat] == [(r.id, r.label) for r in deep]


def test_the_papers_folds_of_ravdess() -> None:
    folds = corpus_of("ravdess").card.fold_sets["paper"]
    assert [(fold[0], fold[-1], len(fold)) for fold in folds] == [
        ("01", "05", 5),
        ("06", "10", 5),
        ("11", "15", 5),
        ("16", "20", 5),
        ("21", "24", 4),
    ]


CARD = {
    "title": "Mine",
    "language": "none",
    "licence": "mine",
    "home": "https://example.org",
    "citation": "me",
    "elicitation": "acted",
    "layout": "SPEAKER/EMOTION-N.wav",
}
MINE = {
    "pattern": r"(?P<speaker>\w+)/(?P<emotion>\w+)-(?P<take>\d)\.(?:wav|flac)",
    "labels": {"ang": "anger", "hap": "happiness"},
    "id": "{speaker}-{stem}",
    "card": CARD,
}


def test_a_corpus_of_ones_own(tmp_path: Path) -> None:
    corpus = Files(FilesParams.model_validate(MINE | {"drop": ["xxx"], "session": "{folder}"}))
    folder = tree(tmp_path, ["in/ann/ang-1.wav", "in/bob/hap-2.flac", "in/bob/xxx-1.wav"])
    found = list(corpus.utterances(folder))
    assert [(r.id, r.speaker, r.label, r.session, r.text) for r in found] == [
        ("ann-ang-1", "ann", "anger", "ann", None),
        ("bob-hap-2", "bob", "happiness", "bob", None),
    ]
    assert corpus.card.labels == ("anger", "happiness")
    assert corpus.card.utterances is None
    tree(folder, ["in/bob/sad-1.wav"])
    with pytest.raises(CorpusError, match=r"none of ang, hap, xxx \(1\): in/bob/sad-1.wav"):
        corpus.utterances(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pattern": "("}, "is no regular expression"),
        ({"pattern": r"(?P<speaker>\d+)\.wav"}, r"needs a group \(\?P<emotion>"),
        ({"text": "{words}"}, "text uses words; the pattern has the groups emotion, speaker, take"),
        ({"drop": ["ang"]}, "ang has a label and is dropped"),
        ({"card": CARD | {"per_speaker": 3}}, "for each of speakers, and there are none"),
        ({"card": CARD | {"utterances": 3, "per_label": {"anger": 1}}}, "adds up to 1"),
        ({"card": CARD | {"speakers": ["09..01"]}}, "runs backwards"),
        ({"sources": [{"url": "ftp://x", "file_name": "x"}]}, "url"),
    ],
)
def test_a_wrong_description_is_told(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        FilesParams.model_validate(MINE | change)


def test_spans() -> None:
    assert spelled_out(("08..11", "x", "1..3")) == ("08", "09", "10", "11", "x", "1", "2", "3")


def test_the_how_to_describes_a_corpus_that_loads(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "howto-corpus.md").read_text()
    (example,) = (
        block
        for block in re.findall(r"(?ms)^```toml\n(.*?)^```$", text)
        if "[datasets.mine]" in block
    )
    overlay = tmp_path / "serbench.toml"
    overlay.write_text(example)
    corpus = load_registry(load_plugins(), overlay).make("corpora", "mine")
    assert isinstance(corpus, Files)
    folder = tree(tmp_path / "mine", ["01/ang-s07-1.wav", "02/joy-s07-1.wav", "02/xxx-s01-1.wav"])
    found = [(r.id, r.speaker, r.label, r.text) for r in corpus.utterances(folder)]
    assert found == [
        ("01-ang-s07-1", "01", "anger", "s07"),
        ("02-joy-s07-1", "02", "happiness", "s07"),
    ]
    assert corpus.card.per_speaker["24"] == 60
