"""Findings in files: JSON, JUnit XML, and the job summary of GitHub Actions."""

from __future__ import annotations

import os
import re
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

from serbench.api import SerbenchError, StoreError
from serbench.checks.finding import Finding, Findings, Unit
from serbench.checks.show import markdown_error, markdown_summary
from serbench.errors import visible
from serbench.files.atomic import json_bytes, write_atomically, write_text
from serbench.results.table.table import Table

SCHEMA_VERSION = 2
"""Version of the JSON. Version 1 was for ``audit`` alone, with findings below each fold."""

STDOUT = Path("-")

STEP_SUMMARY = "GITHUB_STEP_SUMMARY"
"""The variable in which GitHub Actions names a file for a step's Markdown."""

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot contain."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """Files that a command writes its findings to; None: not requested.

    Attributes:
        json: ``-`` is standard output.
        started: ``time.perf_counter()`` at the command's start.
    """

    json: Path | None = None
    junit: Path | None = None
    markdown: Path | None = None
    started: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        """Seconds since the command began."""
        return time.perf_counter() - self.started


def write_findings(found: Findings, outputs: Outputs) -> None:
    """Write the requested files, and add to GitHub's summary if there is one.

    Raises:
        StoreError: a file cannot be written.
    """
    _write(outputs, document(found), junit(found, outputs.seconds), markdown_summary(found))


def write_error(command: str, error: SerbenchError, outputs: Outputs) -> None:
    """Write the same files if nothing could be checked, so that no older file is mistaken for a
    result.

    Raises:
        StoreError: a file cannot be written.
    """
    said = str(error)
    content = {
        "schema_version": SCHEMA_VERSION, "command": command, "passed": False, "error": said
    }  # fmt: skip
    xml = junit_error(command, said, outputs.seconds)
    _write(outputs, content, xml, markdown_error(command, said))


def _write(outputs: Outputs, content: dict[str, object], xml: bytes, text: str) -> None:
    if outputs.json == STDOUT:
        sys.stdout.write(json_bytes(content, "the findings").decode())
    elif outputs.json:
        write_atomically(outputs.json, json_bytes(content, "the findings"))
    if outputs.junit:
        write_atomically(outputs.junit, xml)
    if outputs.markdown:
        write_text(outputs.markdown, text)
    named = os.environ.get(STEP_SUMMARY)
    if named:
        try:
            with Path(named).open("a", encoding="utf-8") as stream:  # other steps write it too
                stream.write(visible(text))
        except OSError as error:
            raise StoreError(
                f"cannot add to {named}, which ${STEP_SUMMARY} names: {error.strerror or error}"
            ) from error


def document(found: Findings) -> dict[str, object]:
    """The JSON; see ``docs/findings.md`` for every key."""
    return {
        "schema_version": SCHEMA_VERSION,
        "command": found.command,
        "subject": found.subject,
        "passed": found.passed,
        "verdict": found.verdict,
        "facts": dict(found.facts),
        "tables": {table.name: _rows(table) for table in found.tables},
        "about": dict(found.about),
        "findings": [_finding(each) for each in found.found],
        "remarks": list(found.remarks),
    }


def _finding(each: Finding) -> dict[str, object]:
    return {
        "check": each.check,
        "fold": each.fold,
        "outcome": each.outcome,
        "message": each.message,
        "units": [_unit(unit) for unit in each.units],
        "remedy": each.remedy,
        "numbers": dict(each.numbers),
        "tables": {table.name: _rows(table) for table in each.tables},
        "seconds": round(each.seconds, 6),
    }


def _unit(unit: Unit) -> dict[str, object]:
    return {"name": unit.name, "detail": unit.detail, "numbers": dict(unit.numbers)}


def _rows(table: Table) -> list[dict[str, object]]:
    """The table's numbers, or else its cells."""
    cells = (
        {title: cell.whole for title, cell in zip(table.columns, row, strict=True)}
        for row in table.rows
    )
    return [dict(record) for record in table.records or cells]


def junit(found: Findings, seconds: float) -> bytes:
    """JUnit XML as in ``junit-10.xsd`` of Jenkins' xUnit plugin: a test case per finding.

    Args:
        found: findings, each with its own time.
        seconds: wall time of the whole command, including reading the corpus.
    """
    failed, skipped = len(found.of("failed")), len(found.of("not run"))
    suite = _suite(found.command, seconds, len(found.found), failures=failed, skipped=skipped)
    properties = ET.SubElement(suite, "properties")
    remarks = ((f"remark {n}", remark) for n, remark in enumerate(found.remarks, start=1))
    for name, value in (("subject", found.subject), *found.facts.items(), *remarks):
        ET.SubElement(properties, "property", {"name": name, "value": _xml(str(value))})
    for each in found.found:
        case = _case(suite, found.command, each.place, each.seconds)
        more = _xml("\n".join(filter(None, (each.remedy, *map(str, each.units)))))
        said = {"message": _xml(each.message)}
        if each.outcome == "failed":
            ET.SubElement(case, "failure", {**said, "type": each.check}).text = more
        elif each.outcome == "not run":
            ET.SubElement(case, "skipped", said)
        else:
            text = f"{each.outcome}: {_xml(each.message)}\n{more}".strip()
            ET.SubElement(case, "system-out").text = text
    return _xml_document(suite)


def junit_error(command: str, message: str, seconds: float) -> bytes:
    """JUnit XML if nothing could be checked: one test case, with an error."""
    suite = _suite(command, seconds, 1, errors=1)
    case = _case(suite, command, "the check could run", seconds)
    ET.SubElement(case, "error", {"message": _xml(message), "type": "input"}).text = _xml(message)
    return _xml_document(suite)


def _suite(
    command: str,
    seconds: float,
    tests: int,
    failures: int = 0,
    errors: int = 0,
    skipped: int = 0,
) -> ET.Element:
    counts = {"tests": tests, "failures": failures, "errors": errors, "skipped": skipped}
    return ET.Element(
        "testsuite",
        {
            "name": f"serbench {command}",
            **{key: str(count) for key, count in counts.items()},
            "time": f"{seconds:.3f}",
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()),
        },
    )


def _case(suite: ET.Element, command: str, name: str, seconds: float) -> ET.Element:
    place = {"classname": f"serbench.{command.replace(' ', '-')}", "name": _xml(name)}
    return ET.SubElement(suite, "testcase", {**place, "time": f"{seconds:.3f}"})


def _xml(text: str) -> str:
    return NOT_XML.sub("�", text)


def _xml_document(suite: ET.Element) -> bytes:
    suites = ET.Element("testsuites", {"name": suite.get("name", "")})
    suites.append(suite)
    ET.indent(suites)
    return ET.tostring(suites, encoding="utf-8", xml_declaration=True) + b"\n"
