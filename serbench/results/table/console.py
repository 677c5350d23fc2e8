"""Tables for a terminal of 80 columns or more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.markup import escape, render
from rich.table import Table as RichTable

from serbench.files.digests import shown_digest
from serbench.results.table.formats import NOTHING, Tone
from serbench.results.table.table import Cell, ColumnHead, Table

COLOURS: dict[Tone, str] = {"": "dim", "better": "green", "worse": "red", "unclear": "yellow"}


FEW = 7
"""Up to this number of columns, numbers fit without being broken over lines."""

UNBROKEN, BROKEN = 18, 24
"""Widest column of numbers whose lines are not broken, and the longest line of others."""


def console_table(table: Table, alarm: str = "") -> RichTable:
    """The table for rich; details and some columns are shown below others, so that it is narrow.

    Args:
        table: the table.
        alarm: text in red above its title, such as that the numbers are wrong on purpose.
    """
    title = escape(table.caption.removeprefix(f"{alarm}. " if alarm else ""))
    lines = [escape(" ".join(table.notes))] if table.notes else []
    lines += [f"[not dim yellow]{escape(line)}[/]" for line in table.warnings]
    if table.certificates:
        lines.append(f"Certificate {', '.join(map(shown_digest, table.certificates))}.")
    made = RichTable(
        title=f"[bold red]{escape(alarm)}[/]\n{title}" if alarm else title,
        caption="\n".join(lines) or None,
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        leading=1,
        title_style="bold",
        caption_style="dim",
        caption_justify="left",
    )
    rows = [[list(_texts(table.heads, row)) for row in part.rows] for part in table.sections]
    columns = [head for head in table.heads if head.console == "column"]
    for place, head in enumerate(columns):
        texts = (row[place] for part in rows for row in part)
        longest = max(
            (len(line) for t in texts for line in render(t).plain.splitlines()), default=0
        )
        short = head.right and longest <= UNBROKEN
        made.add_column(
            escape(head.short or head.title),
            justify="right" if head.right else "left",
            overflow="fold",
            no_wrap=short and len(columns) <= FEW,
            max_width=None if short or not head.right else BROKEN,
        )
    for part, texts in zip(table.sections, rows, strict=True):
        made.add_section()
        for row in texts:
            if part.heading:
                row[0] += f"\n[dim]{escape(part.heading.partition(',')[0])}[/]"
            made.add_row(*row)
    return made


def _texts(heads: Sequence[ColumnHead], row: Sequence[Cell]) -> Iterator[str]:
    """The text of each column, with the columns that are shown below it."""
    columns: list[tuple[ColumnHead, Cell, list[str]]] = []
    for head, cell in zip(heads, row, strict=True):
        if head.console == "column":
            columns.append((head, cell, []))
        elif head.console in ("below", "whole") and cell.text not in ("", NOTHING):
            text = f"{head.short} {cell.text}".lstrip()
            columns[-1][2].append(f"[{COLOURS[cell.tone]}]{escape(text)}[/]")
            if head.console == "whole" and cell.detail:
                columns[-1][2].append(f"[dim]{escape(_narrow(cell.detail))}[/]")
    for place, (head, cell, below) in enumerate(columns):
        lines = [_first(cell, bold=place == 0)]
        lines += [f"[dim]{escape(_narrow(cell.detail))}[/]"] if cell.detail else []
        lines += below if head.right else [", ".join(below)] if below else []
        yield "\n".join(lines)


def _narrow(detail: str) -> str:
    """An interval without its brackets: ``68.1–77.2``, ``−0.3 to +2.7``."""
    low, comma, high = detail.removeprefix("[").removesuffix("]").partition(", ")
    return f"{low}{' to ' if low[:1] in '+−' else '–'}{high}" if comma else detail


def _first(cell: Cell, *, bold: bool) -> str:
    style = "bold" if bold else COLOURS[cell.tone] if cell.tone else ""
    return f"[{style}]{escape(cell.text)}[/]" if style and cell.text else escape(cell.text)
