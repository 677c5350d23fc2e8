from __future__ import annotations

import webbrowser
from pathlib import Path

import pytest
from rich.table import Table
from typer.testing import CliRunner

from serbench.cli import app, report


@pytest.mark.parametrize("there", [True, False])
def test_the_page_is_opened_or_it_is_said_that_there_is_no_browser(
    there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    page = tmp_path / "report.html"

    def compared(folders: list[Path], place: Path, html: bool, *_: object) -> object:
        assert html
        return Table(), [("Report", tmp_path / "report.md"), ("Page", page)]

    def browse(address: str) -> bool:
        opened.append(address)
        return there

    monkeypatch.setattr("serbench.running.store.find.find_run", lambda *_: tmp_path)
    monkeypatch.setattr("serbench.results.report.ranks.span_corpora", lambda _: False)
    monkeypatch.setattr(report, "_compared", compared)
    monkeypatch.setattr(webbrowser, "open", browse)
    result = CliRunner().invoke(app, ["report", "one", "--open"])
    assert result.exit_code == 0
    assert opened == [page.as_uri()]
    assert ("No browser was found" in result.stderr) != there
