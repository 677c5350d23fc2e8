"""``serbench predict``: an exported model's predictions for audio files."""

from __future__ import annotations

import csv
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Protocol, TextIO, cast

from serbench_runtime.cli.disarm import plain_cell, underlying
from serbench_runtime.cli.encodings import print_utf8
from serbench_runtime.cli.lines import print_line
from serbench_runtime.cli.options import ModelFile, Stated, Threads
from serbench_runtime.cli.pipes import finishing_early
from serbench_runtime.errors import SerbenchError, WaveformError, visible

if TYPE_CHECKING:
    from serbench_runtime.files import Heard
    from serbench_runtime.model import Model, Prediction

HELP = """Classify audio files of any rate, format and length with an exported model.

A file that cannot be read is reported on standard error; the other files are still classified, and
the exit code is 2.

Examples:

  serbench predict akd.onnx call.wav

  curl -s https://example.org/call.mp3 | serbench predict akd.onnx -

  serbench predict akd.onnx recordings --format csv > predictions.csv

  serbench predict akd.onnx recordings --format json | jq .label
"""

STDIN = Path("-")


class PredictionFormat(StrEnum):
    """How predictions are printed."""

    table = "table"
    json = "json"
    csv = "csv"


def command(
    model: ModelFile,
    files: Annotated[
        list[Path],
        Stated(
            metavar="FILE",
            help="Audio files, folders with audio, or - for a file on standard input.",
        ),
    ],
    output_format: Annotated[
        PredictionFormat,
        Stated(
            names=("--format", "-f"),
            help="table; json: one object per line; csv: with a header.",
        ),
    ] = PredictionFormat.table,
    threads: Threads = 1,
    *,
    program: str = "serbench",
) -> None:
    """Classify audio files; see HELP."""
    from serbench_runtime.files import find_audio, predict_files
    from serbench_runtime.model import load

    with ExitStack() as stack:
        copy = stack.enter_context(_copy_of_stdin()) if STDIN in files else STDIN
        paths = find_audio(copy if path == STDIN else path for path in files)
        loaded = load(model, threads=threads)
        if output_format is not PredictionFormat.table:
            print_utf8()
        stack.enter_context(finishing_early())
        named = [STDIN if path == copy else path for path in paths]
        write = _writer(output_format, loaded, named)
        failed = 0
        count = stack.enter_context(_counting(len(paths)))
        for name, heard in zip(named, count(predict_files(loaded, paths)), strict=True):
            if heard.prediction is None:
                message = str(heard.error).replace(str(copy), "standard input", name == STDIN)
                print(f"{program}: {message}", file=sys.stderr)
                failed += 1
            else:
                write(name, heard.prediction)
    if failed:
        raise SerbenchError(f"{failed} of {len(paths)} files could not be classified")


@contextmanager
def _copy_of_stdin() -> Iterator[Path]:
    """A file with the content of standard input, because audio is read from a seekable file."""
    if sys.stdin.isatty():
        raise WaveformError("standard input is a terminal; pipe an audio file into this command")
    with TemporaryDirectory(prefix="serbench-") as folder:
        path = Path(folder) / "standard-input"
        with path.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        yield path


class _Write(Protocol):
    def __call__(self, path: Path, prediction: Prediction) -> None: ...


def _writer(form: PredictionFormat, model: Model, paths: Sequence[Path]) -> _Write:
    if form is PredictionFormat.json:
        return _json_writer(model.sha256)
    if form is PredictionFormat.csv:
        return _csv_writer(model.labels)
    return _table_writer(model.labels, paths)


def _json_writer(model_sha256: str) -> _Write:
    def write(path: Path, prediction: Prediction) -> None:
        print_line(model_sha256, {"file": str(path), **prediction.as_dict()}, final=True)

    return write


def _csv_writer(labels: Sequence[str]) -> _Write:
    rows = csv.writer(sys.stdout, lineterminator="\n")
    rows.writerow(["file", "label", "duration_s", *(f"p_{label}" for label in labels)])

    def write(path: Path, prediction: Prediction) -> None:
        values = (f"{value:.6f}" for value in prediction.posteriors)
        named = map(plain_cell, (visible(str(path)), prediction.label))
        rows.writerow([*named, f"{prediction.duration_s:.3f}", *values])

    return write


def _table_writer(labels: Sequence[str], paths: Sequence[Path]) -> _Write:
    """A writer that prints each row at once, so columns have the greatest possible width."""
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
    """Show a count on standard error, if it is a terminal and standard output is not."""
    if not sys.stderr.isatty() or sys.stdout.isatty():
        yield iter
        return
    began = time.monotonic()
    terminal = cast("TextIO", underlying(sys.stderr))

    def count(found: Iterable[Heard]) -> Iterator[Heard]:
        for done, heard in enumerate(found, start=1):
            yield heard
            left_s = (time.monotonic() - began) / done * (total - done)
            line = f"{done}/{total} files, about {left_s:.0f} s left"
            print(f"\r{line:<50}", end="", file=terminal, flush=True)

    try:
        yield count
    finally:
        print(f"\r{'':<50}\r", end="", file=terminal, flush=True)
