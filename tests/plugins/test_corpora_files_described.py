"""Corpora that a registry describes: what a description can say, and what is wrong with one."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import soundfile
from pydantic import ValidationError
from tests_support.howto import described_corpus

from serbench.api import CorpusError
from serbench.data.corpus.load import load_corpus
from serbench_corpora.card import spelled_out, spelled_out_keys
from serbench_corpora.files import Files, FilesParams

NOWHERE = Path("nowhere")
RATE_HZ = 16_000

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


def tree(folder: Path, names: Iterable[str]) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def test_a_corpus_of_ones_own(tmp_path: Path) -> None:
    corpus = Files(FilesParams.model_validate(MINE | {"drop": ["xxx"], "session": "{folder}"}))
    folder = tree(tmp_path, ["in/ann/ang-1.wav", "in/bob/hap-2.flac", "in/bob/xxx-1.wav"])
    found = list(corpus.utterances(folder))
    assert [(r.id, r.speaker, r.label, r.session, r.text, r.take) for r in found] == [
        ("ann-ang-1", "ann", "anger", "ann", None, "1"),
        ("bob-hap-2", "bob", "happiness", "bob", None, "2"),
    ]
    assert corpus.card.labels == ("anger", "happiness")
    assert corpus.card.utterances is None
    tree(folder, ["in/bob/sad-1.wav"])
    with pytest.raises(CorpusError, match=r"not one of ang, hap, xxx \(1\): in/bob/sad-1.wav"):
        corpus.utterances(folder)


def test_files_that_cannot_be_read_are_told_by_name_and_count(tmp_path: Path) -> None:
    corpus = Files(FilesParams.model_validate(MINE))
    folder = tree(tmp_path / "mine", ["ann/ang-1.wav", "ann/ang-2.wav", "bob/hap-1.wav"])
    noise = np.random.default_rng(7).normal(0, 0.1, RATE_HZ // 5)
    soundfile.write(folder / "ann/ang-1.wav", noise, RATE_HZ)
    (folder / "ann/ang-2.wav").write_bytes(b"RIFF and no more")
    with pytest.raises(CorpusError) as caught:
        load_corpus(corpus, "mine", folder, tmp_path, lambda done, total: None)
    message = str(caught.value)
    assert "2 of 3 audio files cannot be used" in message
    assert "ann/ang-2.wav" in message
    assert "bob/hap-1.wav" in message
    assert "ann/ang-1.wav" not in message


def test_groups_are_taken_by_themselves_unless_a_template_says_otherwise() -> None:
    pattern = (
        r"(?P<gender>\w+)-(?P<speaker>\d)-(?P<session>\w)-(?P<text>\w)-(?P<intensity>\w)-"
        r"(?P<take>\w)-(?P<emotion>\w+)\.wav"
    )
    fields = ("session", "text", "intensity", "take", "gender")

    def read(name: str, **changes: object) -> tuple[str | None, ...]:
        params = FilesParams.model_validate(MINE | {"pattern": pattern, "id": "{stem}"} | changes)
        record = Files(params).read_name(name)
        assert record is not None
        return tuple(getattr(record, field) for field in fields)

    assert read("female-1-a-b-c-d-ang") == ("a", "b", "c", "d", "female")
    assert read("w-1-a-b-c-d-ang") == ("a", "b", "c", "d", None)
    assert read("w-1-a-b-c-d-ang", genders={"w": "female"})[-1] == "female"
    by_speaker = {"gender": "{speaker}", "genders": {"1..4": "male", "5": "female"}}
    assert [read(f"w-{n}-a-b-c-d-ang", **by_speaker)[-1] for n in (1, 4, 5, 6)] == [
        "male",
        "male",
        "female",
        None,
    ]
    none = dict.fromkeys(fields, "")
    assert read("female-1-a-b-c-d-ang", **none) == (None,) * 5


def test_maps_read_groups_for_templates() -> None:
    changes = {"maps": {"take": 3, "speaker": {"a1..a3": "ann"}}, "text": "{take}"}
    corpus = Files(FilesParams.model_validate(MINE | changes))
    read = corpus.read(["a2/ang-4.wav", "bob/ang-3.wav"], NOWHERE)
    assert [(r.speaker, r.text) for r in read] == [("ann", "1"), ("bob", "3")]
    pattern = r"(?P<speaker>\w+)/(?P<emotion>\w+)-(?P<take>\w)\.wav"
    corpus = Files(FilesParams.model_validate(MINE | changes | {"pattern": pattern}))
    with pytest.raises(CorpusError, match="take is 'x', but maps expects a running number"):
        corpus.read(["a2/ang-x.wav"], NOWHERE)


GRID = MINE | {
    "grid": True,
    "card": CARD | {"speakers": ["ann", "bob"], "per_label": {"anger": 4, "happiness": 4}},
}
FULL = [
    f"{who}/{how}-{take}.wav"
    for who, how, take in product(("ann", "bob"), ("ang", "hap"), ("1", "2"))
]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (FULL[1:], FULL[:1]),
        ([name for name in FULL if "ann" not in name], FULL[:4]),
        ([name for name in FULL if "2" not in name], []),  # a take that nobody has seen
        (["ann/hap-3.wav", *FULL[1:]], FULL[:1]),  # more takes of one emotion than there are
        (["ann/ang-3.wav", *(name for name in FULL if "ang-2" not in name)], []),  # misspelled
        (["ann/hap-1.flac", *FULL[:2], *FULL[4:]], []),  # names that differ in more than groups
        ([name for name in FULL if "hap" not in name], []),  # nothing of happiness is known
    ],
)
def test_files_that_are_missing_are_told_or_nothing_is(names: list[str], told: list[str]) -> None:
    corpus = Files(FilesParams.model_validate(GRID))
    assert corpus.missing(corpus.read(names, NOWHERE)) == told


@pytest.mark.parametrize(
    "change",
    [
        {"grid": False},
        {"card": CARD},
        {"labels": {"ang": "anger", "hap": "anger"}},
        {"pattern": r"(?P<speaker>\w+)/(?P<what>(?P<emotion>\w+)-(?P<take>\d))\.(?:wav|flac)"},
        {"pattern": r"(?P<speaker>\w+)/(?P<emotion>\w+)-(?P<take>\d)(?P<more>x)?\.(?:wav|flac)"},
        {"pattern": r"\w+/(?P<emotion>\w+)-\d\.wav", "speaker": "{folder}", "id": "{stem}"},
    ],
)
def test_nothing_is_told_where_names_do_not_form_a_known_grid(change: dict[str, object]) -> None:
    corpus = Files(FilesParams.model_validate(GRID | change))
    assert not corpus.missing(corpus.read(FULL[1:], NOWHERE))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pattern": "("}, "is not a valid regular expression"),
        ({"pattern": r"(?P<speaker>\d+)\.wav"}, r"needs a group \(\?P<emotion>"),
        (
            {"text": "{words}"},
            "text uses words; it can use the pattern's groups emotion, speaker",
        ),
        ({"drop": ["ang"]}, "ang is in both labels and drop"),
        ({"genders": {"f": "woman"}}, "'female' or 'male'"),
        ({"genders": {"1..2": "male", "2": "female"}}, "2 has two entries"),
        (
            {"maps": {"words": 3}},
            "maps has words; the pattern has the groups emotion, speaker",
        ),
        ({"maps": {"take": 0}}, "greater than or equal to 1"),
        ({"irregular": ["x.wav"]}, "the pattern does not match x.wav of irregular"),
        ({"card": CARD | {"per_speaker": 3}}, "for each speaker, but speakers is empty"),
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
    assert spelled_out(("F_09..F_10", "a1..b2")) == ("F_09", "F_10", "a1..b2")
    assert spelled_out_keys({"1..2": 7, "x": 8}) == {"1": 7, "2": 7, "x": 8}


def test_the_how_to_describes_a_corpus_that_loads(tmp_path: Path) -> None:
    corpus = described_corpus("howto-corpus.md", "mine", tmp_path)
    assert isinstance(corpus, Files)
    folder = tree(
        tmp_path / "mine", ["f01/ang-s07-1.wav", "m02/joy-s07-1.wav", "m02/xxx-s01-1.wav"]
    )
    found = [(r.id, r.speaker, r.label, r.text, r.gender) for r in corpus.utterances(folder)]
    assert found == [
        ("f01-ang-s07-1", "f01", "anger", "s07", "female"),
        ("m02-joy-s07-1", "m02", "happiness", "s07", "male"),
    ]
    assert corpus.card.per_speaker["m12"] == 60
