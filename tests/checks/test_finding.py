from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from serbench.api import SerbenchError, StoreError
from serbench.checks.finding import Finding, Findings, Unit, named
from serbench.checks.output import Outputs, document, junit, write_error, write_findings
from serbench.checks.show import detail_lines, finding_table, markdown_summary, text_lines
from serbench.errors import joined, numbered
from serbench.results.table.columns import text_table

DOCS = Path(__file__).parents[2] / "docs" / "findings.md"

LEAK = Finding(
    "L1",
    "failed",
    "speakers in train and test: a<b|c \x00 & <so>",
    "Keep each speaker in one part.",
    (Unit("08", "2 + 1", {"train": 2, "test": 1}), *named(f"s{n}" for n in range(12))),
    fold="1",
    seconds=0.125,
)
FOUND = Findings(
    command="audit",
    subject="folds.csv",
    found=(
        LEAK,
        replace(LEAK, fold="2"),
        Finding("L2", "passed", "7 utterances", fold="1"),
        Finding("L4", "not run", "no audio", fold="1"),
        Finding("L5", "not run", "no audio", fold="1"),
        Finding("L9", "note", "2 of 3 utterances", fold="1", numbers={"share": 2 / 3}),
        Finding("names", "warning", "names that nobody knows *really*", units=named("x")),
    ),
    if_passed="no leak found",
    if_failed="the splits leak",
    facts={"source": "folds.csv", "folds": 2, "corpus": None},
    about={"L1": "a speaker in two parts"},
    tables=(text_table("folds", "Folds", ("Fold", "Train"), [("1", "4")]),),
    remarks=("No fold has a validation part.",),
)
CLEAN = replace(FOUND, found=FOUND.found[2:])

SUITE = {"name", "tests", "failures", "errors", "skipped", "time", "timestamp"}
"""Attributes that junit-10.xsd of Jenkins' xUnit plugin knows, and that are written."""


def test_one_failed_check_is_exit_code_1_and_the_verdict_names_it() -> None:
    assert (FOUND.exit_code, CLEAN.exit_code) == (1, 0)
    assert FOUND.verdict == (
        "FAILED: the splits leak (1 of 4 checks: L1 in 2 folds); warning: names; note: L9; "
        "not run: L4, L5 (no audio)"
    )
    assert CLEAN.verdict.startswith("passed: no leak found (3 checks); warning: names")


def test_the_table_has_all_but_what_is_well_in_a_single_fold() -> None:
    rows = [[cell.text for cell in row[:2]] for row in finding_table(FOUND).rows]
    assert rows == [["L1, fold 1", "failed"], ["L1, fold 2", "failed"], ["names", "warning"]]


def test_details_say_why_what_to_do_and_which() -> None:
    lines = list(detail_lines(FOUND))
    assert lines[:2] == [
        "failed L1: a speaker in two parts", "  What to do: Keep each speaker in one part."
    ]  # fmt: skip
    assert lines[2].startswith("  fold 1, speakers in train and test")
    assert lines[2].endswith("(13): 08 (2 + 1), s0, s1, s2, s3, s4, s5, s6 and 5 more")
    assert lines[-3:] == ["warning names", "  Which (1): x", ""]


def test_a_long_list_of_findings_is_cut_in_print_and_whole_in_the_json() -> None:
    many = replace(FOUND, found=tuple(replace(LEAK, fold=str(n)) for n in range(40)))
    table = finding_table(many)
    assert len(table.rows) == 30
    assert table.notes == ("10 more findings are not shown; --json FILE has all.",)
    assert len(document(many)["findings"]) == 40  # pyright: ignore[reportArgumentType]


def test_without_tables_every_line_is_there() -> None:
    lines = text_lines(FOUND)
    assert lines[0] == f"serbench audit: folds.csv: {FOUND.verdict}"
    assert "warning: names: names that nobody knows *really*" in lines


def test_the_json_has_everything_and_the_docs_have_every_key() -> None:
    content = json.loads(json.dumps(document(FOUND)))
    assert content["schema_version"] == 2
    assert content["passed"] is False
    assert content["facts"] == {"source": "folds.csv", "folds": 2, "corpus": None}
    assert content["tables"] == {"folds": [{"Fold": "1", "Train": "4"}]}
    assert [each["outcome"] for each in content["findings"]] == [
        "failed", "failed", "passed", "not run", "not run", "note", "warning"
    ]  # fmt: skip
    assert content["findings"][0]["units"][0] == {
        "name": "08", "detail": "2 + 1", "numbers": {"train": 2, "test": 1}
    }  # fmt: skip
    text = DOCS.read_text(encoding="utf-8")
    keys = {*content, *content["findings"][0], *content["findings"][0]["units"][0], "error"}
    assert [key for key in sorted(keys) if f"`{key}`" not in text] == []


def test_junit_is_a_test_case_for_each_finding() -> None:
    root = ET.fromstring(junit(FOUND, 12.5))
    (suite,) = root.findall("testsuite")
    assert (root.tag, set(suite.attrib)) == ("testsuites", SUITE)
    assert [suite.get(key) for key in ("tests", "failures", "errors", "skipped")] == [*"7202"]
    held = {each.get("name"): each.get("value") for each in suite.findall("properties/property")}
    assert held["subject"] == "folds.csv"
    assert held["remark 1"] == FOUND.remarks[0]
    cases = suite.findall("testcase")
    assert [set(case.attrib) for case in cases] == [{"classname", "name", "time"}] * 7
    assert (suite.get("time"), cases[0].get("time"), cases[2].get("time")) == (
        "12.500", "0.125", "0.000"
    )  # fmt: skip
    assert {case.get("classname") for case in cases} == {"serbench.audit"}
    failure = suite.findall("testcase/failure")[0]
    assert set(failure.attrib) == {"message", "type"}
    assert failure.get("message") == "speakers in train and test: a<b|c � & <so>"
    assert "08 (2 + 1)" in (failure.text or "")
    assert len(suite.findall("testcase/system-out")) == 3
    assert len(suite.findall("testcase/skipped")) == 2
    # The order of junit-10.xsd: properties, then cases.
    assert [child.tag for child in suite] == ["properties", *["testcase"] * 7]


def test_markdown_is_tables_that_no_cell_breaks() -> None:
    text = markdown_summary(FOUND)
    assert text.startswith("### serbench audit: folds.csv: FAILED\n")
    rows = [line for line in text.splitlines() if line.startswith("| L1")]
    assert len(rows) == 2
    assert {line.replace("\\|", "").count("|") for line in rows} == {4}
    assert "a\\<b\\|c" in text
    assert "\\*really\\*" in text


def test_files_are_written_and_the_summary_of_a_job_is_added_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n", encoding="utf-8")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    outputs = Outputs(tmp_path / "a" / "f.json", tmp_path / "f.xml", tmp_path / "f.md")
    write_findings(FOUND, outputs)
    assert outputs.json is not None
    assert json.loads(outputs.json.read_text())["subject"] == "folds.csv"
    written = (tmp_path / "f.md").read_text()
    assert summary.read_text() == f"before\n{written}"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "gone" / "summary.md"))
    with pytest.raises(StoreError, match=r"which \$GITHUB_STEP_SUMMARY names"):
        write_findings(FOUND, Outputs())


def test_where_nothing_can_be_looked_at_every_file_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    outputs = Outputs(tmp_path / "f.json", tmp_path / "f.xml", tmp_path / "f.md")
    write_error("audit", SerbenchError("no\x0b *file*\nthere"), outputs)
    assert json.loads((tmp_path / "f.json").read_text()) == {
        "schema_version": 2, "command": "audit", "passed": False, "error": "no\x0b *file*\nthere"
    }  # fmt: skip
    (suite,) = ET.fromstring((tmp_path / "f.xml").read_bytes()).findall("testsuite")
    assert [suite.get(key) for key in ("tests", "failures", "errors", "skipped")] == [*"1010"]
    (error,) = suite.findall("testcase/error")
    assert error.get("message") == "no� *file*\nthere"
    text = (tmp_path / "f.md").read_text()
    assert text.startswith("### serbench audit: not run\n\n")
    assert "\\*file\\*" in text


def test_words() -> None:
    assert joined(["a", "b", "c"]) == "a, b and c"
    assert joined(["a"]) == "a"
    assert numbered(1, "class", "classes") == "1 class"
    assert numbered(2, "class", "classes") == "2 classes"
