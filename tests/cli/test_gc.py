from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from tests_support.cache_maker import CacheMaker
from typer.testing import CliRunner

from serbench.cli import app
from serbench.files.cache_use import using_cache
from serbench.files.gc.kinds import KINDS, NAMED_ONLY


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CacheMaker:
    """A cache, and a folder ``runs`` whose one run is made of the fit number 3."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SERBENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    fits = tmp_path / "runs" / "one" / "fits"
    fits.mkdir(parents=True)
    (fits / "fit.json").write_text(f'{{"key": "{"03" * 32}"}}')
    return CacheMaker(tmp_path / "cache")


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["gc", *arguments])
    return result.exit_code, result.output


def test_a_preview_removes_nothing_and_gives_the_command(cache: CacheMaker) -> None:
    cache.fit(1, days=40)
    cache.fit(2, days=3)
    cache.fit(3, days=99)
    before = cache.files()
    code, text = invoke("--older-than", "20d", "--kind", "fits")
    assert code == 0, text
    assert cache.files() == before
    row = next(line for line in text.splitlines() if line.startswith("fits "))
    assert "1       1" in row
    assert "unused for long" in row
    assert "1 used recently, 1 in stored runs" in row
    assert "Nothing was removed. To remove 1 file (" in text
    command = text.splitlines()[-1].strip()
    assert command == "serbench gc --kind fits --older-than 20d --yes"
    assert "Traceback" not in text


def test_the_command_that_is_given_removes_what_was_shown(cache: CacheMaker) -> None:
    old, new = cache.fit(1, days=40), cache.fit(2, days=3)
    stored, corpus = cache.fit(3, days=99), "corpora/demo/a.wav"
    cache.file(corpus, days=400)
    cache.file("thesis.tex", days=400)
    _, text = invoke("--all", "--runs", "runs")
    command = shlex.split(text.splitlines()[-1])
    assert command == ["serbench", "gc", "--all", "--runs", "runs", "--yes"]
    code, text = invoke(*command[2:])
    assert code == 0, text
    assert "Removed 2 files (" in text
    assert "Not touched: 1 file that serbench does not know, 0 links, such as thesis.tex." in text
    assert cache.files() == {stored, corpus, "thesis.tex"}
    assert {old, new}.isdisjoint(cache.files())
    assert (Path("runs") / "one" / "fits" / "fit.json").exists()


def test_stored_fits_and_corpora_go_when_they_are_asked_for(cache: CacheMaker) -> None:
    cache.fit(3, days=99)
    cache.file("corpora/demo/a.wav", days=400)
    assert invoke("--all", "--even-used", "--yes")[0] == 0
    assert cache.files() == {"corpora/demo/a.wav"}
    assert "There is nothing to remove." in invoke("--yes")[1]
    code, text = invoke("--kind", "corpora", "--yes")
    assert (code, cache.files()) == (0, set()), text
    assert "is empty" in invoke()[1]


def test_nothing_is_removed_while_a_command_uses_the_cache(cache: CacheMaker) -> None:
    old = cache.fit(1, days=40)
    with using_cache(cache.root):
        code, text = invoke()
        assert code == 0
        assert "nothing can be removed until it has finished" in text
        code, text = invoke("--yes")
        assert code == 2
        assert "the cache is in use by process " in text
    assert old in cache.files()
    assert invoke("--yes")[0] == 0
    assert old not in cache.files()


def test_without_runs_it_is_said(cache: CacheMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.fit(3, days=99)
    (cache.root.parent / "elsewhere").mkdir()
    monkeypatch.chdir(cache.root.parent / "elsewhere")
    code, text = invoke()
    assert code == 0
    assert "No run found, so all fits count as unused." in text
    assert "To remove 1 file" in text


def test_what_cannot_be_removed_is_an_error(
    cache: CacheMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.fit(1, days=40)

    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    code, text = invoke("--yes")
    assert code == 2
    assert "1 could not be removed, such as fits/01/" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--kind", "fit"), "the cache has no kind fit"),
        (("--older-than", "30"), "'30' is not an age"),
        (("--all", "--older-than", "3d"), "not both"),
        (("--runs", "nowhere"), "--runs nowhere: no such folder"),
    ],
)
def test_what_is_wrong_is_said_in_one_message(
    cache: CacheMaker, arguments: tuple[str, ...], message: str
) -> None:
    old = cache.fit(1, days=40)
    code, text = invoke(*arguments, "--yes")
    assert code == 2
    assert message in text
    assert "Traceback" not in text
    assert old in cache.files()


def test_help_names_every_kind() -> None:
    code, text = invoke("--help")
    assert code == 0
    assert [kind for kind in KINDS if kind not in text] == []
    assert list(KINDS)[-2:] == sorted(NAMED_ONLY, reverse=True)
