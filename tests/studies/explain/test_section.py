"""What a page shows of the trust in teachers, where a method recorded it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests_support.readings_maker import make_run_with_readings

from serbench.results.report.results import load_results
from serbench.running.store.finished import Run
from serbench.studies.explain.section import trust_records
from serbench.studies.of_run import studies_of


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("runs") / "full"
    make_run_with_readings(folder, ("akd", "plain"), teachers=2, epochs=4, seeds=2)
    return load_results([folder]).runs[0]


def test_readings_show_weights_gate_and_what_is_fixed(run: Run) -> None:
    records = trust_records(run)
    assert [each.title for each in records] == [
        "Trust in teachers: akd", "Trust in teachers: plain",
    ]  # fmt: skip
    captions = [figure.caption for each in records for figure in each.figures]
    assert "Weight of each teacher of akd over training: median and quartiles" in captions
    assert "Where the gate of plain closes, in % of training cases" in captions
    notes = [note for each in records for figure in each.figures for note in figure.notes]
    assert "Equal weights would be 0.50." in notes
    assert all(each.lines and each.tables for each in records)


def test_names_of_figures_and_tables_are_distinct(run: Run) -> None:
    for record in trust_records(run):
        names = [each.name for each in (*record.figures, *record.tables)]
        assert len(set(names)) == len(names)


def test_readings_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    make_run_with_readings(tmp_path / "run", ("akd",), teachers=1, epochs=2, seeds=2)
    broken = next((tmp_path / "run" / "readings").rglob("outer-2-seed-1.npz"))
    broken.unlink()
    (run,) = load_results([tmp_path / "run"]).runs
    (record,) = studies_of([run]).records
    assert broken.name in record.lines[0]
    assert not record.figures
