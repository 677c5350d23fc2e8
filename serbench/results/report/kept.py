"""The comparison as ``serbench show`` prints it, kept next to the report, so that printing it again
needs neither pandas nor new draws.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

import serbench
from serbench.files.source import CORE
from serbench.results.table.table import Table

FILE = "tables/comparison.json"


@dataclass(frozen=True, slots=True)
class KeptTable:
    """A table of a run, with the files and the code that it was computed from.

    Attributes:
        serbench: the version of serbench.
        made_from: see ``files_digest``.
        code: see ``code_digest``; other code may word or arrange the tables differently.
        alarm: the text above the table, see ``console_table``.
    """

    serbench: str
    made_from: str
    code: str
    alarm: str
    table: Table


def kept_text(folder: Path, table: Table, alarm: str) -> str:
    """The file's text.

    Args:
        folder: folder of the only run that the table is about.
        table: the printed table; its records are left out.
        alarm: the text above it.
    """
    plain = replace(table, records=())
    kept = KeptTable(serbench.__version__, files_digest(folder), code_digest(), alarm, plain)
    return TypeAdapter(KeptTable).dump_json(kept, indent=1).decode() + "\n"


def kept_table(folder: Path) -> KeptTable | None:
    """The run's table; None if it must be computed. This is so if there is none, it is damaged,
    another version wrote it, or the run's files are not those that it was computed from.
    """
    try:
        kept = _read(folder)
        current = (serbench.__version__, files_digest(folder))
    except (OSError, ValidationError):
        return None
    return kept if (kept.serbench, kept.made_from) == current else None


def written_by_this_code(folder: Path) -> bool:
    """Whether exactly this code wrote the run's tables, so that their words must agree too."""
    try:
        return _read(folder).code == code_digest()
    except (OSError, ValidationError):
        return False


def _read(folder: Path) -> KeptTable:
    """
    Raises:
        OSError: the file cannot be read.
        ValidationError: the file is damaged, or from a version that did not have all fields.
    """
    return TypeAdapter(KeptTable).validate_json((folder / FILE).read_bytes())


@functools.cache
def code_digest() -> str:
    """sha256 of the core's modules and templates."""
    whole = hashlib.sha256()
    for suffix in ("py", "j2"):
        for path in sorted(CORE.rglob(f"*.{suffix}")):
            whole.update(path.relative_to(CORE).as_posix().encode() + path.read_bytes())
    return whole.hexdigest()


def files_digest(folder: Path) -> str:
    """sha256 of the names and contents of the files from which a run's comparison is computed."""
    whole = hashlib.sha256()
    names = ("plan.json", "certificate.json", "predictions.parquet")
    for path in (*(folder / name for name in names), *sorted((folder / "fits").glob("*.json"))):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        whole.update(f"{path.name}:{digest}\n".encode())
    return whole.hexdigest()
