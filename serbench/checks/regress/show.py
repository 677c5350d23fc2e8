"""A verdict in rows, in Markdown and as JUnit XML."""

from __future__ import annotations

import re
import time
from pathlib import Path
from xml.etree import ElementTree as ET

from serbench.checks.regress.accuracy import points
from serbench.checks.regress.ratios import percent
from serbench.checks.regress.records import Check, Verdict

COLUMNS = ("What", "Golden", "Now", "Difference [95 %]", "Allowed", "Outcome")

SUITE = "serbench regress"

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 has no way to hold."""


def title(verdict: Verdict) -> str:
    """Which run was held against what."""
    return f"{verdict.run.resolve().name} held against {verdict.golden.name}"


def summary(verdict: Verdict) -> str:
    """One line: whether it passed."""
    count, failed = len(verdict.checks), len(verdict.failures)
    if failed:
        return f"FAILED: {failed} of {count} checks"
    better = sum(check.outcome == "better" for check in verdict.checks)
    hint = f"; {better} better than the golden file: consider --update" if better else ""
    return f"passed: {count} checks{hint}"


def row(check: Check) -> tuple[str, ...]:
    """The cells of a check, under ``COLUMNS``."""
    return (
        check.what,
        _value(check, check.golden),
        "–" if check.now is None else _value(check, check.now),
        _difference(check),
        check.allowed,
        check.outcome,
    )


def _value(check: Check, value: float) -> str:
    match check.kind:
        case "accuracy":
            return f"{100 * value:.1f} %"
        case "latency":
            return f"×{value:.3f}"
        case "size":
            return f"{value / 1e6:.3f} MB"


def _difference(check: Check) -> str:
    if check.difference is None:
        return "–"
    shown = points if check.kind == "accuracy" else percent
    if check.low is None or check.high is None:
        return shown(check.difference)
    return f"{shown(check.difference)} [{shown(check.low)}, {shown(check.high)}]"


def legend(verdict: Verdict) -> tuple[str, ...]:
    """What the columns mean, for the kinds of checks that are there."""
    kinds = {check.kind for check in verdict.checks}
    lines = [
        "Accuracy: UA and WA; differences in percentage points, their 95 % interval paired over "
        "the same draws of speakers. Fails where all of it is below the first number allowed, or "
        "the difference below the second."
    ]
    if "latency" in kinds:
        lines.append(
            "Latency: ratio of a quick call (10th percentile) to one of a reference that was "
            "measured in turns with it, median over rounds; its bounds are each 95 % sure. Fails "
            "where the lower one is above what is allowed. Size: of the converted files."
        )
    return tuple(lines)


def markdown(verdict: Verdict) -> str:
    """A summary in GitHub-flavoured Markdown."""
    state = "passed" if verdict.passed else "FAILED"
    lines = [f"### {SUITE}: {state}", "", f"{_escape(title(verdict))}: {summary(verdict)}.", ""]
    lines += [f"- **{_escape(check.message)}**" for check in verdict.failures]
    lines += [""] if verdict.failures else []
    lines += [_line(COLUMNS), _line([":--", *["--:"] * 4, ":--"])]
    for check in verdict.checks:
        cells = [_escape(cell) for cell in row(check)]
        cells[-1] = f"**{cells[-1]}**" if check.outcome != "passed" else cells[-1]
        lines.append(_line(cells))
    lines += ["", *(f"{line}\n" for line in legend(verdict))]
    if verdict.notes:
        lines += ["Not judged:", "", *(f"- {_escape(note)}" for note in verdict.notes), ""]
    lines.append(f"Certificate of the run: `{verdict.certificate}`")
    return "\n".join(lines) + "\n"


def markdown_error(message: str) -> str:
    """A summary where nothing could be judged."""
    return f"### {SUITE}: not judged\n\n{_escape(message)}\n"


def _line(cells: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escape(text: str) -> str:
    """Text that Markdown and HTML leave as it is, on one line."""
    return re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", " ".join(text.split()))


def junit(verdict: Verdict) -> bytes:
    """JUnit XML as ``junit-10.xsd`` of Jenkins' xUnit plugin has it: a test case for each check."""
    suite = _suite(len(verdict.checks), failures=len(verdict.failures))
    properties = ET.SubElement(suite, "properties")
    for name, value in (
        ("run", verdict.run.resolve().name),
        ("golden", verdict.golden.name),
        ("certificate", verdict.certificate),
        *((f"note {number}", note) for number, note in enumerate(verdict.notes, start=1)),
    ):
        ET.SubElement(properties, "property", {"name": name, "value": _xml(value)})
    for check in verdict.checks:
        case = _case(suite, check.kind, check.what)
        if check.outcome == "FAILED":
            said = {"message": _xml(check.message), "type": "regression"}
            ET.SubElement(case, "failure", said).text = _numbers(check)
        else:
            ET.SubElement(case, "system-out").text = f"{_xml(check.message)}\n{_numbers(check)}"
    return _document(suite)


def junit_error(message: str) -> bytes:
    """The same where nothing could be judged: one test case, with an error."""
    suite = _suite(1, errors=1)
    case = _case(suite, "gate", "the run can be held against the golden file")
    ET.SubElement(case, "error", {"message": _xml(message), "type": "input"}).text = _xml(message)
    return _document(suite)


def _suite(tests: int, failures: int = 0, errors: int = 0) -> ET.Element:
    counts = {"tests": tests, "failures": failures, "errors": errors, "skipped": 0}
    return ET.Element(
        "testsuite",
        {
            "name": SUITE,
            **{key: str(count) for key, count in counts.items()},
            "time": "0",
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()),
        },
    )


def _case(suite: ET.Element, kind: str, name: str) -> ET.Element:
    place = {"classname": f"serbench.checks.regress.{kind}", "name": _xml(name), "time": "0"}
    return ET.SubElement(suite, "testcase", place)


def _numbers(check: Check) -> str:
    cells = zip(COLUMNS, row(check), strict=True)
    return _xml("\n".join(f"{column}: {cell}" for column, cell in cells))


def _xml(text: str) -> str:
    return NOT_XML.sub("�", text)


def _document(suite: ET.Element) -> bytes:
    suites = ET.Element("testsuites", {"name": SUITE})
    suites.append(suite)
    ET.indent(suites)
    return ET.tostring(suites, encoding="utf-8", xml_declaration=True) + b"\n"


def append_text(path: Path, text: str) -> None:
    """Add to a file that others write too, such as ``$GITHUB_STEP_SUMMARY``.

    Raises:
        OSError: it cannot be written.
    """
    with path.open("a", encoding="utf-8") as stream:
        stream.write(text)
