from __future__ import annotations

from pathlib import Path

import pytest
from tests_support.run_maker import make_run

from serbench.results.pages.report import verdict_first
from serbench.results.report.build import make_tables
from serbench.results.report.results import load_results


@pytest.mark.parametrize("protocol", ["speaker-independent", "leaky-random"])
def test_the_verdict_does_not_scroll_out_of_sight(tmp_path: Path, protocol: str) -> None:
    folder = make_run(tmp_path / "run", {"akd": 0.9, "kd": 0.5}, protocol=protocol)  # pyright: ignore[reportArgumentType]
    table = make_tables(load_results([folder])).shared["comparison"]
    moved = verdict_first(table)
    first = ("Method", "UA", "ΔUA to akd", "p", "Verdict")
    leaky = protocol != "speaker-independent"
    assert moved.columns[: 2 if leaky else 5] == first[: 2 if leaky else 5]
    assert sorted(moved.columns) == sorted(table.columns)
    for row, other in zip(table.rows, moved.rows, strict=True):
        assert dict(zip(table.heads, row, strict=True)) == dict(
            zip(moved.heads, other, strict=True)
        )
