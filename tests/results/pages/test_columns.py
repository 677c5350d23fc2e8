from __future__ import annotations

from pathlib import Path

import pytest
from tests_support.run_maker import make_run

from serbench.results.report.build import make_tables
from serbench.results.report.comparison import split_comparison
from serbench.results.report.results import load_results


@pytest.mark.parametrize("protocol", ["speaker-independent", "leaky-random"])
def test_the_comparison_is_two_tables_that_fit_a_page(tmp_path: Path, protocol: str) -> None:
    folder = make_run(tmp_path / "run", {"akd": 0.9, "kd": 0.5}, protocol=protocol)  # pyright: ignore[reportArgumentType]
    table = make_tables(load_results([folder])).shared["comparison"]
    scores, details = split_comparison(table)
    verdict = () if "leaky" in protocol else ("ΔUA to akd", "p", "Verdict")
    assert scores.columns == ("Method", "UA", *verdict, "WA", "Macro-F1")
    assert {*scores.columns, *details.columns} == {*table.columns}
    for part in (scores, details):
        for row, own in zip(table.rows, part.rows, strict=True):
            whole = dict(zip(table.heads, row, strict=True))
            assert dict(zip(part.heads, own, strict=True)).items() <= whole.items()
    assert {*scores.notes, *details.notes} == {*table.notes}
    assert details.caption.startswith("LEAKY") is ("leaky" in protocol)
