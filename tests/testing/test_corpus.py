from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from serbench.api import Advance, Corpus, CorpusCard, Params, Source, UtteranceRecord
from serbench.testing import check_corpus, check_corpus_card

CARD = CorpusCard(
    title="t",
    language="l",
    licence="l",
    home="h",
    citation="c",
    elicitation="synthetic",
    labels=("a", "b"),
    fold_sets={"halves": (("1",), ("2",))},
    utterances=4,
    per_label={"a": 2, "b": 2},
    per_speaker={"1": 2, "2": 2},
)


def corpus_of(card: CorpusCard = CARD, *, seed: int | None = 0, **members: object) -> type[Corpus]:
    """Files such as ``1_a.wav``; ``seed`` None: other audio each time."""

    def utterances(_: Corpus, folder: Path) -> Iterator[UtteranceRecord]:
        for path in sorted(folder.glob("*.wav")):
            yield UtteranceRecord(path.stem, path, *path.stem.split("_"))

    def build(_: Corpus, folder: Path, advance: Advance) -> bool:
        draw = np.random.default_rng(seed)
        for done, stem in enumerate(("1_a", "1_b", "2_a", "2_b"), start=1):
            soundfile.write(folder / f"{stem}.wav", 0.1 * draw.standard_normal(800), 16_000)
            advance(done, 4)
        return True

    own = {"name": "c", "Params": Params, "card": card, "utterances": utterances, "build": build}
    return type("C", (Corpus,), own | members)


def test_a_good_corpus_passes(tmp_path: Path) -> None:
    check_corpus(corpus_of(), tmp_path / "new")
    check_corpus(corpus_of(), tmp_path / "new")  # now as a copy that is there


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"licence": ""}, "the card's licence is empty"),
        ({"names": "EmoDB"}, "the card's names must be a tuple, not 'EmoDB'"),
        ({"names": ("EmoDB", " ")}, "the card's names has ' ', which is not the name of a corpus"),
        ({"made_of": ("x", "x")}, "the card's made_of repeats a name"),
        ({"made_of": ("x", "c")}, "made_of names the corpus itself: c"),
        ({"different": {"who": ("a", "A")}}, "'who'; it may only have speaker, session, text"),
        (
            {"different": {"text": ("a", "A", "c")}},
            r"different.text: no other name is spelled like .'c'",
        ),
        ({"labels": ("a",)}, "at least two labels"),
        ({"labels": ("a", "b", "a")}, "labels repeat"),
        ({"per_label": {"a": 4}}, "must count every label"),
        ({"utterances": 5}, "per_label adds up to 4, not 5"),
        ({"fold_sets": {"f": (("1", "2"),)}}, "needs at least two folds"),
        ({"fold_sets": {"f": (("1", "2"), ())}}, "an empty fold"),
        ({"fold_sets": {"f": (("1", "2"), ("2",))}}, "tests a unit twice"),
        ({"fold_sets": {"f": (("1",), ("3",))}}, "must test every speaker once"),
    ],
)
def test_a_card_that_disagrees_with_itself_is_told(change: dict[str, object], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_corpus_card(corpus_of(replace(CARD, **change)))  # pyright: ignore[reportArgumentType]


def test_aliases_are_names() -> None:
    check_corpus_card(corpus_of(aliases=("other", "names")))
    with pytest.raises(AssertionError, match="aliases must be a tuple of names, not 'other'"):
        check_corpus_card(corpus_of(aliases="other"))


def test_a_name_in_two_spellings_is_told(tmp_path: Path) -> None:
    cls = corpus_of(replace(CARD, per_speaker={}, fold_sets={}))
    plain = cls.utterances
    texts = iter(("t1", "T 1", "t2", "t3"))
    found: list[UtteranceRecord] = []

    def utterances(corpus: Corpus, folder: Path) -> list[UtteranceRecord]:
        found[:] = found or [replace(r, text=next(texts)) for r in plain(corpus, folder)]
        return found

    wrong = corpus_of(replace(CARD, per_speaker={}, fold_sets={}), utterances=utterances)
    with pytest.raises(AssertionError, match="one name in several spellings: text 'T 1' = 't1'"):
        check_corpus(wrong, tmp_path / "new")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (Source("ftp://x/y.zip", "y.zip"), "http or https"),
        (Source("https://x/y.zip", "../y.zip"), "file_name must be plain"),
        (Source("https://x/y.zip", "y.zip", "crc:1"), "checksum must be"),
    ],
)
def test_a_wrong_source_is_told(source: Source, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_corpus_card(corpus_of(sources=lambda _: [source]))


def test_a_build_that_differs_each_time_is_told(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="building twice gives different files"):
        check_corpus(corpus_of(seed=None), tmp_path / "new")


def test_a_build_without_progress_and_a_corpus_without_build_are_told(tmp_path: Path) -> None:
    silent = corpus_of(build=lambda *_: True)
    with pytest.raises(AssertionError, match=r"build must call advance"):
        check_corpus(silent, tmp_path / "a")
    with pytest.raises(AssertionError, match="not synthetic: give a copy"):
        check_corpus(corpus_of(build=lambda *_: False), tmp_path / "b")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": "same"}, "utterance ids repeat: same"),
        ({"speaker": ""}, "no id or no speaker"),
        ({"label": "c"}, "labelled 'c', which is not a label of the card"),
        ({"label": "a"}, "declares 2 utterances of label 'a', but the folder has 4"),
        ({"path": Path("nowhere.wav")}, "no file"),
        ({"gender": "F"}, "has the gender 'F'; allowed are female, male and None"),
    ],
)
def test_wrong_records_are_told(tmp_path: Path, change: dict[str, object], message: str) -> None:
    cls = corpus_of()
    plain = cls.utterances
    wrong = corpus_of(utterances=lambda s, f: [replace(r, **change) for r in plain(s, f)])
    with pytest.raises(AssertionError, match=message):
        check_corpus(wrong, tmp_path / "new")


def test_sessions_must_be_given_where_folds_group_by_them(tmp_path: Path) -> None:
    card = replace(CARD, unit="session")
    with pytest.raises(AssertionError, match="has no session"):
        check_corpus(corpus_of(card), tmp_path / "new")


def test_an_unstable_scan_is_told(tmp_path: Path) -> None:
    plain = corpus_of().utterances
    calls: list[int] = []

    def growing(corpus: Corpus, folder: Path) -> list[UtteranceRecord]:
        calls.append(1)
        return list(plain(corpus, folder))[: 4 - len(calls) % 2]

    with pytest.raises(AssertionError, match="two scans of the same folder differ"):
        check_corpus(corpus_of(utterances=growing), tmp_path / "new")


def read_stem(_: Corpus, name: str) -> UtteranceRecord | None:
    """The grammar of ``corpus_of``, for any leading folders."""
    stem = Path(name).stem
    parts = stem.split("_")
    return UtteranceRecord(stem, Path(name), *parts) if len(parts) == 2 else None


def test_names_that_tell_what_the_scan_tells_pass(tmp_path: Path) -> None:
    check_corpus(corpus_of(read_name=read_stem), tmp_path / "new")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"speaker": "3"}, "gives the speaker '3', but utterances\\(\\) gives '1'"),
        ({"id": "x"}, "gives the id 'x'"),
        ({"text": "t"}, "gives the text 't', but utterances\\(\\) gives None"),
    ],
)
def test_names_that_tell_otherwise_are_told(
    tmp_path: Path, change: dict[str, str], message: str
) -> None:
    def other(corpus: Corpus, name: str) -> UtteranceRecord | None:
        record = read_stem(corpus, name)
        return replace(record, **change) if record else None  # pyright: ignore[reportArgumentType]

    with pytest.raises(AssertionError, match=message):
        check_corpus(corpus_of(read_name=other), tmp_path / "new")


def test_a_grammar_of_names_that_gives_something_else_is_told(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="an UtteranceRecord or None, not '1_a'"):
        check_corpus(corpus_of(read_name=lambda _, name: Path(name).stem), tmp_path / "new")


@pytest.mark.parametrize(
    ("sides", "message"),
    [
        (("train", "train", "test", None), "for all utterances or for none"),
        (("train", "train", "test", "fold 1"), "mixes sides and folds: fold 1, test, train"),
    ],
)
def test_a_split_of_its_own_is_whole(
    tmp_path: Path, sides: tuple[str | None, ...], message: str
) -> None:
    plain = corpus_of().utterances

    def utterances(corpus: Corpus, folder: Path) -> Iterator[UtteranceRecord]:
        for record, side in zip(plain(corpus, folder), sides, strict=True):
            yield replace(record, official=side)

    with pytest.raises(AssertionError, match=message):
        check_corpus(corpus_of(utterances=utterances), tmp_path / "new")


def test_missing_files_are_named_rightly_or_not_at_all(tmp_path: Path) -> None:
    every = ("1_a", "1_b", "2_a", "2_b")

    def missing(_: Corpus, records: Sequence[UtteranceRecord]) -> list[str]:
        return [f"{stem}.wav" for stem in every if stem not in {r.id for r in records}]

    check_corpus(corpus_of(missing=missing), tmp_path / "good")
    with pytest.raises(AssertionError, match=r"nothing is missing, but missing\(\) names x\.wav"):
        check_corpus(corpus_of(missing=lambda *_: ["x.wav"]), tmp_path / "a")

    def wrong(_: Corpus, records: Sequence[UtteranceRecord]) -> list[str]:
        return [] if len(records) == len(every) else ["1_a.wav"]

    with pytest.raises(AssertionError, match=r"without 1_b\.wav, missing\(\) names 1_a\.wav"):
        check_corpus(corpus_of(missing=wrong), tmp_path / "b")
