"""What a page shows of a student that was deployed, here or elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests_support.measured import write_measured
from tests_support.pages import deploy_results
from tests_support.run_maker import make_run

from serbench.api import StoreError
from serbench.results.report.results import load_results
from serbench.running.store.finished import StoredRun
from serbench.studies.of_run import studies_of
from serbench.studies.registered import DEPLOY


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> StoredRun:
    folder = make_run(tmp_path_factory.mktemp("runs") / "full", {"akd": 0.9})
    (folder / "deploy").mkdir()
    (folder / "deploy" / "results.json").write_text(json.dumps(deploy_results(folder)))
    return load_results([folder]).runs[0]


def test_it_shows_the_front_and_what_was_not_measured(run: StoredRun) -> None:
    (record,) = DEPLOY.of_run(run)
    assert record.title == "Deployment: akd on a laptop"
    said = record.figures[0].panels[0].description
    assert said == "2 backends; none is better in both values than quick (fp32)."
    measured, unmeasured = record.tables
    assert [cell.whole for cell in measured.rows[1]] == [
        "2 quick", "fp32", "81.0 [76.0, 86.0]", "+1.0 [0.0, +3.0]", "no significant difference",
        "1.00", "1.00", "0.25", "1000.0", "1.00", "100",
    ]  # fmt: skip
    assert unmeasured.rows[0][-1].text == "unavailable: it is <not> installed"


def test_facts_are_of_the_fastest_backend_that_is_not_worse(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", {"kd": 0.9})
    (run,) = load_results([folder]).runs
    write_measured(folder, run.certificate.digest, "kd")
    path = folder / "deploy" / "results.json"
    held = json.loads(path.read_text())
    path.write_text(json.dumps(held))
    (record,) = DEPLOY.of_run(run)
    assert [(fact.method, fact.title, fact.text, fact.about) for fact in record.facts] == [
        ("kd", "Latency, ms", "2.00", "ratio 0.50"),
        ("kd", "MB", "2.00", ""),
        ("kd", "Backend", "good", "1 s of audio; Test board, 2026-01-02"),
    ]


def test_a_file_from_elsewhere_stands_beside_the_runs_own(run: StoredRun, tmp_path: Path) -> None:
    other = deploy_results(run.folder)
    other["machine"]["name"] = "a board"
    (tmp_path / "results.json").write_text(json.dumps(other))
    files = [tmp_path / "results.json", run.folder / "deploy" / "results.json"]
    titles = [each.title for each in studies_of([run], files).records]
    assert titles == ["Deployment: akd on a laptop", "Deployment: akd on a board"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"plan_digest": "0" * 64}, "belongs to the run full, not to full; leave it out"),
        ({"certificate_digest": "0" * 64}, "another certificate of full.*run `serbench deploy`"),
    ],
)
def test_one_of_another_run_is_refused(
    run: StoredRun, tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps(deploy_results(run.folder, **changes)))
    with pytest.raises(StoreError, match=message):
        DEPLOY.of_files([run], [path])


def test_one_that_is_not_there_is_named(run: StoredRun, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot read .*nowhere\.json"):
        DEPLOY.of_files([run], [tmp_path / "nowhere.json"])
