"""Cells that a spreadsheet would compute."""

from __future__ import annotations

import pandas as pd
import pytest

from serbench.results.table.columns import text_table
from serbench.results.table.files import csv_text, rows_csv
from serbench_runtime.cli.disarm import plain_cell


@pytest.mark.parametrize(
    "text", ["=1+1", "+1+1", "-A1", "@SUM(A1)", "\t=1", "\r=1", "=HYPERLINK()"]
)
def test_text_is_no_formula(text: str) -> None:
    assert plain_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["-0.3", "+5", "-1e-05", "a=b", "−0.3", "", "–", "akd+kd", "a-b"])
def test_numbers_and_names_stay(text: str) -> None:
    assert plain_cell(text) == text


def test_tables_are_plain() -> None:
    records = [{"=name": "=1+1", "delta": -0.3, "count": -2}, {"=name": "b", "delta": None}]
    table = text_table("t", "T", ("a",), [("b",)], records=records)
    assert csv_text(table) == "'=name,delta,count\n'=1+1,-0.3,-2\nb,,\n"


def test_rows_are_plain() -> None:
    rows = pd.DataFrame({"@id": ["=1", "b"], "p": [-0.25, 1.0], "n": [-1, 2]})
    assert rows_csv(rows) == "'@id,p,n\n'=1,-0.250000,-1\nb,1.000000,2\n"
