from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from serbench.api import SplitError
from serbench.checks.audit.readers import read_splits
from serbench.checks.audit.rows import AuditRow, SplitFile


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def parts(splits: SplitFile) -> dict[tuple[str, str], str]:
    return {(row.fold, row.utterance): row.part for row in splits.rows}


def fault(path: Path, format: str = "auto") -> str:  # noqa: A002
    with pytest.raises(SplitError) as error:
        read_splits(path, format)  # pyright: ignore[reportArgumentType]
    return str(error.value)


# CSV and TSV


def test_a_fold_without_part_is_the_fold_that_tests(tmp_path: Path) -> None:
    read = read_splits(write(tmp_path / "f.csv", "utterance,fold\na,1\nb,2\nc,2\n"))
    assert read.format == "csv"
    assert parts(read) == {
        ("1", "a"): "test", ("1", "b"): "train", ("1", "c"): "train",
        ("2", "a"): "train", ("2", "b"): "test", ("2", "c"): "test",
    }  # fmt: skip
    assert {row.where for row in read.rows if row.utterance == "c"} == {"f.csv:4"}


@pytest.mark.parametrize("column", ["part", "split", "Partition"])
def test_a_part_without_fold_is_one_fold(tmp_path: Path, column: str) -> None:
    text = f"id,{column}\na,train\nb,Validation\nc,dev\nd,val\ne,TEST\n"
    assert parts(read_splits(write(tmp_path / "f.csv", text))) == {
        ("1", "a"): "train", ("1", "b"): "validation", ("1", "c"): "validation",
        ("1", "d"): "validation", ("1", "e"): "test",
    }  # fmt: skip


@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_fold_and_part_with_all_columns(tmp_path: Path, separator: str) -> None:
    lines = [
        ["Key", "fold", "part", "speaker", "session", "text", "emotion", "wav"],
        ["a", "x", "train", "s1", "1", "hello", "sad", r"wav\a.wav"],
        ["b", "x", "test", "", "", "", "", ""],
    ]
    text = "\ufeff" + "\r\n".join(separator.join(line) for line in lines) + "\r\n"
    assert read_splits(write(tmp_path / "f.tsv", text)).rows == (
        AuditRow("a", "x", "train", "f.tsv:2", "s1", "1", "hello", "sad", "wav/a.wav"),
        AuditRow("b", "x", "test", "f.tsv:3"),
    )


def test_a_path_may_name_the_utterance(tmp_path: Path) -> None:
    row = read_splits(write(tmp_path / "f.csv", "path,split\nw/a.wav,train\nw/b.wav,test\n")).rows[
        0
    ]
    assert (row.utterance, row.path) == ("w/a.wav", "w/a.wav")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("utterance,fold\n", "no utterances, so there is nothing to audit"),
        ("name,fold\na,1\n", "no column utterance; its columns are name, fold. Needed are"),
        ("utterance,speaker\na,1\n", "no column fold or part; its columns are utterance, speaker"),
        ("utterance,part,split\na,train,test\n", "columns part and split all name a part"),
        ("utterance,fold,fold\na,1,1\n", "columns are named twice: fold"),
        ("utterance,fold\na,1\nb\n", "line 3 has 1 cells, but the first line has 2"),
        ("utterance,fold\na,1\n,2\n", "the column utterance is empty in f.csv:3"),
        ("utterance,fold\na,1\nb, \n", "the column fold is empty in f.csv:3"),
        ('utterance,fold\n"a,1\n', "line 2: unexpected end of data"),
        ("utterance,split\na,train\nb,holdout\n", "unknown parts: 'holdout' (f.csv:3)"),
        ("utterance,split\na,train\nb,val\n", "fold 1 has no test part; every fold needs"),
        ("utterance,fold,part\na,1,train\nb,1,test\nc,2,test\n", "fold 2 has no train part"),
        ("utterance,fold\na,1\nb,1\n", "one fold (1) and no column part"),
    ],
)
def test_a_wrong_table_is_told_in_one_message(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path / "f.csv", text)
    told = fault(path)
    assert str(path) in told
    assert message in told


def test_a_table_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_bytes(b"utterance,fold\n\xff\xfe,1\n")
    assert "not UTF-8 text" in fault(tmp_path / "f.csv")


# EmoBox


def emobox_rows(*names: str, **cells: object) -> str:
    rows = ({"key": f"emodb-{n}", "wav": f"downloads/emodb/wav/{n}.wav", **cells} for n in names)
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_emobox_folds(tmp_path: Path) -> None:
    for fold, test, train in (("1", "a", "b"), ("2", "b", "a")):
        folder = tmp_path / f"fold_{fold}"
        write(folder / f"emodb_test_fold_{fold}.jsonl", emobox_rows(test, emo="sad", length=1.5))
        write(folder / f"emodb_train_fold_{fold}.jsonl", emobox_rows(train, "c", emo="sad"))
        write(folder / f"emodb_valid_fold_{fold}.jsonl", emobox_rows("d", emo="sad"))
    write(tmp_path / "label_map.json", "{}")
    write(tmp_path / "emodb.jsonl", emobox_rows("z"))
    read = read_splits(tmp_path)
    assert (read.format, read.described) == ("emobox", "EmoBox fold files of emodb")
    assert Counter((row.fold, row.part) for row in read.rows) == {
        ("1", "test"): 1, ("1", "train"): 2, ("1", "validation"): 1,
        ("2", "test"): 1, ("2", "train"): 2, ("2", "validation"): 1,
    }  # fmt: skip
    row = next(row for row in read.rows if (row.fold, row.part) == ("2", "test"))
    assert (row.utterance, row.path) == ("emodb-b", "downloads/emodb/wav/b.wav")
    assert (row.label, row.where) == ("sad", "emodb_test_fold_2.jsonl:1")
    assert read.notes == ()
    assert len(read_splits(tmp_path / "fold_2").rows) == 4


def test_emobox_parts_under_several_names_are_read_once(tmp_path: Path) -> None:
    write(tmp_path / "fold_1" / "e_test_fold1.jsonl", '{"key": "old", "audio": "x.wav"}\n')
    write(tmp_path / "fold_1" / "e_test_fold_1.json", '{"older": {"wav": "x.wav"}}')
    write(tmp_path / "fold_1" / "e_test_fold_1.jsonl", emobox_rows("a"))
    write(tmp_path / "fold_1" / "e_train_fold_1.json", '{"t": {"wav": "t.wav", "emo": "sad"}}')
    read = read_splits(tmp_path)
    assert {row.utterance for row in read.rows} == {"emodb-a", "t"}
    (note,) = read.notes
    assert note.endswith("e_test_fold1.jsonl, e_test_fold_1.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"key": "a"}\n\n{"key": \n', "e_train_fold_1.jsonl: line 3 is not JSON"),
        ("[1]\n", "line 1 is not a JSON object: [1]"),
        ('{"emo": "sad"}\n', "e_train_fold_1.jsonl:1: neither key nor wav"),
    ],
)
def test_wrong_emobox_lines_are_told_with_their_number(
    tmp_path: Path, text: str, message: str
) -> None:
    write(tmp_path / "fold_1" / "e_test_fold_1.jsonl", emobox_rows("a"))
    write(tmp_path / "fold_1" / "e_train_fold_1.jsonl", text)
    assert message in fault(tmp_path)


@pytest.mark.parametrize("text", ["[]", '{"a": 1}', "{"])
def test_wrong_emobox_documents_are_told(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "e_train_fold_1.json", text)
    assert fault(tmp_path).startswith(f"{path}: ")


def test_emobox_folds_of_two_datasets_and_a_missing_part_are_told(tmp_path: Path) -> None:
    write(tmp_path / "fold_1" / "e_train_fold_1.jsonl", emobox_rows("a"))
    assert "fold 1 has no test part" in fault(tmp_path)
    write(tmp_path / "fold_1" / "f_test_fold_1.jsonl", emobox_rows("a"))
    assert "several datasets: e, f" in fault(tmp_path)


# s3prl


def session(*names: str) -> str:
    rows = [{"path": f"S/{n}.wav", "label": "neu", "speaker": n[:2]} for n in names]
    return json.dumps({"labels": {"neu": 0}, "meta_data": rows})


def test_s3prl_sessions(tmp_path: Path) -> None:
    for number in (10, 2):
        write(tmp_path / f"Session{number}" / "train_meta_data.json", session("s1x", "s1y"))
        write(tmp_path / f"Session{number}" / "test_meta_data.json", session("s2z"))
    read = read_splits(tmp_path)
    assert read.format == "s3prl"
    assert list(dict.fromkeys(row.fold for row in read.rows)) == ["Session2", "Session10"]
    row = read.rows[0]
    assert (row.utterance, row.path, row.speaker, row.label) == (
        "S/s2z.wav", "S/s2z.wav", "s2", "neu",
    )  # fmt: skip
    assert row.where == "Session2/test_meta_data.json, entry 1"
    assert {row.fold for row in read_splits(tmp_path / "Session2").rows} == {"1"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", 'no list "meta_data"'),
        ('{"meta_data": [{"path": "a"}, {}]}', "entry 2 of meta_data has no path"),
        ('{"meta_data": ["a"]}', "entry 1 of meta_data has no path: 'a'"),
    ],
)
def test_wrong_s3prl_files_are_told(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path / "Session1" / "train_meta_data.json", text)
    told = fault(tmp_path)
    assert told.startswith(str(path))
    assert message in told


# folders


def test_folders_of_audio_with_metadata(tmp_path: Path) -> None:
    for name in ("train/sad/a.wav", "train/b.FLAC", "dev/a.wav", "test/a.wav", "test/.x.wav"):
        write(tmp_path / name, "")
    write(tmp_path / "train" / "metadata.csv", "file_name,speaker_id\nsad/a.wav,s1\n")
    write(tmp_path / "dev" / "metadata.jsonl", '{"file_name": "a.wav", "speaker": 7}\n')
    write(tmp_path / "README.md", "")
    read = read_splits(tmp_path)
    assert read.format == "folder"
    assert {(r.utterance, r.part, r.speaker) for r in read.rows} == {
        ("train/sad/a.wav", "train", "s1"),
        ("train/b.FLAC", "train", None),
        ("dev/a.wav", "validation", "7"),
        ("test/a.wav", "test", None),
    }
    assert {r.path for r in read.rows if r.part == "test"} == {str(tmp_path / "test" / "a.wav")}


def test_metadata_that_do_not_fit_the_files_are_told(tmp_path: Path) -> None:
    write(tmp_path / "train" / "a.wav", "")
    write(tmp_path / "test" / "a.wav", "")
    metadata = write(tmp_path / "test" / "metadata.csv", "file_name,speaker\nb.wav,s1\n")
    assert "not found: b.wav (test/metadata.csv:2)" in fault(tmp_path)
    write(metadata, "name,speaker\na.wav,s1\n")
    assert "metadata.csv:2 has no file_name" in fault(tmp_path)


def test_folders_without_audio_are_told(tmp_path: Path) -> None:
    write(tmp_path / "train" / "a.txt", "")
    write(tmp_path / "test" / "a.txt", "")
    assert "no audio files" in fault(tmp_path)


# which format it is


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    assert "not found" in fault(tmp_path / "nowhere.csv")


@pytest.mark.parametrize("content", ["", "other.txt", "some/thing.jsonl"])
def test_a_format_that_cannot_be_told_lists_what_is_accepted(tmp_path: Path, content: str) -> None:
    if content:
        write(tmp_path / content, "")
    told = fault(tmp_path)
    assert f"it holds {content.partition('/')[0] or 'nothing'}" in told
    for name in ("csv", "emobox", "s3prl", "folder"):
        assert f"\n  {name} " in told


def test_a_table_of_another_name_needs_its_format(tmp_path: Path) -> None:
    path = write(tmp_path / "folds.txt", "utterance,fold\na,1\nb,2\n")
    assert "give --format csv" in fault(path)
    assert len(read_splits(path, "csv").rows) == 4


def test_two_formats_in_one_folder_need_to_be_told_apart(tmp_path: Path) -> None:
    write(tmp_path / "Session1" / "train_meta_data.json", session("s1x"))
    write(tmp_path / "Session1" / "test_meta_data.json", session("s2x"))
    write(tmp_path / "fold_1" / "e_train_fold_1.jsonl", emobox_rows("a"))
    assert "fits the formats emobox and s3prl; choose one with --format" in fault(tmp_path)
    assert read_splits(tmp_path, "s3prl").format == "s3prl"


@pytest.mark.parametrize(
    ("format", "message"),
    [
        ("csv", "is a folder, but csv needs another layout"),
        ("emobox", "no EmoBox fold files"),
        ("s3prl", "no session files"),
        ("folder", "no audio files in parts"),
    ],
)
def test_a_format_that_is_not_there_is_told(tmp_path: Path, format: str, message: str) -> None:  # noqa: A002
    assert message in fault(tmp_path, format)


def test_a_file_is_no_folder_format(tmp_path: Path) -> None:
    path = write(tmp_path / "f.csv", "utterance,fold\na,1\nb,2\n")
    assert "is a file, but emobox needs another layout" in fault(path, "emobox")


def test_a_fold_file_may_have_utterances_that_no_fold_tests(tmp_path: Path) -> None:
    path = tmp_path / "folds.csv"
    path.write_text("utterance,fold\na,train\nb,1\nc,2\n")
    found = {(row.fold, row.utterance): row.part for row in read_splits(path).rows}
    assert found == {
        ("1", "a"): "train", ("1", "b"): "test", ("1", "c"): "train",
        ("2", "a"): "train", ("2", "b"): "train", ("2", "c"): "test",
    }  # fmt: skip
