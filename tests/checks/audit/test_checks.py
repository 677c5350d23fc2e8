from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from serbench.api import Advance, CorpusError, SplitError
from serbench.checks.audit import audio
from serbench.checks.audit.audio import (
    NO_AUDIO,
    AuditedAudio,
    audio_facts,
    find_audio,
    read_recordings,
)
from serbench.checks.audit.checks import (
    FoldView,
    check_copies,
    check_coverage,
    check_near,
    check_speakers,
    check_utterances,
    measure_sentences,
)
from serbench.checks.audit.identify import Identified
from serbench.checks.audit.rows import AuditRow
from serbench.checks.finding import Finding
from serbench.protocol.guard.near.search import NearPair

SIDES = {"tr": "train", "va": "validation", "te": "test"}


def rows(fold: str, *cells: str) -> list[AuditRow]:
    """From ``"tr a s1 hello"``: part, utterance, speaker and text; ``-`` for what is not known."""
    made = []
    for number, cell in enumerate(cells):
        part, utterance, speaker, text = (*cell.split(), "-", "-")[:4]
        made.append(
            AuditRow(
                utterance, fold, SIDES[part], f"f.csv:{number}",  # pyright: ignore[reportArgumentType]
                speaker=None if speaker == "-" else speaker, text=None if text == "-" else text,
            )
        )  # fmt: skip
    return made


def view(*cells: str, session: bool = False) -> FoldView:
    made = rows("1", *cells)
    if session:
        made = [AuditRow(r.utterance, "1", r.part, r.where, "s" + r.utterance, r.speaker)
                for r in made]  # fmt: skip
    return FoldView("1", made)


def units(found: Iterable[Finding], *outcomes: str) -> dict[str, dict[str, Mapping[str, float]]]:
    """What was found, and the numbers of each unit; by default of what failed."""
    wanted = outcomes or ("failed",)
    return {
        each.message: {unit.name: unit.numbers for unit in each.units}
        for each in found
        if each.outcome in wanted
    }


def told(found: Iterable[Finding]) -> list[tuple[str, str]]:
    """Outcomes and messages."""
    return [(each.outcome, each.message) for each in found]


# L1


def test_speakers_on_both_sides_are_all_named_with_their_counts() -> None:
    check = check_speakers(
        view("tr a s10", "tr b s10", "tr c s9", "tr d s1", "te e s10", "te f s9", "te g s9")
    )
    assert units(check) == {
        "speakers in train and test": {
            "s9": {"train": 1, "test": 2}, "s10": {"train": 2, "test": 1},
        }
    }  # fmt: skip


def test_speakers_that_choices_are_made_on_are_named_as_such() -> None:
    check = check_speakers(view("tr a s1", "va b s1", "va c s2", "te d s2"))
    why = ": choices are made on speakers seen in training"
    assert units(check) == {
        "speakers in validation and test": {"s2": {"validation": 1, "test": 1}},
        f"speakers in train and validation{why}": {"s1": {"train": 1, "validation": 1}},
    }


def test_sessions_on_both_sides_leak_too() -> None:
    check = check_speakers(view("tr a ses1", "te b ses1", "te c ses2", session=True))
    assert units(check) == {"sessions in train and test": {"ses1": {"train": 1, "test": 1}}}


def test_separate_speakers_pass() -> None:
    check = check_speakers(view("tr a s1", "va b s2", "te c s3"))
    assert told(check) == [("passed", "3 speakers; sessions are unknown")]


@pytest.mark.parametrize(
    ("cells", "reason", "leaks"),
    [
        (("tr a", "te b"), "speakers are unknown; give --corpus, or a speaker column", False),
        (("tr a s1", "te b"), "the speakers of 1 of 2 utterances are unknown", False),
        (("tr a s1", "te b s1", "te c"), "the speakers of 1 of 3 utterances are unknown", True),
    ],
)
def test_unknown_speakers_never_pass(cells: tuple[str, ...], reason: str, leaks: bool) -> None:
    check = check_speakers(view(*cells))
    assert told(check)[-1] == ("not run", reason)
    assert [each.outcome for each in check[:-1]] == ["failed"] * leaks


# L2


def test_an_utterance_in_two_parts_is_named() -> None:
    check = check_utterances(view("tr a", "tr b", "va b", "va c", "te c", "te a"))
    assert {what: list(of) for what, of in units(check).items()} == {
        "utterances in train and test": ["a"],
        "utterances in validation and test": ["c"],
        "utterances in train and validation": ["b"],
    }


def test_an_utterance_twice_leaks_only_where_it_is_scored() -> None:
    trained = check_utterances(view("tr a", "tr a", "te b"))
    assert trained[0].outcome == "passed"
    assert units(trained, "note") == {
        "utterances named more than once in train": {"a": {"train": 2}}
    }
    tested = check_utterances(view("tr a", "te b", "te b"))
    ((what, twice),) = units(tested).items()
    assert (what.split(",")[0], twice) == (
        "utterances named more than once in test", {"b": {"test": 2}},
    )  # fmt: skip


def coverage(*folds: tuple[str, ...], **facts: Any) -> list[Finding]:
    made = [rows(str(n), *cells) for n, cells in enumerate(folds, start=1)]
    views = [FoldView(str(n), each) for n, each in enumerate(made, start=1)]
    every = tuple(row for each in made for row in each)
    return list(check_coverage(views, Identified(every, "", "", **facts)))


def cross_validation(count: int, folds: int) -> list[tuple[str, ...]]:
    return [
        tuple(f"{'te' if u % folds == fold else 'tr'} u{u}" for u in range(count))
        for fold in range(folds)
    ]


def test_each_tested_once_passes() -> None:
    check = coverage(*cross_validation(20, 4))
    assert told(check) == [("passed", "20 of 20 utterances tested over 4 folds")]


def test_an_utterance_tested_twice_leaks() -> None:
    folds = cross_validation(20, 4)
    folds[0] = (*folds[0][:1], "te u1", *folds[0][2:])
    check = coverage(*folds)
    assert units(check) == {"utterances tested in more than one fold": {"u1": {"test": 2}}}


def test_an_utterance_never_tested_is_told_and_no_leak() -> None:
    folds = [tuple(c.replace("te u1 ", "tr u1 ") for c in (*f, "tr x")) for f in
             cross_validation(20, 4)]  # fmt: skip
    check = coverage(*folds)
    assert check[0].outcome == "passed"
    assert units(check, "failed", "note") == {"utterances that no fold tests": {"x": {}}}


@pytest.mark.parametrize("repeats", [2, 10])
def test_single_splits_and_repeated_cross_validation_may_test_again(repeats: int) -> None:
    draw = np.random.default_rng(0)
    folds = []
    for _ in range(repeats):
        test = {f"u{i}" for i in draw.permutation(100)[:20]}
        test.add("u0")
        folds.append(tuple(f"{'te' if f'u{i}' in test else 'tr'} u{i}" for i in range(100)))
    check = coverage(*folds)
    assert units(check) == {}
    assert "utterances tested in more than one fold" in units(check, "note")
    (passed,) = (each for each in check if each.outcome == "passed")
    assert "treated as separate single splits" in passed.message


def test_one_fold_needs_no_coverage() -> None:
    assert [each.outcome for each in coverage(("tr a", "te b"))] == ["passed"]


def test_what_corpus_and_split_file_lack_is_told() -> None:
    check = coverage(("tr a", "te b"), unknown=("x",), absent=("y",), unnamed=("z", "w"))
    assert units(check) == {}
    assert {what: list(of) for what, of in units(check, "note").items()} == {
        "names that are not in the corpus": ["x"],
        "utterances that are not in the corpus folder": ["y"],
        "utterances of the corpus that are in no fold": ["w", "z"],
    }


# L9


def test_sentences_on_both_sides_are_measured() -> None:
    check = measure_sentences(view("tr a s1 t1", "tr b s1 t1", "te c s2 t1", "te d s2 t2", "te e"))
    assert (check.outcome, check.numbers) == ("note", {"share": 0.5})
    assert [(unit.name, unit.numbers) for unit in check.units] == [("t1", {"train": 2, "test": 1})]
    assert check.message.startswith("1 of 2 test utterances")
    assert check.message.endswith("the sentences of 1 are unknown")


def test_other_sentences_measure_nothing() -> None:
    check = measure_sentences(view("tr a s1 t1", "te c s2 t2"))
    assert (check.outcome, check.numbers, check.units) == ("passed", {"share": 0.0}, ())


@pytest.mark.parametrize("cells", [("tr a", "te b s t1"), ("tr a s t1", "te b"), ("tr a", "te b")])
def test_unknown_sentences_are_not_measured(cells: tuple[str, ...]) -> None:
    check = measure_sentences(view(*cells))
    assert check.outcome == "not run"
    assert check.message == "sentences are unknown; give --corpus, or a text column"
    assert check.numbers == {}


# L4 and L5


def near(one: str, other: str) -> NearPair:
    return NearPair(one, other, 0.97123456, 0.25)


def test_copies_under_two_names_are_named_together() -> None:
    digests = dict(zip("abcdefg", "1123451", strict=True))
    fold = view("tr a", "tr b", "va c", "te d", "te e", "te f", "te g")
    check = check_copies(fold, AuditedAudio(digests, ()))
    assert units(check) == {
        "recordings under two names in train and test": {"a = b = g": {"train": 2, "test": 1}}
    }


def test_copies_within_one_part_and_one_name_in_two_parts_are_no_l4() -> None:
    fold = view("tr a", "tr b", "te c", "tr d", "te d")
    check = check_copies(fold, AuditedAudio(dict(zip("abcd", "1123", strict=True)), ()))
    assert told(check) == [("passed", "4 recordings")]


def test_near_duplicates_across_parts_are_named_with_what_was_measured() -> None:
    pairs = (near("d", "a"), near("a", "b"), near("c", "d"))
    fold = view("tr a", "tr b", "va c", "te d")
    check = check_near(fold, AuditedAudio(dict.fromkeys("abcd", ""), pairs))
    assert units(check) == {}, "exact copies are L4"
    check = check_near(fold, AuditedAudio({name: name for name in "abcd"}, pairs))
    measured = {"similarity": 0.9712, "offset_s": 0.25}
    assert units(check) == {
        "near-duplicates in train and test": {"a ~ d": measured},
        "near-duplicates in validation and test": {"c ~ d": measured},
    }


@pytest.mark.parametrize("check", [check_copies, check_near])
def test_without_all_audio_nothing_passes(check) -> None:
    fold = view("tr a", "te b")
    assert told(check(fold, AuditedAudio({}, (), NO_AUDIO))) == [("not run", NO_AUDIO)]
    assert told(check(fold, AuditedAudio({"a": "1", "b": "2"}, ()))) == [("passed", "2 recordings")]


# finding and reading audio


def sound(path: Path, seed: int = 0, seconds: float = 0.3) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = 0.1 * np.random.default_rng(seed).standard_normal(int(seconds * 16_000))
    soundfile.write(path, samples, 16_000)
    return path


def place(utterance: str, path: str | None) -> AuditRow:
    return AuditRow(utterance, "1", "train", "f.csv:1", path=path)


@pytest.mark.parametrize(
    "path", ["wav/a.wav", "a.wav", "downloads/emodb/wav/a.wav", "/gone/wav/a.wav", None]
)
def test_audio_is_found_below_the_data_folder(tmp_path: Path, path: str | None) -> None:
    file = sound(tmp_path / "data" / "wav" / "a.wav")
    source = tmp_path / "f.csv"
    assert find_audio([place("a", path)], source, tmp_path / "data", None) == {"a": file}
    assert find_audio([place("a", path)], source, None, None) == {}


def test_audio_is_found_beside_the_split_file_and_in_the_corpus(tmp_path: Path) -> None:
    file = sound(tmp_path / "wav" / "a.wav")
    row = place("a", "wav/a.wav")
    assert find_audio([row], tmp_path / "f.csv", None, None) == {"a": file}
    assert find_audio([row], tmp_path, None, None) == {"a": file}
    own = sound(tmp_path / "corpus" / "x.wav")
    assert find_audio([row], tmp_path / "f.csv", None, {"a": own}) == {"a": own}


def test_a_stem_that_two_files_have_tells_nothing(tmp_path: Path) -> None:
    sound(tmp_path / "x" / "a.wav")
    sound(tmp_path / "y" / "a.wav")
    assert find_audio([place("a", None)], tmp_path / "f.csv", tmp_path, None) == {}


def test_a_data_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SplitError, match="is not a folder"):
        find_audio([], tmp_path, tmp_path / "no", None)


def nothing(done: int, total: int) -> None:
    pass


def test_recordings_are_read_once_and_in_order(tmp_path: Path) -> None:
    one, two = sound(tmp_path / "1.wav", 1), sound(tmp_path / "2.wav", 2)
    steps: list[tuple[int, int]] = []
    read = read_recordings({"b": two, "a": one, "c": two}, lambda *step: steps.append(step))
    assert [r.id for r in read] == ["b", "a", "c"]
    assert read[0].pcm_sha256 == read[2].pcm_sha256 != read[1].pcm_sha256
    assert steps == [(1, 2), (2, 2)]


def test_audio_that_cannot_be_read_is_listed(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).write_text("no audio")
    paths = {"a": tmp_path / "a.wav", "b": tmp_path / "b.wav"}
    with pytest.raises(CorpusError, match=r"(?s)2 of 2 audio files.*a\.wav.*b\.wav"):
        read_recordings(paths, nothing)


def test_audio_that_is_partly_there_is_looked_at_and_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def search(recordings, cache: Path, advance: Advance) -> tuple[NearPair, ...]:
        asked.append([r.id for r in recordings])
        return (near("a", "b"),)

    monkeypatch.setattr(audio, "near_duplicates", search)
    every = rows("1", "tr a", "te b", "te c")
    paths = {"a": sound(tmp_path / "a.wav", 1), "b": sound(tmp_path / "b.wav", 2)}
    facts = audio_facts(every, paths, tmp_path, lambda *_: None)
    assert asked == [["a", "b"]]
    assert facts.missing == "the audio of 1 of 3 utterances was not found: c"
    fold = FoldView("1", every)
    assert told(check_copies(fold, facts)) == [("not run", facts.missing)]
    assert [each.outcome for each in check_near(fold, facts)] == ["failed", "not run"]
