from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tests_support.corpora import make_corpus_run
from tests_support.pages import write_study

from serbench.errors import SerbenchError
from serbench.results.record import StoredStudies, stored_studies
from serbench.results.site import collect as collect_module
from serbench.results.site.collect import MARKER, READ, Collection, collect
from serbench.running.store.finished import StoredRun

pytestmark = pytest.mark.usefixtures("plain_pages")


def test_every_finished_run_is_found_once(collection: Collection) -> None:
    assert [entry.label for entry in collection.entries] == [
        "all-heard",
        "deep/er/one-first",
        "one-more",
        "one-other-folds",
        "two",
    ]
    assert all(entry.digest in entry.page for entry in collection.entries)


def test_what_is_not_listed_has_its_reason(collection: Collection, runs: Path) -> None:
    reasons = {each.label: each.reason for each in collection.problems}
    assert reasons == {
        "nameless": "damaged: plan.json is missing",
        "stopped": "stopped has no predictions: the run has not finished; "
        "run the same command again to continue",
        "two-copied": "a copy of two",
    }


def test_a_run_itself_may_be_named(runs: Path) -> None:
    found = collect(runs / "two")
    assert [entry.label for entry in found.entries] == ["two"]


def test_nothing_is_looked_for_inside_runs_and_sites(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "two", tmp_path / "outer")
    shutil.copytree(runs / "two", tmp_path / "outer" / "inner")
    shutil.copytree(runs / "two", tmp_path / "site" / "inner")
    (tmp_path / "site" / MARKER).write_text("{}")
    found = collect(tmp_path)
    assert [entry.label for entry in found.entries] == ["outer"]
    assert found.problems == ()


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(SerbenchError, match=r"nowhere does not exist"):
        collect(tmp_path / "nowhere")


def _without(path: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        plan = json.loads((folder / "plan.json").read_text())
        *above, key = path.split(".")
        del (plan[above[0]] if above else plan)[key]
        (folder / "plan.json").write_text(json.dumps(plan))

    return change


def _holds(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(content) and None


@pytest.mark.parametrize(
    "damage",
    [
        _holds("plan.json", b"[]"),
        _holds("plan.json", b"{}"),
        _holds("plan.json", b"\xff\x00"),
        *(_without(path) for path in ("methods", "protocol", *READ)),
        _holds("certificate.json", b"{"),
        _holds("certificate.json", b'{"digest": 1}'),
        _holds("predictions.parquet", b"PAR1"),
        _holds("timing.json", b"null"),
        _holds("environment.json", b""),
        _holds("fits/akd-bad.json", b"{}"),
    ],
)
def test_a_damaged_run_is_listed_with_its_reason(
    runs: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    shutil.copytree(runs / "two", tmp_path / "broken")
    damage(tmp_path / "broken")
    found = collect(tmp_path)
    assert found.entries == ()
    (problem,) = found.problems
    assert problem.label == "broken"
    assert re.search("damaged|no entry|not a certificate", problem.reason)
    assert str(tmp_path) not in problem.reason


def test_a_plan_of_something_else_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "terraform").mkdir()
    (tmp_path / "terraform" / "plan.json").write_text('{"dataset": 3}')
    (problem,) = collect(tmp_path).problems
    assert problem.label == "terraform"


def test_a_folder_that_cannot_be_read_is_listed(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk = os.walk

    def locked(top: Path, onerror: Callable[[OSError], None]):
        onerror(PermissionError(13, "Permission denied", str(Path(top) / "empty")))
        yield from walk(top, onerror=onerror)

    monkeypatch.setattr(collect_module.os, "walk", locked)
    reasons = {each.label: each.reason for each in collect(runs).problems}
    assert reasons["empty"] == "cannot be read: Permission denied"


def stored(runs: Sequence[StoredRun]) -> StoredStudies:
    return stored_studies(runs[0])


def test_studies_are_read_where_they_were_made(runs: Path, tmp_path: Path) -> None:
    write_study(shutil.copytree(runs / "two", tmp_path / "two"))
    (entry,) = collect(tmp_path, studies=stored).entries
    assert [each.study for each in entry.records] == ["looked"]


@pytest.mark.parametrize("kind", ["other", "damaged"])
def test_a_study_of_another_run_is_left_out_and_said(runs: Path, tmp_path: Path, kind: str) -> None:
    folder = shutil.copytree(runs / "two", tmp_path / "two")
    path = write_study(folder)
    digest = json.loads((folder / "certificate.json").read_text())["digest"]
    path.write_text("{" if kind == "damaged" else path.read_text().replace(digest, "0" * 64))
    found = collect(tmp_path, studies=stored)
    assert found.entries[0].records == ()
    (problem,) = found.problems
    assert problem.label == "two"
    assert problem.reason.startswith("listed without its studies: looked/study.json ")


def test_a_run_whose_page_fails_is_listed_without(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> str:
        raise SerbenchError(f"{runs / 'two'}/readings/x.npz is damaged")

    monkeypatch.setattr(collect_module, "report_page", fails)
    found = collect(runs / "two")
    assert found.entries[0].page == ""
    assert [each.reason for each in found.problems] == [
        "listed without its own page: readings/x.npz is damaged"
    ]


def test_a_bug_of_ours_is_no_damage(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> str:
        raise NotImplementedError

    monkeypatch.setattr(collect_module, "report_page", fails)
    with pytest.raises(NotImplementedError):
        collect(runs / "two")


def test_labels_are_places_below_the_folder(tmp_path: Path) -> None:
    make_corpus_run(tmp_path / "a" / "same", "one", {"akd": 0.9})
    make_corpus_run(tmp_path / "b" / "same", "two", {"akd": 0.9})
    assert [entry.label for entry in collect(tmp_path).entries] == ["a/same", "b/same"]
