from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests_support.corpora import make_corpus_run

from serbench.results.site import collect as collect_module
from serbench.results.site.collect import Collection, collect

SKILLS = {"akd": 0.9, "kd": 0.6}
TEACHER = {"teacher:w": 0.95}


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of two corpora at several depths, two sets of folds, a leaky one, and what is broken."""
    root = tmp_path_factory.mktemp("runs")
    make_corpus_run(root / "deep" / "er" / "one-first", "one", SKILLS | TEACHER, seeds=2)
    make_corpus_run(root / "one-more", "one", {"akd": 0.8, "mha": 0.5} | TEACHER)
    make_corpus_run(root / "one-other-folds", "one", {"akd": 0.7, "kd": 0.5}, folds="loso")
    make_corpus_run(root / "two", "two", {"akd": 0.7, "kd": 0.5})
    make_corpus_run(root / "all-heard", "one", {"akd": 0.99}, protocol="leaky-random")
    shutil.copytree(root / "two", root / "two-copied")
    for name, missing in (("stopped", "predictions.parquet"), ("nameless", "plan.json")):
        shutil.copytree(root / "two", root / name)
        (root / name / missing).unlink()
    (root / "empty").mkdir()
    (root / "notes.txt").write_text("not a run")
    return root


@pytest.fixture
def plain_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of runs that cost nothing."""
    monkeypatch.setattr(collect_module, "report_page", _plain)


@pytest.fixture(scope="session")
def collection(runs: Path) -> Collection:
    """All of ``runs``, with pages that cost nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(collect_module, "report_page", _plain)
        return collect(runs)


def _plain(results, *_: object) -> str:
    return f"<!DOCTYPE html><title>{results.runs[0].certificate.digest}</title>"
