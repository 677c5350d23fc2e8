"""Findings as lines of text and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from serbench.checks.finding import OUTCOMES, Finding, Findings
from serbench.errors import listed
from serbench.results.table.columns import Column, make_table
from serbench.results.table.files import escape_markdown, markdown
from serbench.results.table.formats import Format, Tone
from serbench.results.table.table import Table

TONES: dict[str, Tone] = {
    "passed": "better", "note": "", "warning": "unclear", "failed": "worse", "not run": ""
}  # fmt: skip

OUTCOME: Format[str] = Format(str, right=False, tone=TONES.__getitem__)
"""Name of each outcome in a table."""

SHOWN = 30
"""Number of printed findings; the JSON has all."""


def told(found: Findings) -> list[Finding]:
    """Findings to print: for a single fold only failures, because the JSON has all."""
    return [each for each in found.found if not each.fold or each.outcome in {"failed", "warning"}]


def finding_table(found: Findings) -> Table:
    """Check, outcome and message."""
    every = told(found)
    columns: list[Column[Finding]] = [
        Column("Check", lambda each: each.place),
        Column("Outcome", lambda each: each.outcome, OUTCOME),
        Column("Finding", lambda each: each.message),
    ]
    rest = len(every) - SHOWN
    notes = [f"{rest} more findings are not shown; --json FILE has all."] if rest > 0 else []
    return make_table("findings", found.title, columns, every[:SHOWN], notes=notes)


def facts(found: Findings) -> list[tuple[str, str]]:
    """Facts about the subject, such as ``Speakers from`` and ``the split file``."""
    return [
        (name.replace("_", " ").capitalize(), str(value))
        for name, value in found.facts.items()
        if value is not None
    ]


def detail_lines(found: Findings) -> Iterator[str]:
    """For each check with details: its reason, what to do, and its first units."""
    every = [each for each in told(found)[:SHOWN] if each.remedy or each.units]
    for check in dict.fromkeys(each.check for each in every):
        group = [each for each in every if each.check == check]
        worst = min((each.outcome for each in group), key=OUTCOMES.index)
        about = found.about.get(check, "")
        yield f"{worst} {check}: {about}" if about else f"{worst} {check}"
        for remedy in dict.fromkeys(each.remedy for each in group if each.remedy):
            yield f"  What to do: {remedy}"
        for each in group:
            if each.units:
                fold = f"fold {each.fold}, " if each.fold else ""
                what = f"{fold}{each.message}" if len(group) > 1 or each.fold else "Which"
                yield f"  {what} ({len(each.units)}): {listed(map(str, each.units))}"
        yield ""


def text_lines(found: Findings) -> list[str]:
    """Everything without tables, for places where tables cannot be drawn."""
    rows = [f"{each.outcome}: {each.place}: {each.message}" for each in told(found)]
    return [f"{found.title}: {found.verdict}", *rows, *detail_lines(found), *found.remarks]


def markdown_summary(found: Findings) -> str:
    """A summary in GitHub-flavoured Markdown."""
    state = "passed" if found.passed else "FAILED"
    parts = [f"### {escape_markdown(found.title)}: {state}", f"{escape_markdown(found.verdict)}."]
    parts += [
        "\n".join(
            f"- **{escape_markdown(each.place)}**: {escape_markdown(each.message)}"
            for each in found.of("failed")[:SHOWN]
        )
    ]
    parts += [markdown(table).strip() for table in (*found.tables, finding_table(found))]
    lines = [*detail_lines(found), *found.remarks]
    lines += [f"{name}: {value}" for name, value in facts(found)]
    parts.append("\n".join(map(_item, filter(None, lines))))
    return "\n\n".join(filter(None, parts)) + "\n"


def _item(line: str) -> str:
    """An item of a list, indented like the line."""
    text = line.lstrip()
    return f"{line[: -len(text)]}- {escape_markdown(text)}"


def markdown_error(command: str, message: str) -> str:
    """The summary if nothing could be checked."""
    return f"### serbench {command}: not run\n\n{escape_markdown(message)}\n"
