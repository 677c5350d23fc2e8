"""``serbench audit``: do anybody's splits leak?"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from serbench.cli.options import RegistryFile

if TYPE_CHECKING:
    from serbench.api import Advance, Corpus
    from serbench.checks.audit.audio import Watch
    from serbench.checks.audit.records import Audit


def command(
    splits: Annotated[
        Path, typer.Argument(metavar="SPLITS", help="A split file, or a folder of them.")
    ],
    corpus: Annotated[
        str | None,
        typer.Option("--corpus", "-c", help="Dataset or corpus whose utterances they are."),
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder with a local copy of the corpus, or with audio.")
    ] = None,
    format: Annotated[  # noqa: A002 - the option's name
        Literal["auto", "csv", "emobox", "s3prl", "folder"],
        typer.Option(help="How the splits are written; auto tells it from what is there."),
    ] = "auto",
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all findings here; - for stdout.")
    ] = None,
    registry: RegistryFile = None,
) -> None:
    """Look for leaks in anybody's splits; exit with 1 when there is one.

    SPLITS is a CSV or TSV file (utterance with fold, part or both),
    or a folder: of EmoBox fold files, of s3prl's session files,
    or of audio in train/validation/test.

    Speakers and sentences come from the corpus, else from the files.
    Copies (L4) and near duplicates (L5) are looked for where there is
    audio. Nothing is downloaded.

    Examples:

      serbench audit folds.csv --corpus emodb

      serbench audit EmoBox/data/emodb --corpus emodb --data-dir ~/corpora/emodb

      serbench audit my-dataset --json audit.json

    """  # noqa: D412 - typer needs the blank lines
    from serbench.checks.audit.readers import read_splits
    from serbench.checks.audit.run import audit
    from serbench.checks.audit.text import verdict
    from serbench.files.paths import cache_folder
    from serbench.running.plugins import load_plugins
    from serbench.running.registry.load import load_registry

    made: Corpus | None = None
    if corpus is not None:
        entries = load_registry(load_plugins(), registry, strict=False)
        made = entries.make("corpora", corpus)  # pyright: ignore[reportAssignmentType]
    read = read_splits(splits, format)
    with _progress() as watch:
        found = audit(read, splits, made, corpus, data_dir, cache_folder(), watch)
    if json is not None:
        _write_json(found, json)
    if json == Path("-"):
        typer.echo(verdict(found), err=True)
    else:
        _print(found)
    if found.leaks:
        raise typer.Exit(1)


def _write_json(found: Audit, path: Path) -> None:
    from serbench.files.atomic import json_bytes, write_atomically

    content = json_bytes(found.model_dump(mode="json"), "the audit")
    if path == Path("-"):
        sys.stdout.write(content.decode())
    else:
        write_atomically(path, content)


def _print(found: Audit) -> None:
    from serbench.checks.audit.text import finding_lines, fold_table, header_lines, legend, verdict
    from serbench.cli.output import print_table

    for line in header_lines(found):
        _say(line)
    _say("")
    columns, rows = fold_table(found)
    print_table("Folds", columns, rows)
    _say(legend())
    _say("")
    lines = finding_lines(found)
    for line in lines:
        _say(line)
    if lines:
        _say("")
    _say(verdict(found))


def _say(line: str) -> None:
    """One line, wrapped to a terminal's width with its continuation indented."""
    import shutil
    import textwrap

    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns
        line = textwrap.fill(line, width, subsequent_indent="  ", break_on_hyphens=False)
    typer.echo(line)


@contextmanager
def _progress() -> Iterator[Watch]:
    """A bar per stage on a terminal, a line when a stage is done elsewhere; on stderr."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from serbench.cli.console import stderr

    console = stderr()
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:

        def watch(stage: str) -> Advance:
            bar = progress.add_task(stage, total=None)

            def advance(done: int, total: int) -> None:
                progress.update(bar, completed=done, total=total)
                if done == total and not console.is_terminal:
                    console.print(f"{stage}: done", highlight=False)

            return advance

        yield watch
