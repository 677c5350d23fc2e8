"""Whole audits: each leak planted once in clean files of each format, and found by name."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from serbench.api import Corpus, CorpusError
from serbench.checks.audit import audio
from serbench.checks.audit.readers import read_splits
from serbench.checks.audit.run import audit
from serbench.checks.finding import Finding, Findings
from serbench.checks.output import document
from serbench.checks.show import detail_lines, facts, finding_table, text_lines
from serbench.protocol.guard.near.search import NearPair
from serbench_corpora.emodb import EmoDB, EmoDBParams

DOCS = Path(__file__).parents[3] / "docs" / "howto-audit.md"

SPEAKERS = ("03", "08", "09", "10")
NAMES = [f"{s}{t}{e}a" for s in SPEAKERS for t in ("a01", "b02") for e in "WN"]

Splits = dict[str, dict[str, list[str]]]
"""Utterances by fold and part."""


def clean() -> Splits:
    """Two folds; in each, one speaker is for validation and one for training."""
    folds: Splits = {}
    for fold, (train, validation, *test) in (("1", SPEAKERS), ("2", SPEAKERS[::-1])):
        sides = {"train": [train], "validation": [validation], "test": test}
        folds[fold] = {
            part: [name for name in NAMES if name[:2] in speakers]
            for part, speakers in sides.items()
        }
    return folds


def write_csv(folder: Path, splits: Splits) -> Path:
    lines = [
        f"{name},{fold},{part}"
        for fold, parts in splits.items()
        for part, names in parts.items()
        for name in names
    ]
    return _write(folder / "folds.csv", "\n".join(["utterance,fold,part", *lines]) + "\n")


def write_emobox(folder: Path, splits: Splits) -> Path:
    for fold, parts in splits.items():
        for part, names in parts.items():
            rows = [{"key": f"emodb-{n}", "wav": f"downloads/emodb/wav/{n}.wav"} for n in names]
            short = part.replace("validation", "valid")
            path = folder / "box" / f"fold_{fold}" / f"emodb_{short}_fold_{fold}.jsonl"
            _write(path, "".join(json.dumps(row) + "\n" for row in rows))
    return folder / "box"


def write_s3prl(folder: Path, splits: Splits) -> Path:
    for fold, parts in splits.items():
        for part, names in parts.items():
            rows = [{"path": f"wav/{n}.wav", "label": "x", "speaker": n[:2]} for n in names]
            path = folder / "s3" / f"Session{fold}" / f"{part}_meta_data.json"
            _write(path, json.dumps({"labels": {}, "meta_data": rows}))
    return folder / "s3"


def write_folder(folder: Path, splits: Splits) -> Path:
    for part, names in splits["1"].items():
        for number, name in enumerate(names):
            path = folder / "hf" / part / name[5] / f"{name}.wav"
            soundfile.write(_parent(path), noise(name), 16_000)
            if number == 0:
                _write(path.with_name(".litter.wav"), "")
    return folder / "hf"


WRITERS = {"csv": write_csv, "emobox": write_emobox, "s3prl": write_s3prl, "folder": write_folder}
every_format = pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)


def _write(path: Path, text: str) -> Path:
    _parent(path).write_text(text, encoding="utf-8")
    return path


def _parent(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def noise(name: str, seconds: float = 0.4) -> NDArray[np.float64]:
    draw = np.random.default_rng(list(name.encode()))
    return 0.1 * draw.standard_normal(int(seconds * 16_000))


def emodb_copy(folder: Path, names: Mapping[str, str]) -> Path:
    """A folder like EmoDB's; each name with the sound of another."""
    for name, of in names.items():
        soundfile.write(_parent(folder / "wav" / f"{name}.wav"), noise(of), 16_000)
    return folder


def run(
    source: Path,
    tmp_path: Path,
    corpus: Corpus | None = EmoDB(EmoDBParams()),  # noqa: B008
    data_dir: Path | None = None,
) -> Findings:
    name = "emodb" if corpus else None
    read, cache = read_splits(source), tmp_path / "cache"
    return audit(read, source, corpus, name, data_dir, cache, lambda *_: None)


def leaking(found: Findings) -> dict[tuple[str, str], list[str]]:
    """Units of every leak, by code and what is shared, over all folds."""
    units: dict[tuple[str, str], list[str]] = {}
    for each in found.of("failed"):
        what = each.message.partition(":")[0].partition(",")[0]
        units.setdefault((each.check, what), []).extend(u.name for u in each.units)
    return units


def places(found: Findings) -> dict[str, list[str]]:
    """By code, the folds that leak; "" for what only all of them together show."""
    by_code: dict[str, list[str]] = {}
    for each in found.of("failed"):
        folds = by_code.setdefault(each.check, [])
        folds += [each.fold] if each.fold not in folds else []
    return by_code


def of(found: Findings, check: str) -> list[Finding]:
    return [each for each in found.found if each.check == check]


def folds_of(found: Findings) -> list[str]:
    return [str(row["fold"]) for row in found.tables[0].records]


@every_format
def test_clean_splits_pass(write, tmp_path: Path) -> None:
    found = run(write(tmp_path, clean()), tmp_path)
    assert leaking(found) == {}
    assert "passed: no leak found (" in found.verdict
    assert {each.numbers["share"] for each in of(found, "L9")} == {1.0}
    assert [each.fold for each in of(found, "L1")] == folds_of(found)
    assert {each.outcome for each in of(found, "L1")} == {"passed"}


@every_format
def test_a_planted_speaker_is_found(write, tmp_path: Path) -> None:
    splits = clean()
    moved = splits["1"]["test"].pop(0)
    splits["1"]["train"].append(moved)
    found = run(write(tmp_path, splits), tmp_path)
    assert leaking(found) == {("L1", "speakers in train and test"): [moved[:2]]}
    assert places(found) == {"L1": folds_of(found)[:1]}
    (unit,) = found.of("failed")[0].units
    assert unit.numbers == {"train": 1, "test": 3}
    assert " checks: L1 in 1 fold)" in found.verdict


@every_format
def test_a_planted_speaker_of_the_validation_part_is_found_as_such(write, tmp_path: Path) -> None:
    splits = clean()
    moved = splits["1"]["train"].pop(0)
    splits["1"]["validation"].append(moved)
    found = run(write(tmp_path, splits), tmp_path)
    assert leaking(found) == {("L1", "speakers in train and validation"): [moved[:2]]}
    assert any("choices are made on speakers seen in training" in x for x in text_lines(found))


@every_format
def test_a_planted_utterance_is_found(write, tmp_path: Path) -> None:
    splits = clean()
    both = splits["1"]["test"][0]
    splits["1"]["train"].append(both)
    found = run(write(tmp_path, splits), tmp_path)
    assert leaking(found)["L2", "utterances in train and test"] == [both]
    first = folds_of(found)[:1]
    assert places(found) == {"L1": first, "L2": first}


@pytest.mark.parametrize("write", [write_csv, write_emobox, write_s3prl])
def test_an_utterance_tested_in_two_folds_is_found(write, tmp_path: Path) -> None:
    splits = clean()
    again = splits["2"]["test"][0]
    splits["1"]["test"].append(again)
    splits["1"]["train"] = [n for n in splits["1"]["train"] if n[:2] != again[:2]] or ["11a01Wa"]
    splits["1"]["validation"] = [n for n in splits["1"]["validation"] if n[:2] != again[:2]]
    found = run(write(tmp_path, splits), tmp_path)
    assert leaking(found) == {("L2", "utterances tested in more than one fold"): [again]}
    assert places(found) == {"L2": [""]}
    assert found.verdict.startswith("FAILED: the splits leak (1 of 3 checks: L2); ")


@pytest.mark.parametrize("write", [write_csv, write_emobox, write_s3prl])
def test_a_planted_copy_is_found_by_its_audio(write, tmp_path: Path) -> None:
    sounds = {name: name for name in NAMES}
    one, other = clean()["1"]["train"][0], clean()["1"]["test"][0]
    sounds[other] = one
    found = run(write(tmp_path, clean()), tmp_path, data_dir=emodb_copy(tmp_path / "d", sounds))
    in_fold_2 = "recordings under two names in validation and test"
    assert leaking(found)["L4", "recordings under two names in train and test"] == [
        f"{one} = {other}"
    ]
    assert set(places(found)) == {"L4"}, in_fold_2
    assert "audio" not in found.verdict


def respelled_files(folder: Path) -> dict[str, Path]:
    """A split in every format with one person who is Anna in train and anna in test."""
    people = {"train": [("a", "Anna "), ("b", "Ben")], "test": [("c", "anna"), ("d", "Cem")]}
    rows = {
        part: [{"path": f"{n}.wav", "speaker": s, "text": f"t{n}"} for n, s in own]
        for part, own in people.items()
    }
    lines = [f"{r['path']},{part},{r['speaker']}" for part, own in rows.items() for r in own]
    table = _write(folder / "f.csv", "\n".join(["utterance,part,speaker", *lines]))
    for part, own in rows.items():
        text = "".join(json.dumps({"key": r["path"], **r}) + "\n" for r in own)
        _write(folder / "box" / f"x_{part}_fold_1.jsonl", text)
        _write(
            folder / "s3" / "Session1" / f"{part}_meta_data.json", json.dumps({"meta_data": own})
        )
        for row in own:
            path = _parent(folder / "hf" / part / row["path"])
            soundfile.write(path, noise(row["path"]), 16_000)
        described = "".join(json.dumps({"file_name": r["path"], **r}) + "\n" for r in own)
        _write(folder / "hf" / part / "metadata.jsonl", described)
    return {"csv": table, "emobox": folder / "box", "s3prl": folder / "s3", "folder": folder / "hf"}


def test_one_speaker_in_two_spellings_is_a_leak_in_every_format(tmp_path: Path) -> None:
    for name, source in respelled_files(tmp_path).items():
        found = run(source, tmp_path, corpus=None)
        leaks = leaking(found)
        assert leaks.pop(("L1", "speakers in train and test")) == ["Anna"], name
        (((check, what), units),) = leaks.items()
        assert (check, units) == ("L1", ["speaker 'Anna' = 'anna'"])
        assert what.startswith("speakers whose names differ only in case")
        assert [row["train_speakers"] for row in found.tables[0].records] == [2]
        assert any("What to do: Give each one spelling; " in x for x in detail_lines(found))


def test_spellings_are_errors_wherever_they_are_and_sentences_too(tmp_path: Path) -> None:
    lines = ["utterance,part,speaker,text", "a,train,3,x", "b,train,3.0,y", "c,test,4,X"]
    found = run(_write(tmp_path / "f.csv", "\n".join(lines)), tmp_path, corpus=None)
    units = {each.check: [str(u) for u in each.units] for each in found.of("failed")}
    assert units == {
        "L1": ["speaker '3' = '3.0' (1 + 1 utterances)"],
        "L9": ["sentence 'X' = 'x' (1 + 1 utterances)"],
    }
    assert [each.numbers["share"] for each in of(found, "L9") if each.numbers] == [1.0]


def test_a_planted_copy_in_folders_is_found_without_a_corpus(tmp_path: Path) -> None:
    source = write_folder(tmp_path, clean())
    first = clean()["1"]["train"][0]
    soundfile.write(source / "test" / "other.wav", noise(first), 16_000)
    found = run(source, tmp_path, corpus=None)
    assert leaking(found) == {
        ("L4", "recordings under two names in train and test"): [
            f"test/other.wav = train/W/{first}.wav"
        ]
    }
    assert set(found.checks("not run")) == {"L1", "L9"}
    assert "L1 (speakers are unknown; give --corpus, or a speaker column)" in found.verdict


def test_a_planted_near_duplicate_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = clean()["1"]["train"][0], clean()["1"]["test"][0]
    pair = NearPair(other, one, 0.96, 0.5)
    monkeypatch.setattr(audio, "near_duplicates", lambda recordings, cache, advance: (pair,))
    data = emodb_copy(tmp_path / "d", {name: name for name in NAMES})
    found = run(write_csv(tmp_path, clean()), tmp_path, data_dir=data)
    assert ("L5", "near-duplicates in train and test") in leaking(found)
    (line,) = [x for x in detail_lines(found) if x.startswith("  fold 1, near-duplicates in train")]
    assert line.endswith(f"{one} ~ {other} (similarity 0.96, offset 0.5 s)")


def test_what_the_copy_lacks_is_told(tmp_path: Path) -> None:
    sounds = {name: name for name in [*NAMES[1:], "16b10Wa"]}
    found = run(write_csv(tmp_path, clean()), tmp_path, data_dir=emodb_copy(tmp_path / "d", sounds))
    told = {
        each.message: [unit.name for unit in each.units]
        for each in of(found, "L2")
        if each.outcome == "note"
    }
    assert told == {
        "utterances that are not in the corpus folder": [NAMES[0]],
        "utterances of the corpus that are in no fold": ["16b10Wa"],
    }
    assert found.passed
    assert f"the audio of 1 of 16 utterances was not found: {NAMES[0]}" in found.verdict


def test_a_wrong_data_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    with pytest.raises(CorpusError, match="is not EmoDB"):
        run(write_csv(tmp_path, clean()), tmp_path, data_dir=tmp_path / "d")


@pytest.mark.parametrize("write", [write_csv, write_emobox, write_s3prl])
def test_folds_without_validation_are_noted_and_no_leak(write, tmp_path: Path) -> None:
    splits = clean()
    splits["1"].pop("validation")
    assert run(write(tmp_path / "a", splits), tmp_path).remarks[0].startswith("Folds ")
    splits["2"].pop("validation")
    found = run(write(tmp_path / "b", splits), tmp_path)
    (remark,) = found.remarks
    assert remark.startswith("No fold has a validation part")
    assert found.passed
    assert found.tables[0].columns[:4] == ("Fold", "train", "test", "Speakers")


def test_the_table_has_a_word_for_each_check(tmp_path: Path) -> None:
    splits = clean()
    splits["2"]["train"].append(splits["2"]["test"][0])
    found = run(write_csv(tmp_path, splits), tmp_path)
    (table,) = found.tables
    titles = ("Fold", "train", "val", "test", "Speakers", "L1", "L2", "L4", "L5", "L9")
    assert table.columns == titles
    assert [tuple(cell.text for cell in row) for row in table.rows] == [
        ("1", "4", "4", "8", "1/1/2", "passed", "passed", "not run", "not run", "100 %"),
        ("2", "5", "4", "8", "2/1/2", "failed 1", "failed 1", "not run", "not run", "100 %"),
    ]
    assert table.records[1] == {
        "fold": "2", "train": 5, "train_speakers": 2, "train_sessions": None,
        "validation": 4, "validation_speakers": 1, "validation_sessions": None,
        "test": 8, "test_speakers": 2, "test_sessions": None,
    }  # fmt: skip
    assert facts(found)[3:] == [
        ("Corpus", "emodb"),
        ("Folds", "2"),
        ("Utterances", "16"),
        ("Speakers from", "emodb's file names"),
        ("Sentences from", "emodb's file names"),
        ("Audio from", "none"),
    ]


def test_long_findings_are_cut_in_print_and_whole_in_the_record(tmp_path: Path) -> None:
    lines = [f"u{i},{f},{p},s{i}" for f in range(40) for i in range(30) for p in ("train", "test")]
    source = _write(tmp_path / "f.csv", "\n".join(["utterance,fold,part,speaker", *lines]))
    found = run(source, tmp_path, corpus=None)
    assert len(of(found, "L1")[0].units) == 30
    printed = list(detail_lines(found))
    assert printed[1].endswith("(30): s0, s1, s2, s3, s4, s5, s6, s7 and 22 more")
    (note,) = finding_table(found).notes
    assert note.endswith("more findings are not shown; --json FILE has all.")


def test_every_key_of_the_json_is_documented(tmp_path: Path) -> None:
    text = DOCS.read_text(encoding="utf-8")
    found = run(write_csv(tmp_path, clean()), tmp_path)
    keys = {*found.facts, *found.tables[0].records[0], "share", "similarity", "offset_s"}
    assert [key for key in sorted(keys) if f"`{key}`" not in text] == []
    json.dumps(document(found))


@pytest.mark.real
def test_random_and_speaker_splits_of_the_real_emodb(emodb: Path, tmp_path: Path) -> None:
    names = sorted(path.stem for path in (emodb / "wav").glob("*.wav"))
    draw = random.Random(0)
    fold_of = {name: 1 + number % 5 for number, name in enumerate(draw.sample(names, len(names)))}
    random_split: Splits = {
        str(fold): {
            "train": [n for n in names if fold_of[n] != fold],
            "test": [n for n in names if fold_of[n] == fold],
        }
        for fold in range(1, 6)
    }
    found = run(write_emobox(tmp_path, random_split), tmp_path, data_dir=emodb)
    assert places(found) == {"L1": ["1", "2", "3", "4", "5"]}
    assert {len(each.units) for each in of(found, "L1")} == {10}
    assert found.checks("not run") == ()
    units = EmoDB(EmoDBParams()).card.fold_sets["paper"]
    lines = [f"{n},{i}" for n in names for i, unit in enumerate(units) if n[:2] in unit]
    source = _write(tmp_path / "good.csv", "\n".join(["utterance,fold", *lines]) + "\n")
    found = run(source, tmp_path, data_dir=emodb)
    assert found.verdict == "passed: no leak found (5 checks); note: L9"
    assert found.facts["audio_from"] == "535 files"


def test_a_louder_copy_is_found_by_the_real_search(tmp_path: Path) -> None:
    for part, name in (("train", "a"), ("train", "b"), ("test", "c"), ("test", "d")):
        path = _parent(tmp_path / "hf" / part / f"{name}.flac")
        soundfile.write(
            path, (2.0 if name == "d" else 1.0) * noise("a" if name == "d" else name, 2.0), 16_000
        )
    found = run(tmp_path / "hf", tmp_path, corpus=None)
    assert leaking(found) == {
        ("L5", "near-duplicates in train and test"): ["train/a.flac ~ test/d.flac"]
    }
