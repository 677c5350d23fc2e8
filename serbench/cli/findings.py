"""Shared by the commands that check something: output files, printing, exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serbench.errors import SerbenchError
from serbench_runtime.cli.encodings import print_utf8

if TYPE_CHECKING:
    from serbench.checks.finding import Findings
    from serbench.checks.output import Outputs

Json = Annotated[
    Path | None,
    typer.Option(
        "--json", metavar="FILE", help="Write all findings to this file as JSON; - for stdout."
    ),
]
JUnit = Annotated[
    Path | None,
    typer.Option(
        "--junit",
        metavar="FILE",
        help="Write JUnit XML to this file, with a test case for each finding.",
    ),
]
Markdown = Annotated[
    Path | None,
    typer.Option(
        "--markdown",
        metavar="FILE",
        help="Write a summary to this file in GitHub-flavoured Markdown.",
    ),
]


@contextmanager
def checking(command: str, outputs: Outputs) -> Iterator[None]:
    """Write an error into the requested files if nothing can be checked."""
    try:
        yield
    except SerbenchError as error:
        from serbench.checks.output import STDOUT, write_error

        if outputs.json == STDOUT:
            print_utf8()
        write_error(command, error, outputs)
        raise


def tell(found: Findings, outputs: Outputs) -> None:
    """Write the findings to files, and print them.

    Raises:
        StoreError: a file cannot be written.
    """
    from serbench.checks.output import STDOUT, write_findings
    from serbench.checks.show import detail_lines, facts, finding_table
    from serbench.cli.console import stdout
    from serbench.cli.output import print_table
    from serbench.results.table.console import console_table

    if outputs.json == STDOUT:
        print_utf8()
    write_findings(found, outputs)
    if outputs.json == STDOUT:
        typer.echo(found.verdict, err=True)
        return
    _say(*(f"{name}: {value}" for name, value in facts(found)), "")
    for table in (*found.tables, finding_table(found)):
        if sys.stdout.isatty():
            stdout().print(console_table(table))
            continue
        rows = [[cell.whole for cell in row] for row in table.rows]
        print_table(table.caption, table.columns, rows)
        _say(*table.notes, *([""] if table.notes else []))
    _say(*detail_lines(found), *found.remarks, *([""] if found.remarks else []), found.verdict)


def _say(*lines: str) -> None:
    """Print lines, wrapped to a terminal's width with their continuation indented."""
    import shutil
    import textwrap

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    fill = partial(textwrap.fill, subsequent_indent="  ", break_on_hyphens=False)
    for line in lines:
        typer.echo(fill(line, width) if width else line)
