from __future__ import annotations

import io
import json
import sys

import pytest
import typer

from serbench.benchmark.disarm import DisarmedConsole, stderr
from serbench.benchmark.progress import BarObserver, LineObserver, progress_observer
from serbench.cli.console import say
from serbench.cli.output import print_table
from serbench_runtime.cli.disarm import disarm, disarmed

NASTY = "a\x1b[2J\x1b]0;title\x07\r\x9b1m\u202eb\x00\ud800"
HARMLESS = "a\\u001b[2J\\u001b]0;title\\u0007\\u000d\\u009b1m\\u202eb\\u0000\\ud800"


def test_control_characters_are_written_out() -> None:
    assert disarm(NASTY) == HARMLESS
    assert disarm("Müller\tä\n日本 \udcff") == "Müller\tä\n日本 \udcff"


@pytest.mark.parametrize(
    "write",
    [
        lambda: print(NASTY),
        lambda: typer.echo(NASTY),
        lambda: say(NASTY),
        lambda: print_table(NASTY, ["name"], [[NASTY]]),
        lambda: sys.stdout.writelines([NASTY]),
    ],
)
def test_whatever_prints_is_disarmed(capsys: pytest.CaptureFixture[str], write: object) -> None:
    with disarmed(), disarmed():
        write()  # pyright: ignore[reportCallIssue]
    out = capsys.readouterr().out
    assert "\\u001b" in out
    assert not set(out) & set("\x1b\x07\r\x9b\u202e\x00")


def test_printed_json_means_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    name = "a\x9b\u202e\x1b"
    with disarmed():
        print(json.dumps([name], ensure_ascii=False))
    assert json.loads(capsys.readouterr().out) == [name]


def test_our_own_colours_stay() -> None:
    file = io.StringIO()
    console = DisarmedConsole(file=file, force_terminal=True, color_system="standard")
    console.print(f"[red]{NASTY}[/red]", highlight=False)
    assert file.getvalue().startswith("\x1b[31ma\\u001b[2J")


def test_a_terminal_console_writes_past_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.StringIO()
    monkeypatch.setattr(sys, "stdout", raw)
    with disarmed():
        DisarmedConsole(force_terminal=True, color_system="standard").print("[red]a[/red]\x1b")
    assert raw.getvalue() == "\x1b[31ma\x1b[0m\\u001b\n"


MARKED = ("teacher whisper[fp16]", "a [/red] b", "[bold", "[link=x]y[/link]")


@pytest.mark.parametrize("message", MARKED)
@pytest.mark.parametrize("terminal", [True, False])
def test_announcements_are_no_markup(
    monkeypatch: pytest.MonkeyPatch, message: str, terminal: bool
) -> None:
    file = io.StringIO()
    console = DisarmedConsole(file=file, width=100, force_terminal=terminal, color_system=None)
    monkeypatch.setattr("serbench.benchmark.progress.stderr", lambda: console)
    with progress_observer(None) as observer:  # pyright: ignore[reportArgumentType]
        assert isinstance(observer, BarObserver if terminal else LineObserver)
        observer.announce(message)
        observer.advance(message, 1, 1)
    assert message in file.getvalue()


def test_stderr_is_disarmed(capsys: pytest.CaptureFixture[str]) -> None:
    stderr().print(NASTY, markup=False)
    assert "\x1b" not in capsys.readouterr().err
