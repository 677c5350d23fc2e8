"""Tables as Markdown, CSV, LaTeX and HTML."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from serbench.files.digests import shown_digest
from serbench.results.table.table import Cell, Number, Table
from serbench.results.templating import escape_markdown, templates
from serbench_runtime.cli.disarm import plain_cell

if TYPE_CHECKING:
    import pandas as pd

COLUMN, PAGE = 60, 110
"""Number of characters in a row of a LaTeX table that fit a column of a paper, and its page; a
wider table is scaled to the page.
"""

SMALL = 0.8
"""Width of a character of a detail, which is in smaller print, relative to others."""


def markdown(table: Table, certificates: str = "") -> str:
    """The table as GitHub-flavoured Markdown.

    Args:
        table: the table.
        certificates: Markdown that is shown instead of the digests, such as links.
    """
    md = escape_markdown
    lines = [
        f"**{md(table.caption)}**",
        "",
        f"| {' | '.join(map(md, table.columns))} |",
        f"|{'|'.join(' ---: ' if head.right else ' :--- ' for head in table.heads)}|",
    ]
    for part in table.sections:
        if part.heading:
            lines.append(f"| *{md(part.heading)}* |{' |' * (len(table.heads) - 1)}")
        lines += [f"| {' | '.join(md(cell.whole) for cell in row)} |" for row in part.rows]
    below = [f"{md(line)}  " for line in (*table.notes, *table.warnings)]
    if vouched := certificates or " ".join(f"`{each}`" for each in _joined(table)):
        below.append(f"Certificate: {vouched}")
    return "\n".join([*lines, *(["", *below] if below else []), ""])


def _joined(table: Table) -> tuple[str, ...]:
    """The digests in one line, if there are any."""
    return (", ".join(table.certificates),) if table.certificates else ()


def latex(table: Table) -> str:
    """The table for LaTeX with booktabs: in a column if it fits, else over the whole page. If it
    must be scaled, it needs graphicx.
    """
    widths = [
        max(len(head.title), *(_width(row[place]) for row in table.rows))
        for place, head in enumerate(table.heads)
    ]
    template = templates().get_template("table.tex.j2")
    width = sum(widths) + len(widths)
    return template.render(
        table=table,
        certificates=", ".join(table.certificates),
        shown=", ".join(map(shown_digest, table.certificates)),
        environment="table" if width <= COLUMN else "table*",
        scaled=width > PAGE,
    )


def _width(cell: Cell) -> float:
    return len(cell.text) + SMALL * len(cell.detail)


def html(table: Table) -> Markup:
    """The table as a ``<figure>``, everything escaped, with the digests under it."""
    template = templates().get_template("table.html.j2")
    return Markup(template.render(table=table))  # noqa: S704 - the template escapes


def html_document(tables: Sequence[Table]) -> str:
    """Tables as a separate page, to open or to copy from, with the title of the first."""
    title = escape(tables[0].caption)
    head = f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{title}</title>\n'
    return head + "\n".join(map(html, tables))


def csv_text(table: Table) -> str:
    """The records as CSV with a header and all digits of numbers; the digests are in each row."""
    buffer = io.StringIO()
    records = table.records
    if table.certificates:
        records = [row | {"certificate": ", ".join(table.certificates)} for row in records]
    names = list(dict.fromkeys(name for row in records for name in row))
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(map(plain_cell, names))
    writer.writerows([_field(row.get(name, "")) for name in names] for row in records)
    return buffer.getvalue()


def _field(value: Number) -> Number:
    """A field: empty for a missing number; text is changed so that no spreadsheet computes it."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return plain_cell(value) if isinstance(value, str) else value


def rows_csv(rows: pd.DataFrame) -> str:
    """A table of names and numbers as CSV, for people to open; see ``plain_cell``."""
    from pandas.api.types import is_numeric_dtype

    plain = rows.rename(columns=lambda name: plain_cell(str(name)))
    for name, column in plain.items():
        if not is_numeric_dtype(column.dtype):
            plain[name] = [plain_cell(each) if isinstance(each, str) else each for each in column]
    return plain.to_csv(index=False, lineterminator="\n", float_format="%.6f")


def table_texts(tables: Table | Sequence[Table]) -> dict[str, str]:
    """The text of each file by its suffix; the CSV is that of the first table."""
    held = (tables,) if isinstance(tables, Table) else tuple(tables)
    return {
        ".md": "\n".join(map(markdown, held)),
        ".csv": csv_text(held[0]),
        ".tex": "\n".join(map(latex, held)),
        ".html": html_document(held),
    }
