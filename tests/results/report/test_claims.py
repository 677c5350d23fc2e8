from __future__ import annotations

from pathlib import Path

import pytest
from tests_support.run_maker import make_run

from serbench.results.report.build import report_texts
from serbench.results.report.claims import claims_of, claims_table
from serbench.results.report.results import load_results

CORPORA = (("iemocap", 4), ("emodb", 7), ("ravdess", 8))


def test_claims_are_those_of_the_papers_table() -> None:
    assert [
        len(claims_of(*corpus)) for corpus in (("iemocap", 4), ("emodb", 7), ("ravdess", 8))
    ] == [8] * 3
    paper = {
        name: claims_of(name, n)[-1] for name, n in (("iemocap", 4), ("emodb", 7), ("ravdess", 8))
    }
    assert {name: (claim.wa, claim.ua) for name, claim in paper.items()} == {
        "iemocap": (0.8445, 0.8334),
        "emodb": (0.9707, 0.9604),
        "ravdess": (0.9706, 0.9550),
    }
    unreported = [claim.method for claim in claims_of("emodb", 7) if claim.ua is None]
    assert unreported == ["MF-CNN", "D-CNN"]
    for corpus in CORPORA:
        for claim in claims_of(*corpus):
            assert 2015 < claim.year < 2027
            assert claim.reference
            assert all(0.5 < score < 1 for score in (claim.wa, claim.ua) if score is not None)


def test_nothing_is_claimed_on_other_classes() -> None:
    assert claims_of("emodb", 4) == ()
    assert claims_of("demo", 7) == ()


def test_claims_stand_apart_and_are_not_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_run(tmp_path / "run", {"akd": 0.8, "kd": 0.6})
    results = load_results([folder])
    assert claims_table(results) is None  # 5 classes
    assert "tables/claims.md" not in report_texts(folder)
    seven = claims_of("emodb", 7)
    monkeypatch.setattr("serbench.results.report.claims.claims_of", lambda corpus, classes: seven)
    table = claims_table(results)
    assert table is not None
    measured, claimed = table.sections
    assert [row[0].text for row in measured.rows][:2] == ["akd", "kd"]
    assert "not checked here" in claimed.heading
    last = [cell.text for cell in claimed.rows[-1][:4]]
    assert last == ["AKD of the paper", "2025", "97.07", "96.04"]
    assert claimed.rows[3][3].text == "–"
    assert list(dict.fromkeys(row["status"] for row in table.records)) == ["measured", "claimed"]
    assert "no differences are computed" in table.notes[0]


def test_a_leaky_run_has_no_claims_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = load_results([make_run(tmp_path / "run", {"kd": 0.6}, protocol="leaky-random")])
    monkeypatch.setattr(
        "serbench.results.report.claims.claims_of", lambda corpus, classes: claims_of("emodb", 7)
    )
    assert claims_table(results) is None
