from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from serbench.checks.regress.ratios import latency_check, size_check
from serbench.checks.regress.records import Check, Verdict
from serbench.checks.regress.show import (
    COLUMNS,
    junit,
    junit_error,
    markdown,
    markdown_error,
    row,
    summary,
)

WORSE = Check(
    "a<b|c UA", "accuracy", 0.656, 0.612, -0.044, -0.061, -0.023, "−1.0 for sure", "FAILED",
    "a<b|c UA is \x00 surely worse & <so>",
)  # fmt: skip
VERDICT = Verdict(
    run=Path("runs/demo"),
    golden=Path("tests/golden.toml"),
    certificate="f" * 64,
    checks=(
        WORSE,
        latency_check("akd onnxruntime 3 s latency", [0.6] * 8, 1.0, 0.25),
        size_check("akd onnxruntime size", 1_010_000, 1_000_000, 0.02),
    ),
    notes=("setting that differs: x: 1 → 2 *really*",),
)

SUITE = {"name", "tests", "failures", "errors", "skipped", "time", "timestamp"}
"""Attributes that junit-10.xsd of Jenkins' xUnit plugin knows, and that are written."""


def test_rows_have_every_number() -> None:
    assert [row(check) for check in VERDICT.checks] == [
        ("a<b|c UA", "65.6 %", "61.2 %", "−4.4 [−6.1, −2.3]", "−1.0 for sure", "FAILED"),
        (
            "akd onnxruntime 3 s latency", "×1.000", "×0.600", "−40.0 % [−40.0 %, −40.0 %]",
            "+25.0 %", "better",
        ),
        ("akd onnxruntime size", "1.000 MB", "1.010 MB", "+1.0 %", "+2.0 %", "passed"),
    ]  # fmt: skip
    assert {len(row(check)) for check in VERDICT.checks} == {len(COLUMNS)}
    assert summary(VERDICT) == "FAILED: 1 of 3 checks"


def test_junit_is_a_test_case_for_each_check() -> None:
    root = ET.fromstring(junit(VERDICT))
    (suite,) = root.findall("testsuite")
    assert (root.tag, set(suite.attrib)) == ("testsuites", SUITE)
    assert [suite.get(key) for key in ("tests", "failures", "errors", "skipped")] == [*"3100"]
    held = {each.get("name"): each.get("value") for each in suite.findall("properties/property")}
    assert held["certificate"] == "f" * 64
    assert held["note 1"] == VERDICT.notes[0]
    cases = suite.findall("testcase")
    assert [set(case.attrib) for case in cases] == [{"classname", "name", "time"}] * 3
    assert [case.get("classname", "").rpartition(".")[2] for case in cases] == [
        "accuracy", "latency", "size"
    ]  # fmt: skip
    (failure,) = suite.findall("testcase/failure")
    assert set(failure.attrib) == {"message", "type"}
    assert failure.get("message") == "a<b|c UA is � surely worse & <so>"
    assert "Golden: 65.6 %" in (failure.text or "")
    assert len(suite.findall("testcase/system-out")) == 2
    # The order of junit-10.xsd: properties, then cases.
    assert [child.tag for child in suite] == ["properties", *["testcase"] * 3]


def test_junit_of_what_could_not_be_judged_is_an_error() -> None:
    root = ET.fromstring(junit_error("no\x0b golden file"))
    (suite,) = root.findall("testsuite")
    assert [suite.get(key) for key in ("tests", "failures", "errors", "skipped")] == [*"1010"]
    (error,) = suite.findall("testcase/error")
    assert error.get("message") == "no� golden file"


def test_markdown_is_a_table_that_no_cell_breaks() -> None:
    text = markdown(VERDICT)
    assert text.startswith("### serbench regress: FAILED\n")
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 2 + len(VERDICT.checks)
    assert {line.replace("\\|", "").count("|") for line in table} == {len(COLUMNS) + 1}
    assert "| a\\<b\\|c UA |" in table[2]
    assert "**FAILED**" in table[2]
    assert "\\*really\\*" in text
    assert "f" * 64 in text


@pytest.mark.parametrize("text", [markdown_error("a | b\nc"), markdown_error("no *file*")])
def test_markdown_of_what_could_not_be_judged(text: str) -> None:
    assert text.startswith("### serbench regress: not judged\n\n")
    assert len(text.splitlines()) == 3
