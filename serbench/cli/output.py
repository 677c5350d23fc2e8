"""Tables for people at a terminal, and plain columns for everything else."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a rich table on a terminal; elsewhere aligned columns, one line per row, nothing
    cut.
    """
    if sys.stdout.isatty():
        _print_rich(title, columns, rows)
    else:
        _print_plain(title, columns, rows)


def _print_rich(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from serbench.cli.console import stdout

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for i, column in enumerate(columns):
        table.add_column(column, overflow="fold", style="bold" if i == 0 else "", no_wrap=i == 0)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    stdout().print(table)


def _print_plain(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    # The capital γ or β would be another symbol.
    head = [column.upper() if column.isascii() else column for column in columns]
    lines = [head, *([*map(_one_line, row)] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    print(f"# {title}")
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())
    print()


def byte_size(size_bytes: int) -> str:
    """A size in words, for instance ``812 B``, ``40.6 MB``, ``1.2 GB``."""
    if size_bytes < 1000:
        return f"{size_bytes} B"
    for unit, scale in (("kB", 1e3), ("MB", 1e6)):
        if size_bytes < 999.95 * scale:
            return f"{size_bytes / scale:.1f} {unit}"
    return f"{size_bytes / 1e9:.1f} GB"


def _one_line(cell: str) -> str:
    return " ".join(cell.split()) or "-"
