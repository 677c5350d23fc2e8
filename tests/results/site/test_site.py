from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests_support.corpora import make_corpus_run
from tests_support.replays import contents

from serbench.errors import SerbenchError
from serbench.files import atomic
from serbench.results.site import site as site_module
from serbench.results.site.collect import MARKER, Collection, collect
from serbench.results.site.site import Written, write_leaderboard

pytestmark = pytest.mark.usefixtures("plain_pages")


@pytest.fixture(scope="module")
def built(collection: Collection, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """The site of all runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(site_module, "collect", lambda *_: collection)
        return write_leaderboard(Path("runs"), tmp_path_factory.mktemp("built") / "site")


@pytest.fixture
def few(runs: Path, tmp_path: Path) -> Path:
    """Two runs, to be changed."""
    for name in ("one-more", "two"):
        shutil.copytree(runs / name, tmp_path / "few" / name)
    return tmp_path / "few"


def test_a_page_for_each_corpus_and_run(built: Written) -> None:
    site = built.index.parent
    names = set(contents(site))
    assert {"index.html", MARKER, "corpora/one.html", "corpora/two.html"} < names
    assert sum(name.startswith("runs/") for name in names) == 5
    assert built.index == site / "index.html"
    assert len(built.lines) == 8
    marker = json.loads((site / MARKER).read_text())
    assert set(marker["pages"]) == names - {MARKER}


def test_the_rows_as_numbers(built: Written) -> None:
    rows = json.loads((built.index.parent / MARKER).read_text())["rows"]
    assert len(rows) == len(built.lines) + 1
    for row, line in zip([r for r in rows if r["run"] != "all-heard"], built.lines, strict=True):
        assert (row["run"], row["method"]) == (line.entry.label, line.method)
        assert row["ua"] == line.result.pooled["ua"].value
        assert row["certificate"] == line.entry.digest
        assert row["protocol"] == "speaker-independent"
        assert row["parameters_max"] == 391_207
    (leaky,) = (row for row in rows if row["run"] == "all-heard")
    assert leaky["protocol"] == "leaky-random"


def test_the_same_runs_give_the_same_bytes(few: Path, tmp_path: Path) -> None:
    first = write_leaderboard(few, tmp_path / "a").index.parent
    moved = shutil.copytree(few, tmp_path / "elsewhere")
    second = write_leaderboard(moved, tmp_path / "b").index.parent
    assert contents(first) == contents(second)
    assert contents(write_leaderboard(few, first).index.parent) == contents(second)


def test_no_page_tells_where_the_runs_are(built: Written, runs: Path) -> None:
    for name, content in contents(built.index.parent).items():
        assert str(runs).encode() not in content, name


def test_a_run_that_is_gone_loses_its_page(few: Path, tmp_path: Path) -> None:
    site = write_leaderboard(few, tmp_path / "site").index.parent
    before = set(contents(site))
    (site / "CNAME").write_text("somebody's own")
    shutil.rmtree(few / "two")
    write_leaderboard(few, site)
    gone = before - set(contents(site))
    assert len(gone) == 2
    assert "corpora/two.html" in gone
    assert (site / "CNAME").is_file()


def test_a_run_keeps_its_address_when_others_come(few: Path, tmp_path: Path) -> None:
    site = write_leaderboard(few, tmp_path / "site").index.parent
    before = {name for name in contents(site) if name.startswith("runs/")}
    make_corpus_run(few / "a-new-one", "one", {"akd": 0.6})
    write_leaderboard(few, site)
    assert before < set(contents(site))


def test_a_site_below_the_runs_is_no_run(few: Path) -> None:
    write_leaderboard(few, few / "leaderboard")
    assert write_leaderboard(few, few / "leaderboard").problems == ()


def test_a_folder_with_something_else_is_left_alone(few: Path, tmp_path: Path) -> None:
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "index.html").write_text("mine")
    with pytest.raises(SerbenchError, match="thesis is not a leaderboard and not empty"):
        write_leaderboard(few, other)
    assert contents(other) == {"index.html": b"mine"}
    with pytest.raises(SerbenchError, match="two is not a leaderboard"):
        write_leaderboard(few, few / "two")
    (tmp_path / "file").write_text("")
    with pytest.raises(SerbenchError, match="file is a file"):
        write_leaderboard(few, tmp_path / "file")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"kind": "game", "pages": []}', "serbench did not write its"),
        ("[]", "cannot be read"),
        ("{", "cannot be read"),
        ('{"kind": "serbench leaderboard"}', "cannot be read"),
        ('{"kind": "serbench leaderboard", "pages": 3}', "cannot be read"),
    ],
)
def test_another_leaderboard_json_is_left_alone(
    few: Path, tmp_path: Path, content: str, message: str
) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / MARKER).write_text(content)
    with pytest.raises(SerbenchError, match=message):
        write_leaderboard(few, site)
    assert contents(site) == {MARKER: content.encode()}


def test_an_empty_folder_is_taken(few: Path, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / f".{MARKER}.1-ab.tmp").write_text("of a build that was killed at once")
    assert write_leaderboard(few, tmp_path / "site").index.is_file()


def test_a_marker_cannot_have_other_files_removed(few: Path, tmp_path: Path) -> None:
    site = write_leaderboard(few, tmp_path / "site").index.parent
    (tmp_path / "victim.html").write_text("mine")
    (site / "notes.html").write_text("mine")
    marker = json.loads((site / MARKER).read_text())
    marker["pages"] += ["../victim.html", "runs/../../victim.html", "notes.html", 7]
    (site / MARKER).write_text(json.dumps(marker))
    write_leaderboard(few, site)
    assert (tmp_path / "victim.html").is_file()
    assert (site / "notes.html").is_file()


def test_a_build_that_was_stopped_is_taken_up(
    few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = contents(write_leaderboard(few, tmp_path / "whole").index.parent)
    write, found = site_module.write_atomically, collect(few)
    monkeypatch.setattr(site_module, "collect", lambda *_: found)
    for stop in (1, 2, 4, len(whole) - 1):
        left = iter(range(stop))

        def stops(path: Path, content: bytes, left: object = left) -> None:
            if next(left, None) is None:  # pyright: ignore[reportArgumentType, reportCallIssue]
                raise KeyboardInterrupt
            write(path, content)

        site = tmp_path / f"site-{stop}"
        for module in (site_module, atomic):  # text is written through the second
            monkeypatch.setattr(module, "write_atomically", stops)
        with pytest.raises(KeyboardInterrupt):
            write_leaderboard(few, site)
        for module in (site_module, atomic):
            monkeypatch.setattr(module, "write_atomically", write)
        assert contents(write_leaderboard(few, site).index.parent) == whole


def test_nothing_finished_is_an_error(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(SerbenchError, match=r"no run found in .*empty or its subfolders; make one"):
        write_leaderboard(runs / "empty", tmp_path / "site")
    with pytest.raises(SerbenchError, match=r"no finished run .*\(stopped: stopped has no pred"):
        write_leaderboard(runs / "stopped", tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_corpora_that_differ_in_case_have_two_pages(tmp_path: Path) -> None:
    for number, name in enumerate(("emo", "EMO", "Emo")):
        make_corpus_run(tmp_path / "runs" / str(number), name, {"akd": 0.9})
    site = write_leaderboard(tmp_path / "runs", tmp_path / "site").index.parent
    pages = sorted(path.name for path in (site / "corpora").iterdir())
    assert pages == ["emo-2.html", "emo-3.html", "emo.html"]
