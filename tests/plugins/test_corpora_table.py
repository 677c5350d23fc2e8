"""Corpora that a table describes, in every format."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests_support.howto import described_corpus
from tests_support.written_tables import Cells, write_table

from serbench.api import CorpusError, UtteranceRecord
from serbench.protocol.spelling import respelled
from serbench_corpora.table import Table, TableParams
from serbench_corpora.table_records import Template, checked

CARD = {
    "title": "Mine",
    "language": "none",
    "licence": "mine",
    "home": "https://example.org",
    "citation": "me",
    "elicitation": "acted",
    "layout": "rows.csv and WHO/N.wav",
}
MINE: dict[str, object] = {
    "table": "rows.csv",
    "audio": "{who}/{n}.wav",
    "speaker": "{who}",
    "label": "{emo}",
    "labels": {"ang": "anger", "hap": "happiness"},
    "drop": ["xxx"],
    "id": "{who}-{n}",
    "card": CARD,
}
ROWS_OF_MINE: list[Cells] = [
    {"who": "ann", "n": 1, "emo": "ang", "sex": "F", "words": "w1", "side": "tr", "loud": "hi"},
    {"who": "ann", "n": 2, "emo": "hap", "sex": "f", "words": "", "side": "te", "loud": ""},
    {"who": "bob", "n": 1, "emo": "xxx", "sex": "?", "words": "w1", "side": "", "loud": "lo"},
    {"who": "bob", "n": 2, "emo": "ang", "sex": "Male", "words": "w2", "side": "te", "loud": "lo"},
    {"who": "nn", "n": 7, "emo": "hap", "sex": "", "words": "w2", "side": "tr", "loud": "lo"},
]


def mine(**changes: object) -> Table:
    return Table(TableParams.model_validate(MINE | changes))


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
def test_every_format_says_the_same(ending: str, tmp_path: Path) -> None:
    rows = write_table(tmp_path / f"rows.{ending}", ROWS_OF_MINE)
    corpus = mine(
        table=rows.name,
        gender="{sex}",
        text="{words}",
        session="{folder}",
        intensity="{loud}",
        take="{stem}",
        unknown_speakers=["nn"],
        official={"column": "side", "values": {"tr": "train", "te": "test"}},
    )
    assert list(corpus.utterances(tmp_path)) == [
        UtteranceRecord(
            "ann-1", Path("ann/1.wav"), "ann", "anger", "ann", "w1", "female", "hi", "1", "train"
        ),
        UtteranceRecord(
            "ann-2", Path("ann/2.wav"), "ann", "happiness", "ann", None, "female", None, "2", "test"
        ),
        UtteranceRecord(
            "bob-2", Path("bob/2.wav"), "bob", "anger", "bob", "w2", "male", "lo", "2", "test"
        ),
    ]
    assert corpus.card.labels == ("anger", "happiness")


def test_rows_of_several_tables_are_one_corpus(tmp_path: Path) -> None:
    write_table(tmp_path / "a" / "one.csv", ROWS_OF_MINE[:2])
    write_table(tmp_path / "a" / "two.csv", ROWS_OF_MINE[2:4])
    write_table(tmp_path / "last.jsonl", ROWS_OF_MINE[4:])
    found = mine(table=["a/*.csv", "last.jsonl"]).utterances(tmp_path)
    assert [record.id for record in found] == ["ann-1", "ann-2", "bob-2", "nn-7"]
    with pytest.raises(CorpusError, match=r"x/\*.csv is missing; its tables are a/one.csv, a/two"):
        mine(table="x/*.csv").utterances(tmp_path)


def test_ids_that_one_table_has_as_numbers_and_another_as_floats(tmp_path: Path) -> None:
    """pandas reads a column of numbers with a gap in it as floats."""
    write_table(tmp_path / "one.csv", [{"who": 3, "n": 1, "emo": "ang"}])
    for ending in ("csv", "jsonl", "parquet"):
        rows: list[Cells] = [{"who": 3.0, "n": 2, "emo": "hap"}, {"who": 4.0, "n": 1, "emo": "ang"}]
        write_table(tmp_path / f"two.{ending}", rows)
        found = list(mine(table=["one.csv", f"two.{ending}"]).utterances(tmp_path))
        assert [record.speaker for record in found] == ["3", "3.0", "4.0"]
        assert [str(each) for each in respelled(found)] == ["'3' = '3.0'"]


def test_a_split_whose_values_are_folds(tmp_path: Path) -> None:
    write_table(tmp_path / "rows.csv", [row | {"fold": row["n"]} for row in ROWS_OF_MINE])
    found = mine(official={"column": "fold"}).utterances(tmp_path)
    assert [record.official for record in found] == ["1", "2", "2", "7"]


def test_rows_that_cannot_be_understood_are_told_by_line_and_count(tmp_path: Path) -> None:
    bad: list[Cells] = [
        ROWS_OF_MINE[0] | {"n": 11, "emo": "sad"},
        ROWS_OF_MINE[0] | {"n": 12, "emo": ""},
        ROWS_OF_MINE[0] | {"who": ""},
        ROWS_OF_MINE[0] | {"n": 13, "sex": "other"},
        ROWS_OF_MINE[0] | {"n": 14, "side": "dev"},
        ROWS_OF_MINE[0] | {"n": 15, "side": ""},
        ROWS_OF_MINE[0],
    ]
    write_table(tmp_path / "rows.csv", [*ROWS_OF_MINE, *bad])
    sides = {"column": "side", "values": {"tr": "train", "te": "test"}}
    with pytest.raises(CorpusError) as raised:
        mine(gender="{sex}", official=sides).utterances(tmp_path)
    text = str(raised.value)
    assert "is not Mine as expected (rows.csv and WHO/N.wav)" in text
    for told in (
        "rows with a label that is not one of ang, hap, xxx (1): rows.csv:7 sad;",
        "empty cells (3): rows.csv:8 emo, rows.csv:9 who, rows.csv:12 side",
        "rows with a gender that is not one of f, female, m, male (1): rows.csv:10 other",
        "rows with a split that is not one of te, tr (1): rows.csv:11 dev",
        "ids that an earlier row has (1): rows.csv:13 ann-1 (as rows.csv:2)",
    ):
        assert told in text, text


def test_rows_are_filtered_before_they_are_read(tmp_path: Path) -> None:
    write_table(tmp_path / "rows.csv", [*ROWS_OF_MINE, ROWS_OF_MINE[0] | {"n": 9, "emo": "sad"}])
    found = mine(where={"n": ["1", "2"], "who": ["ann"]}).utterances(tmp_path)
    assert [record.id for record in found] == ["ann-1", "ann-2"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"who,n\nann,1\n", r"rows.csv has no column emo; it has who, n$"),
        (b"", r"rows.csv has no column emo, n, who; it has none"),
        (b"who,n,emo\nann,1\n", r"rows.csv:2: 2 cells, but the table has 3 columns"),
        (b'who,n,emo\nann,1,"ang\n', r"rows.csv:2: unexpected end of data"),
        (b"who,n,emo,n\n", r"rows.csv has several columns n"),
        ("who,n,emo\nanné,1,ang\n".encode("latin-1"), r"rows.csv is not UTF-8"),
    ],
)
def test_a_damaged_table_is_told(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(content)
    with pytest.raises(CorpusError, match=message):
        mine().utterances(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.jsonl", '{"who": "a"\n', r"rows.jsonl:1: not valid JSON"),
        ("rows.jsonl", "\n[1]\n", r"rows.jsonl:2: must be a JSON object, not \[1\]"),
        ("rows.parquet", "PAR1", r"rows.parquet is not a readable Parquet file"),
        ("rows.xlsx", "PK", r"rows.xlsx is not a readable table; use .csv, .tsv, .jsonl"),
    ],
)
def test_other_damaged_tables_are_told(
    name: str, content: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(CorpusError, match=message):
        mine(table=name).utterances(tmp_path)


def test_a_line_break_within_a_cell_does_not_shift_what_is_told(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text('who,n,emo\n"a\nnn",1,ang\n\nbob,1,sad\n')
    with pytest.raises(CorpusError, match=r"rows.csv:5 sad"):
        mine().utterances(tmp_path)


def test_numbers_that_a_parquet_file_holds_and_cells_that_are_no_text(tmp_path: Path) -> None:
    rows = [{"who": 3, "n": True, "emo": "ang", "x": [1]}, {"who": 8, "n": False, "emo": "ang"}]
    write_table(tmp_path / "rows.parquet", rows)
    found = list(mine(table="rows.parquet").utterances(tmp_path))
    assert [(r.speaker, r.id) for r in found] == [("3", "3-True"), ("8", "8-False")]
    found = list(mine(table="rows.parquet", text="{x}").utterances(tmp_path))
    assert [record.text for record in found] == ["<list>", None]


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"rows.csv is missing; it contains nothing"):
        mine().utterances(tmp_path)
    (tmp_path / "ann").mkdir()
    with pytest.raises(CorpusError, match=r"rows.csv is missing; it contains ann"):
        mine().utterances(tmp_path)


def test_a_folder_with_two_copies_is_ambiguous(tmp_path: Path) -> None:
    for copy in ("v1", "v2"):
        write_table(tmp_path / copy / "rows.csv", ROWS_OF_MINE)
    with pytest.raises(CorpusError, match="several folders: v1, v2; give one"):
        mine().utterances(tmp_path)
    assert len(list(mine().utterances(tmp_path / "v2"))) == 4


def test_paths_as_windows_writes_them(tmp_path: Path) -> None:
    write_table(tmp_path / "rows.csv", [{"p": r"ann\one.wav", "emo": "ang"}])
    corpus = mine(audio="{p}", pattern=r"(?P<who>\w+)/\w+\.wav", id="{stem}")
    (record,) = corpus.utterances(tmp_path)
    assert (record.path, record.speaker, record.id) == (Path("ann/one.wav"), "ann", "one")


def test_a_pattern_must_fit_every_path(tmp_path: Path) -> None:
    write_table(tmp_path / "rows.csv", ROWS_OF_MINE)
    with pytest.raises(CorpusError, match=r"do not match the pattern \(1\): rows.csv:6 nn/7.wav"):
        mine(pattern=r"[a-z]{3}/\d\.wav").utterances(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pattern": "("}, "is not a valid regular expression"),
        ({"audio": "{who/{n}.wav"}, "a brace does not belong to a"),
        ({"drop": ["ang"]}, "ang is in both labels and drop"),
        (
            {"table": "/data/rows.csv"},
            "inside the corpus folder, not /data/rows.csv",
        ),
        ({"table": ["rows.csv", "../rows.csv"]}, "must be a path inside the corpus folder"),
        ({"table": []}, "names no table"),
        ({"genders": {"x": "woman"}}, "genders"),
        ({"official": {"values": {}}}, "official.column"),
    ],
)
def test_a_wrong_description_is_told(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TableParams.model_validate(MINE | change)


@given(st.dictionaries(st.from_regex(r"[^{}]+", fullmatch=True), st.text(), min_size=1))
def test_a_template_of_all_columns_holds_all_cells(cells: dict[str, str]) -> None:
    template = Template(checked("|".join(f"{{{name}}}" for name in cells)))
    assert template.fields == set(cells)
    assert template.fill(cells) == "|".join(cells.values())
    assert template.empty(cells) == sorted(name for name, cell in cells.items() if not cell)


def test_the_how_to_describes_a_table_that_loads(tmp_path: Path) -> None:
    corpus = described_corpus("howto-corpus.md", "listed", tmp_path)
    assert isinstance(corpus, Table)
    (tmp_path / "listed" / "meta").mkdir(parents=True)
    (tmp_path / "listed" / "meta" / "labels.csv").write_text(
        "file,who,emotion,sex,sentence,part\n"
        "a_01.wav,ann,anger,female,s1,train\n"
        "b_01.wav,bob,joy,male,s1,test\n"
        "b_02.wav,bob,unclear,male,s2,test\n"
        "c_01.wav,?,joy,,s2,train\n"
    )
    found = [
        (r.id, r.path.as_posix(), r.speaker, r.label, r.text, r.gender, r.official)
        for r in corpus.utterances(tmp_path / "listed")
    ]
    assert found == [
        ("a_01", "audio/a_01.wav", "ann", "anger", "s1", "female", "train"),
        ("b_01", "audio/b_01.wav", "bob", "happiness", "s1", "male", "test"),
    ]
