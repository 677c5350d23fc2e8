"""``serbench predict``: what an exported model says of audio files."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from serbench_runtime.cli.encodings import print_utf8
from serbench_runtime.cli.options import ModelFile, Threads
from serbench_runtime.cli.pipes import finishing_early
from serbench_runtime.errors import SerbenchError, visible

if TYPE_CHECKING:
    from serbench_runtime import Heard, Prediction


class PredictionFormat(StrEnum):
    """How predictions are printed."""

    table = "table"
    json = "json"
    csv = "csv"


def command(
    context: typer.Context,
    model: ModelFile,
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Audio files, and folders with audio in them."),
    ],
    output_format: Annotated[
        PredictionFormat,
        typer.Option("--format", "-f", help="table; json: an object a line; csv: with a header."),
    ] = PredictionFormat.table,
    threads: Threads = 1,
) -> None:
    """Classify audio files with an exported model, of any rate, format and length.

    A file that cannot be read is told of on standard error and stops none of the others; the exit
    code is then 2.

    Examples:

      serbench predict akd.onnx call.wav

      serbench predict akd.onnx recordings --format csv > predictions.csv

      serbench predict akd.onnx recordings --format json | jq .label

    """  # noqa: D412 - typer needs the blank lines
    from serbench_runtime import find_audio, load, predict_files

    paths = find_audio(files)
    loaded = load(model, threads=threads)
    if output_format is not PredictionFormat.table:
        print_utf8()
    with finishing_early():
        write = _writer(output_format, loaded.labels, paths)
        failed = 0
        with _counting(len(paths)) as count:
            for heard in count(predict_files(loaded, paths)):
                if heard.prediction is None:
                    typer.echo(f"{context.find_root().info_name}: {heard.error}", err=True)
                    failed += 1
                else:
                    write(heard.path, heard.prediction)
    if failed:
        raise SerbenchError(f"{failed} of {len(paths)} files could not be classified")


class _Write(Protocol):
    def __call__(self, path: Path, prediction: Prediction) -> None: ...


def _writer(form: PredictionFormat, labels: Sequence[str], paths: Sequence[Path]) -> _Write:
    if form is PredictionFormat.json:
        return _write_json
    if form is PredictionFormat.csv:
        return _csv_writer(labels)
    return _table_writer(labels, paths)


def _write_json(path: Path, prediction: Prediction) -> None:
    print(json.dumps({"file": str(path), **prediction.as_dict()}), flush=True)


def _csv_writer(labels: Sequence[str]) -> _Write:
    from serbench_runtime.cli.output import plain_cell

    rows = csv.writer(sys.stdout, lineterminator="\n")
    rows.writerow(["file", "label", "duration_s", *(f"p_{label}" for label in labels)])

    def write(path: Path, prediction: Prediction) -> None:
        values = (f"{value:.6f}" for value in prediction.posteriors)
        named = map(plain_cell, (visible(str(path)), prediction.label))
        rows.writerow([*named, f"{prediction.duration_s:.3f}", *values])

    return write


def _table_writer(labels: Sequence[str], paths: Sequence[Path]) -> _Write:
    """Rows as they come, so column widths are those of what can come."""
    file_width = max(4, *(len(_one_line(path)) for path in paths))
    label_width = max(5, *map(len, labels))

    def show(file: str, seconds: str, label: str, values: Iterable[str]) -> None:
        columns = (
            value.rjust(max(5, len(name))) for name, value in zip(labels, values, strict=True)
        )
        line = (file.ljust(file_width), seconds.rjust(7), label.ljust(label_width), *columns)
        print("  ".join(line), flush=True)

    def write(path: Path, prediction: Prediction) -> None:
        values = (f"{value:.3f}" for value in prediction.posteriors)
        show(_one_line(path), f"{prediction.duration_s:.2f}", prediction.label, values)

    show("FILE", "SECONDS", "LABEL", (label.upper() for label in labels))
    return write


def _one_line(path: Path) -> str:
    return visible(str(path)).replace("\n", "\\n").replace("\r", "\\r")


@contextmanager
def _counting(total: int) -> Iterator[Callable[[Iterable[Heard]], Iterator[Heard]]]:
    """A bar on standard error where it is a terminal that the rows do not go to as well."""
    if not sys.stderr.isatty() or sys.stdout.isatty():
        yield iter
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from serbench_runtime.cli.console import stderr

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # Rows go to standard output as they are, not through rich to the terminal.
    with Progress(*columns, console=stderr(), transient=True, redirect_stdout=False) as progress:
        bar = progress.add_task("files", total=total)

        def count(found: Iterable[Heard]) -> Iterator[Heard]:
            for heard in found:
                yield heard
                progress.advance(bar)

        yield count
