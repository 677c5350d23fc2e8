from __future__ import annotations

import sys

import pytest

from serbench.cli.output import print_table

ROWS = [("a", "a long\n cell"), ("bcd", "")]


def test_off_a_terminal_rows_are_lines_of_aligned_columns(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_table("Things", ("name", "about"), ROWS)
    assert capsys.readouterr().out == ("# Things\nNAME  ABOUT\na     a long cell\nbcd   -\n\n")


def test_on_a_terminal_it_is_a_rich_table_and_markup_is_text(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_table("Things", ("name", "about"), [("x", "[bold]y[/]")])
    out = capsys.readouterr().out
    assert "─" in out
    assert "[bold]y[/]" in out
