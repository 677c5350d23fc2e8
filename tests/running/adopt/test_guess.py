from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests_support.corpus_names import names_of

from serbench.api import Corpus, CorpusError
from serbench.running.adopt.guess import guess, known_as
from serbench.running.adopt.names import audio_names
from serbench.running.adopt.understood import Understood, check_understood, understand
from serbench.running.adopt.words import INITIALS, initials_of, label_of
from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry

REGISTRY = load_registry(load_plugins())

EMODB = [
    f"wav/{speaker}{text}{emotion}{version}.wav"
    for speaker in ("03", "08", "09", "10", "11", "12", "13", "14", "15", "16")
    for text in ("a01", "a02", "a04", "a05", "a07", "b01", "b02", "b03", "b09", "b10")
    for emotion in "WLEAFTN"
    for version in ("a" if (speaker, emotion) != ("08", "E") else "")
]

RIGHT = ("crema-d", "tess", "savee", "emovo", "cafe", "shemo", "esd-english")
"""Corpora of which names alone tell everything that a run needs."""


def same_as_shipped(found: Understood, dataset: str) -> None:
    """Labels are those of the registry's own entry, and speakers are told apart as there."""
    corpus = cast("Corpus", REGISTRY.make("corpora", dataset))
    read = {each.name: corpus.read_name(each.name) for each in found.readings}
    pairs = set()
    for each in found.readings:
        record = read[each.name]
        assert record is not None
        assert each.label == record.label
        pairs.add((each.speaker, record.speaker))
    speakers = {speaker for _, speaker in pairs}
    assert len(pairs) == len(speakers) == len(found.counts)


def read(names: Sequence[str], **given: object) -> Understood:
    return understand(names, guess(names, **given))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("dataset", RIGHT)
def test_shipped_corpora_are_guessed_without_any_flag(dataset: str) -> None:
    names = sorted(names_of(dataset))
    found = read(names)
    assert check_understood(found) == []
    assert len(found.readings) == len(names)
    same_as_shipped(found, dataset)


def test_emodb_is_guessed_letter_by_letter() -> None:
    found = read(EMODB)
    assert check_understood(found) == []
    same_as_shipped(found, "emodb")
    assert {each.text for each in found.readings} == {name[6:9] for name in EMODB}
    assert found.grammar.pattern.startswith(r"(?P<speaker>\d{2})(?P<text>")


def test_numbers_are_asked_for() -> None:
    names = sorted(names_of("ravdess"))
    problems = check_understood(read(names))
    assert len(problems) == 1
    assert "--label OLD=NEW" in problems[0]
    found = read(names, given=EMOTION_NUMBERS)
    assert check_understood(found) == []
    same_as_shipped(found, "ravdess")


def test_sentences_are_guessed_where_they_have_letters() -> None:
    for dataset, text in (("crema-d", "IEO"), ("tess", "aa"), ("emovo", "b1")):
        found = read(sorted(names_of(dataset)))
        assert found.grammar.text == "{text}"
        assert text in {each.text for each in found.readings}
    assert read(sorted(names_of("savee"))).grammar.text == ""


SPEAKER = st.lists(
    st.from_regex(r"[a-z]{4}", fullmatch=True).filter(lambda s: label_of(s) is None),
    min_size=2,
    max_size=6,
    unique=True,
)
NUMBERS = st.integers(2, 6).map(lambda count: [f"{n:02}" for n in range(1, count + 1)])
EMOTIONS = st.sampled_from([
    ("angry", "happy", "neutral", "sad"), ("ANG", "DIS", "FEA"), ("Wut", "Freude", "Trauer"),
    ("rab", "gio", "tri", "neu"), ("colere", "joie", "tristesse"), ("ira", "alegria", "miedo"),
])  # fmt: skip


@settings(max_examples=60, deadline=None)
@example(["01", "02"], ("angry", "happy", "neutral", "sad"), 2, "/", "_")
@given(
    SPEAKER | NUMBERS.map(lambda each: [f"s{n}" for n in each]) | NUMBERS,
    EMOTIONS,
    st.integers(2, 5),
    st.sampled_from("_-./"),
    st.sampled_from("_-."),
)
def test_any_grammar_of_speaker_emotion_and_number_is_recovered(
    speakers: list[str], emotions: tuple[str, ...], takes: int, first: str, second: str
) -> None:
    names = [
        f"{s}{first}{e}{second}{n:02}.wav" for s in speakers for e in emotions for n in range(takes)
    ]
    found = read(names)
    if speakers == ["01", "02"] and first == "/":  # two folders with numbers may be anything
        (problem,) = check_understood(found)
        assert "could be the speaker" in problem
        return
    assert check_understood(found) == []
    assert len(found.readings) == len(names)
    for each, (speaker, emotion) in zip(
        found.readings,
        [(s, e) for s in speakers for e in emotions for _ in range(takes)],
        strict=True,
    ):
        assert speaker.endswith(each.speaker)
        assert each.label == label_of(emotion)
    assert len(found.counts) == len(speakers)


EMOTION_NUMBERS = {
    f"{number:02}": label
    for number, label in enumerate(
        ("neutral", "calm", "happiness", "sadness", "anger", "fear", "disgust", "surprise"), start=1
    )
}


def coded(sentences: int, takes: int, speakers: int, order: Sequence[int] = range(4)) -> list[str]:
    """A folder for each class; sentence, take, gender and speaker in numbers, the speaker last."""
    emotions = ("angry", "happy", "neutral", "sad")
    return [
        f"{emotion}/e{number}-" + "-".join([f"{s:02}", f"{t:02}", f"{1 + p % 2:02}", f"{p:02}"][i]
                                            for i in order) + ".wav"
        for number, emotion in enumerate(emotions, start=1)
        for s in range(1, sentences + 1)
        for t in range(1, takes + 1)
        for p in range(1, speakers + 1)
    ]  # fmt: skip


def test_several_parts_that_could_be_who_speaks_are_listed_with_counts() -> None:
    names = coded(7, 3, 12)
    (problem,) = check_understood(read(names))
    assert problem == (
        "several parts of the names could be the speaker: "
        "{part2}: 7 values of 144 files (01, 02, 03 and 4 more); "
        "{part3}: 3 values of 336 files (01, 02, 03); "
        "{part4}: 2 values of 504 files (01, 02); "
        "{part5}: 12 values of 84 files (01, 02, 03 and 9 more); choose one with --speaker TEMPLATE"
    )
    found = read(names, speaker="{part5}")
    assert check_understood(found) == []
    assert len(found.counts) == 12


@settings(max_examples=30, deadline=None)
@given(
    st.integers(2, 8), st.integers(2, 4), st.integers(2, 9), st.permutations(range(4)),
    st.booleans(),
)  # fmt: skip
def test_numbers_in_any_order_are_read_rightly_or_asked_for(
    sentences: int, takes: int, speakers: int, order: list[int], in_folders: bool
) -> None:
    names = coded(sentences, takes, speakers, order)
    truth = [name.removesuffix(".wav").split("-")[1 + order.index(3)] for name in names]
    if in_folders:
        names = [f"Actor_{s}/{n.split('/')[1]}" for s, n in zip(truth, names, strict=True)]
    given = {f"{number}": word for number, word in enumerate(("anger", "fear", "joy", "calm"), 1)}
    found = read(names, given=given if in_folders else {})
    problems = check_understood(found)
    assert problems or [each.speaker.removeprefix("Actor_") for each in found.readings] == truth
    assert bool(problems) is not in_folders


@pytest.mark.parametrize(
    ("dataset", "listed"),
    [("urdu", ("{text}", "{part1}{part2}")), ("mesd", ("{text}", "{part1}", "{part2}"))],
)
def test_shipped_corpora_whose_speakers_cannot_be_told_are_asked_for(
    dataset: str, listed: tuple[str, ...]
) -> None:
    found = read(sorted(names_of(dataset)))
    assert tuple(each.template for each in found.grammar.speakers) == listed
    assert any(p.startswith("several parts of the names") for p in check_understood(found))


def test_what_is_who_speaks_is_no_sentence() -> None:
    urdu = read(sorted(names_of("urdu")), speaker="{text}")
    assert (urdu.grammar.speaker, urdu.grammar.text) == ("{text}", "")
    right = read(sorted(names_of("urdu")), speaker="{part1}{part2}")
    assert check_understood(right) == []
    same_as_shipped(right, "urdu")


def test_ravdess_without_its_folders_is_not_misread() -> None:
    names = [name.rpartition("/")[2] for name in names_of("ravdess")]
    (problem,) = check_understood(read(names, given=EMOTION_NUMBERS))
    assert "{part4}: 24 values of 60 files (01, 02, 03 and 21 more)" in problem
    found = read(names, given=EMOTION_NUMBERS, speaker="{part4}")
    assert check_understood(found) == []
    same_as_shipped(found, "ravdess")


def test_speakers_in_two_spellings_are_not_added() -> None:
    names = [f"{s}/{e}_{n}.wav" for s in ("s01", "S01") for e in ("angry", "sad") for n in (1, 2)]
    (problem,) = check_understood(read(names))
    assert problem.startswith("names that differ only in case")
    assert "speaker 'S01' = 's01'" in problem


def test_folders_can_be_emotions_and_speakers() -> None:
    names = [
        f"{s}/{e}/{n:02}.wav" for s in ("ann", "bob") for e in ("angry", "sad") for n in (1, 2)
    ]
    found = read(names)
    assert check_understood(found) == []
    assert found.grammar.id == "{speaker}-{folder}-{stem}"
    assert found.counts == {s: {"anger": 2, "sadness": 2} for s in ("ann", "bob")}


def test_what_cannot_be_told_is_told() -> None:
    alone = [f"{e}_{n}.wav" for e in ("angry", "sad") for n in range(4)]
    found = read(alone, given={})
    assert any("--speaker TEMPLATE" in problem for problem in check_understood(found))
    assert check_understood(read(alone, speaker="ann")) == []
    odd = [
        f"{s}_{e}_{n}.wav" for s in ("ann", "bob") for e in ("angry", "sad", "zzz") for n in "12"
    ]
    (problem,) = check_understood(read(odd))
    assert "zzz" in problem
    found = read(odd, given={"zzz": ""})
    assert check_understood(found) == []
    assert len(found.left_out) == 4
    strange = [*odd[:8], "what is this.wav"]
    assert any(
        "names that do not fit (1): what is this.wav" in p for p in check_understood(read(strange))
    )


def test_the_letters_of_peoples_names_are_no_emotions() -> None:
    names = [f"{s}_{e}_{n}.wav" for s in ("ann", "bob", "cay", "dan") for e in "123" for n in "12"]
    assert not guess(names).has_emotion


def test_copies_in_folders_of_one_name_are_told() -> None:
    names = [
        f"{c}/x/{s}_{e}_{n}.wav"
        for c in ("train", "test")
        for s in ("ann", "bob")
        for e in ("sad", "joy")
        for n in "12"
    ]
    assert any("the same name" in problem for problem in check_understood(read(names)))


@pytest.mark.parametrize("option", ["speaker", "text"])
def test_a_template_of_unknown_parts_is_an_error(option: str) -> None:
    names = [f"{s}_{e}_{n}.wav" for s in ("ann", "bob") for e in ("sad", "joy") for n in "12"]
    with pytest.raises(CorpusError, match=rf"--{option} uses 'voice', but the parts are \{{"):
        read(names, **{option: "{voice}"})
    with pytest.raises(CorpusError, match="is not a template"):
        read(names, **{option: "{voice"})


@pytest.mark.parametrize("dataset", ["crema-d", "emovo", "savee"])
def test_names_of_a_known_corpus_are_recognised(dataset: str) -> None:
    assert known_as(sorted(names_of(dataset)), REGISTRY) == dataset


def test_other_names_are_not() -> None:
    assert known_as(["ann_happy_1.wav"], REGISTRY) is None


def test_audio_is_found_below_the_folder(tmp_path: Path) -> None:
    for name in ("b/x.wav", "a.FLAC", ".hidden/y.wav", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert audio_names(tmp_path) == ["a.flac", "b/x.wav"]
    with pytest.raises(CorpusError, match="is not a folder"):
        audio_names(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match="no audio in this folder"):
        audio_names(tmp_path / "empty")


def test_a_folder_with_parts_that_cannot_be_looked_at_is_not_added(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    (tmp_path / "s2").symlink_to("gone")
    with pytest.raises(CorpusError, match=r"recordings may be missing: s2 \(a link"):
        audio_names(tmp_path)


@pytest.mark.parametrize(
    ("word", "label"),
    [("Wut", "anger"), ("ÄRGER", "anger"), ("Dégoût", "disgust"), ("paura", "fear"),
     ("pleasant_surprised", "surprise"), ("Angst", "fear"), ("ang", "anger"), ("f", None)],
)  # fmt: skip
def test_words_of_several_languages(word: str, label: str | None) -> None:
    assert label_of(word) == label


def test_single_letters_need_one_language() -> None:
    german, english = initials_of("WLEAFTN"), initials_of(["a", "d", "f", "h", "n", "sa", "su"])
    assert german is not None
    assert english is not None
    assert (german["A"], english["a"]) == ("fear", "anger")
    assert initials_of("AFN") is None  # English or German
    assert initials_of("XYZ") is None
    assert initials_of("abcd") is None  # takes, or speakers
    assert initials_of("AB") is None
    assert {label for codes in INITIALS.values() for label in codes.values()} <= {
        label_of(label) for codes in INITIALS.values() for label in codes.values()
    }
