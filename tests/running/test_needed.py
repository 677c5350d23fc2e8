from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from serbench.api import VERSION, PluginError
from serbench.running.plugins import load_plugins

RAN = "raise RuntimeError('it was run')\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that modules are imported from; packages of tests are forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    return tmp_path


def cause(module: str) -> str:
    (failed,) = load_plugins([EntryPoint("theirs", module, "serbench")]).failed
    return failed.cause


def test_a_plugin_for_another_contract_is_told_and_not_run(folder: Path) -> None:
    package = folder / "of_tomorrow"
    package.mkdir()
    (package / "__init__.py").write_text(RAN)
    (package / "plugin.py").write_text(f'{RAN}SERBENCH_API = ">=99.0,<100"\n')
    told = cause("of_tomorrow.plugin")
    assert told == (
        f"it needs serbench.api >=99.0,<100, but this serbench has {VERSION}: update the plugin, "
        "or install another version of serbench"
    )
    assert "of_tomorrow" not in sys.modules


def test_who_asks_for_it_is_told_why_it_is_not_there(folder: Path) -> None:
    (folder / "of_yesterday.py").write_text('SERBENCH_API: str = "<1"\n' + RAN)
    plugins = load_plugins([EntryPoint("old", "of_yesterday", "serbench")])
    with pytest.raises(PluginError, match=r"not loaded: old of unknown .*needs serbench\.api <1"):
        plugins.get("losses", "theirs")


@pytest.mark.parametrize("declared", ["", 'SERBENCH_API = ">=1.0,<2"\n', 'X = "SERBENCH_API"\n'])
def test_a_plugin_for_this_contract_or_for_none_in_particular_is_loaded(
    folder: Path, declared: str
) -> None:
    (folder / "of_today.py").write_text(declared)
    (loaded,) = load_plugins([EntryPoint("now", "of_today", "serbench")]).loaded
    assert loaded.entry_point == "now"


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ("'one'", "SERBENCH_API = 'one' is not a range of versions; write it as '>=1.0,<2'"),
        ("1.0", "SERBENCH_API must be text"),
        ("'>=' + '1.0'", "SERBENCH_API must be text"),
    ],
)
def test_what_cannot_be_read_is_told(folder: Path, declared: str, told: str) -> None:
    (folder / "of_nowhere.py").write_text(f"SERBENCH_API = {declared}\n{RAN}")
    assert cause("of_nowhere").startswith(told)


def test_a_module_that_cannot_be_parsed_fails_as_it_did(folder: Path) -> None:
    (folder / "of_nothing.py").write_text('SERBENCH_API = ">=1.0"\nthis is no Python\n')
    assert cause("of_nothing").startswith("SyntaxError")
