from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests_support.run_maker import make_run

from serbench.api import StoreError
from serbench.results.catalogue.entries import RunEntry, list_entries, read_entry
from serbench.results.report.build import report_texts
from serbench.results.report.results import load_results
from serbench.running.store.run import RunStore


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with its table of scores."""
    folder = make_run(tmp_path_factory.mktemp("made") / "one", seeds=2)
    RunStore(folder).write_text(
        "tables/comparison.csv", report_texts(folder)["tables/comparison.csv"]
    )
    return folder


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(made, tmp_path / "runs" / "one"))


def read(run: Path) -> RunEntry:
    return read_entry(run, run.name)


def test_a_finished_run_says_what_its_report_says(made: Path) -> None:
    entry = read(made)
    assert (entry.state, entry.reason, entry.leaky) == ("finished", "", False)
    assert (entry.dataset, entry.profile, entry.seeds) == ("emodb", "standard", 2)
    assert entry.methods == ("akd", "vanilla-kd", "transformer")
    for result in load_results([made]).comparison.methods:
        pooled, score = result.pooled["ua"], entry.scores[result.method]
        assert (score.ua, score.low, score.high) == pytest.approx(
            (pooled.value, pooled.low, pooled.high), abs=1e-6
        )
    assert entry.changed_s == (made / "timing.json").stat().st_mtime
    everything = sum(path.stat().st_size for path in made.rglob("*") if path.is_file())
    assert entry.size_bytes == everything


def test_the_best_score_is_that_of_a_student(made: Path) -> None:
    entry = read(made)
    best = entry.score()
    assert best is not None
    assert best[0] == "akd"
    assert best[1].ua < entry.scores["teacher:whisper-base"].ua
    asked = entry.score("vanilla-kd")
    assert asked is not None
    assert asked[1] == entry.scores["vanilla-kd"]
    assert entry.score("none") is None


@pytest.mark.parametrize(
    "missing", ["predictions.parquet", "certificate.json", "environment.json", "timing.json"]
)
def test_a_run_is_unfinished_until_its_last_file_is_there(run: Path, missing: str) -> None:
    (run / missing).unlink()
    for outer in (1, 2, 3):
        path = RunStore(run).model_path("akd", outer, 0)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    (path.parent / ".outer-4-seed-0.safetensors.1-0a.tmp").touch()
    entry = read(run)
    assert entry.state == "unfinished"
    assert entry.refits == (3, 3 * 2 * 4)
    assert entry.scores == {}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("plan.json", b"{", "plan.json: line 1, column 2"),
        ("plan.json", b"[]", "plan.json: it is not a JSON object"),
        ("plan.json", b'{"digest": 3}', "plan.json: digest: Input should be a valid"),
        ("plan.json", b"[" * 100_000, "plan.json: objects or lists are nested"),
        ("predictions.parquet", b"PAR1 and no end", "predictions.parquet is incomplete"),
        ("predictions.parquet", b"", "predictions.parquet is incomplete"),
        (
            "certificate.json",
            b'{"digest": "", "plan_digest": "0"}',
            "certificate.json belongs to another",
        ),
        ("timing.json", b"\xff", "timing.json: line 1 is not UTF-8"),
    ],
)
def test_damage_is_told_and_not_raised(run: Path, name: str, content: bytes, reason: str) -> None:
    (run / name).write_bytes(content)
    entry = read(run)
    assert entry.state == "damaged"
    assert entry.reason.startswith(reason)
    assert entry.size_bytes > 0


def test_a_run_that_lost_its_plan_is_listed_as_damaged(run: Path) -> None:
    (run / "plan.json").unlink()
    (entry,) = list_entries(run.parent)
    assert (entry.state, entry.reason) == ("damaged", "plan.json is missing")


@pytest.mark.parametrize("content", [None, b"", b"method,ua\nakd,0.5\n", b"\xff\xfe"])
def test_without_a_table_there_are_no_scores(run: Path, content: bytes | None) -> None:
    table = run / "tables" / "comparison.csv"
    table.unlink()
    if content is not None:
        table.write_bytes(content)
    entry = read(run)
    assert (entry.state, entry.scores, entry.score()) == ("finished", {}, None)


def test_a_broken_protocol_shows(tmp_path: Path) -> None:
    entry = read(make_run(tmp_path / "run", {"akd": 0.9}, protocol="leaky-random"))
    assert entry.leaky
    assert entry.protocol == "leaky-random"


def test_runs_are_found_one_folder_deeper_and_newest_first(made: Path, tmp_path: Path) -> None:
    for number, name in enumerate(("a", "sweep/b", "sweep/c", "sweep/deep/d")):
        run = Path(shutil.copytree(made, tmp_path / name))
        os.utime(run / "timing.json", (1e9 + number, 1e9 + number))
    (tmp_path / "empty").mkdir()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "file").touch()
    assert [entry.name for entry in list_entries(tmp_path)] == ["sweep/c", "sweep/b", "a"]
    assert [entry.name for entry in list_entries(tmp_path / "a")] == ["a"]


def test_a_link_in_a_run_is_not_followed(run: Path, tmp_path: Path) -> None:
    before = read(run).size_bytes
    (tmp_path / "big").mkdir()
    (tmp_path / "big" / "file").write_bytes(bytes(10_000))
    (run / "models").symlink_to(tmp_path / "big")
    (run / "loop").symlink_to(run)
    assert before < read(run).size_bytes < before + 1000


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist"):
        list_entries(tmp_path / "none")
    assert list_entries(tmp_path) == ()


def test_listing_imports_neither_torch_nor_pandas() -> None:
    code = (
        "import sys, json, serbench.results.catalogue.choose;"
        "print(json.dumps([n for n in ('torch', 'pandas', 'transformers') if n in sys.modules]))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert json.loads(found.stdout) == []
