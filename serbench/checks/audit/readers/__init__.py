"""Readers of split files: one module per format; all yield the same rows."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from serbench.api import SplitError
from serbench.checks.audit.readers import emobox, folder, s3prl, table
from serbench.checks.audit.rows import SplitFile, check_parts
from serbench.errors import listed

SplitFormat = Literal["auto", "csv", "emobox", "s3prl", "folder"]

READERS = {
    "csv": table.read,
    "emobox": emobox.read,
    "s3prl": s3prl.read,
    "folder": folder.read,
}

ACCEPTED = f"""Accepted are
  csv     {table.LAYOUT}
  emobox  {emobox.LAYOUT}
  s3prl   {s3prl.LAYOUT}
  folder  {folder.LAYOUT}"""


def read_splits(path: Path, format: SplitFormat = "auto") -> SplitFile:  # noqa: A002 - the option's name
    """Read split files of any supported format.

    Args:
        path: a file, or a folder of files.
        format: one of ``READERS``, or ``"auto"`` to recognise it from the files.

    Raises:
        SplitError: there are no files, the format is unknown, or the content does not fit it; one
            message with file, line and what is accepted.
    """
    if not path.exists():
        raise SplitError(f"{path}: not found; name a split file, or a folder of them")
    chosen = _tell(path) if format == "auto" else format
    if (chosen == "csv") == path.is_dir():
        kind = "a folder" if path.is_dir() else "a file"
        raise SplitError(f"{path} is {kind}, but {chosen} needs another layout.\n{ACCEPTED}")
    try:
        splits = READERS[chosen](path)
    except UnicodeDecodeError as error:
        raise SplitError(f"{path}: not UTF-8 text ({error.reason})") from error
    except OSError as error:
        raise SplitError(f"{error.filename or path}: cannot be read ({error.strerror})") from error
    check_parts(splits.rows, str(path))
    return splits


def _tell(path: Path) -> str:
    """The name of the only format that fits ``path``."""
    if path.is_file():
        if table.matches(path):
            return "csv"
        raise SplitError(
            f"{path}: its name does not show the format.\n"
            f"{ACCEPTED}\n"
            "Rename it to .csv or .tsv, or give --format csv"
        )
    readers = {"emobox": emobox, "s3prl": s3prl, "folder": folder}
    fitting = [name for name, reader in readers.items() if reader.matches(path)]
    if len(fitting) == 1:
        return fitting[0]
    found = listed(sorted(_shown(each) for each in path.iterdir())) or "nothing"
    if fitting:
        raise SplitError(
            f"{path} fits the formats {' and '.join(fitting)}; choose one with --format. It "
            f"holds {found}"
        )
    raise SplitError(f"{path}: no known format; it holds {found}.\n{ACCEPTED}")


def _shown(path: Path) -> str:
    return f"{path.name}/" if path.is_dir() else path.name
