"""The comparison as ``serbench show`` prints it, kept beside the report: to print it again takes
neither pandas nor a draw.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

import serbench
from serbench.results.table.table import Table

FILE = "tables/comparison.json"


@dataclass(frozen=True, slots=True)
class KeptTable:
    """A table of a run, and what it was computed from and by.

    Attributes:
        serbench: the version.
        made_from: see ``files_digest``.
        alarm: what stands over the table, see ``console_table``.
    """

    serbench: str
    made_from: str
    alarm: str
    table: Table


def kept_text(folder: Path, table: Table, alarm: str) -> str:
    """The file's text.

    Args:
        folder: of the only run that the table is about.
        table: as it is printed; its records are left out.
        alarm: what stands over it.
    """
    kept = KeptTable(serbench.__version__, files_digest(folder), alarm, replace(table, records=()))
    return TypeAdapter(KeptTable).dump_json(kept, indent=1).decode() + "\n"


def kept_table(folder: Path) -> KeptTable | None:
    """The run's table; None where it must be computed: there is none, it is damaged, another
    version wrote it, or the run's files are not those that it was computed from.
    """
    try:
        kept = TypeAdapter(KeptTable).validate_json((folder / FILE).read_bytes())
        current = (serbench.__version__, files_digest(folder))
    except (OSError, ValidationError):
        return None
    return kept if (kept.serbench, kept.made_from) == current else None


def files_digest(folder: Path) -> str:
    """sha256 of the names and contents of the files that a run's comparison is computed from."""
    whole = hashlib.sha256()
    names = ("plan.json", "certificate.json", "predictions.parquet")
    for path in (*(folder / name for name in names), *sorted((folder / "fits").glob("*.json"))):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        whole.update(f"{path.name}:{digest}\n".encode())
    return whole.hexdigest()
