"""Studies that other commands left in a run's folder, as tables of their CSV files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from serbench.api import StoreError
from serbench.results.report.results import Results
from serbench.results.report.tables import NOTHING, Section, Table, percent, signed
from serbench.running.store.finished import Run

TITLES = {
    "overlap": "Overlap of test windows",
    "prune": "Pruning",
    "robustness": "Noise, level, band and rooms",
}
"""Folders of a run, and what is in them; the CSV is called as its folder."""

LEFT_OUT = ("protocol", "certificate")
"""Columns that are the same in every row, and stand elsewhere."""


@dataclass(frozen=True, slots=True)
class Study:
    """One study of one run.

    Attributes:
        file: where its numbers are, below the run's folder.
    """

    title: str
    run: str
    file: str
    table: Table


def studies(results: Results) -> tuple[Study, ...]:
    """Those that the runs' folders hold.

    Raises:
        StoreError: a file is damaged, or is of another run.
    """
    return tuple(
        _study(run, name, title)
        for run in results.runs
        for name, title in TITLES.items()
        if (run.folder / name / f"{name}.csv").is_file()
    )


def _study(run: Run, name: str, title: str) -> Study:
    path = run.folder / name / f"{name}.csv"
    table = read_table(path, name, f"{title} of {run.name}: scores in %, [95 % interval]", run)
    return Study(title, run.name, f"{name}/{name}.csv", table)


def read_table(path: Path, name: str, caption: str, run: Run) -> Table:
    """A CSV file as a table to read: a value with its bounds in one cell, shares in per cent.

    Raises:
        StoreError: it cannot be read, has no row, or is of another certificate.
    """
    try:
        data = pd.read_csv(path, dtype={"certificate": str})
    except (OSError, ValueError) as error:  # pandas' own are ValueErrors
        raise StoreError(f"{path} is damaged ({error}); make it again") from error
    if data.empty:
        raise StoreError(f"{path} has no row; make it again")
    if "certificate" in data and set(data["certificate"]) != {run.certificate.digest}:
        raise StoreError(
            f"{path} is of another run: its certificate is not {run.certificate.digest[:12]}; "
            "make it again"
        )
    bounds = {f"{column}_{end}" for column in data for end in ("low", "high")}
    columns = [c for c in data if str(c) not in bounds and str(c) not in LEFT_OUT]
    cells = [_column(data, str(column)) for column in columns]
    numbers = [pd.api.types.is_numeric_dtype(data[column]) for column in columns]
    return Table(
        name=f"study-{name}-{run.certificate.digest[:8]}",
        caption=caption,
        columns=tuple(_heading(str(column)) for column in columns),
        alignment="".join("r" if number else "l" for number in numbers),
        sections=(Section(tuple(zip(*cells, strict=True))),),
        data=data,
    )


def _heading(column: str) -> str:
    shown = {"wa": "WA", "ua": "UA", "macro_f1": "Macro-F1", "delta_ua": "ΔUA"}
    return shown.get(column) or column.replace("_", " ").capitalize()


def _column(data: pd.DataFrame, column: str) -> list[str]:
    """A column's cells."""
    low, high = f"{column}_low", f"{column}_high"
    if low in data and high in data:
        show = signed if column.startswith("delta") else percent
        return [
            NOTHING if pd.isna(value) else f"{show(value)} [{show(a)}, {show(b)}]"
            for value, a, b in zip(data[column], data[low], data[high], strict=True)
        ]
    return [_cell(value) for value in data[column]]


def _cell(value: object) -> str:
    if isinstance(value, str):
        return value
    number = float(value)  # pyright: ignore[reportArgumentType] - a CSV column holds text or numbers
    if pd.isna(number):
        return NOTHING
    if isinstance(value, bool) or number != int(number):
        return f"{number:.4g}"
    return f"{int(number):,}"
