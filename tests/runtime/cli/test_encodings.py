"""Terminals that are not UTF-8, and names that are not text."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import unicodedata

import pytest

from serbench_runtime.cli.encodings import keep_output_readable, print_json, print_utf8

FOREIGN = os.fsdecode(b"M\xfcller")
"""The name of a file as Linux has it from an old archive."""


def stream(monkeypatch: pytest.MonkeyPatch, encoding: str) -> io.BytesIO:
    """Standard output and error from now on."""
    written = io.BytesIO()
    text = io.TextIOWrapper(written, encoding, write_through=True)
    monkeypatch.setattr(sys, "stdout", text)
    monkeypatch.setattr(sys, "stderr", text)
    keep_output_readable()
    return written


@pytest.mark.parametrize(
    ("encoding", "text", "shown"),
    [
        ("cp1252", "−27.1 … “ΔUA”, γ ≥ 1", b"-27.1 \x85 \x93DeltaUA\x94, gamma >= 1"),
        ("latin-1", "−27.1 … “ΔUA” ± 1", b'-27.1 ... "DeltaUA" \xb1 1'),
        ("ascii", "┏━━┓│█░ Łódź", rb"+--+|## \u0141\xf3d\u017a"),
        ("utf-8", "ΔUA ┏━┓", "ΔUA ┏━┓".encode()),
        ("utf-8", FOREIGN, rb"M\xfcller"),
        ("latin-1", FOREIGN, rb"M\xfcller"),
        ("utf-8", "\ud83d", rb"\ud83d"),
    ],
)
def test_what_an_encoding_lacks_is_spelled_out(
    monkeypatch: pytest.MonkeyPatch, encoding: str, text: str, shown: bytes
) -> None:
    written = stream(monkeypatch, encoding)
    print(text, end="")
    assert written.getvalue() == shown
    print(text, end="", file=sys.stderr)
    assert written.getvalue() == 2 * shown


def test_what_programs_read_is_utf_8_in_any_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    written = stream(monkeypatch, "cp1252")
    print_json({"label": "Ärger, ΔUA", "file": FOREIGN})
    assert "Ärger, ΔUA".encode() in written.getvalue()
    read = json.loads(written.getvalue().decode("utf-8"))
    assert read == {"label": "Ärger, ΔUA", "file": FOREIGN}


def test_a_terminal_keeps_its_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    written = stream(monkeypatch, "cp1252")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_utf8()
    print("Ä", end="")
    assert written.getvalue() == "Ä".encode("cp1252")


def test_every_greek_letter_of_the_method_has_a_spelling(monkeypatch: pytest.MonkeyPatch) -> None:
    written = stream(monkeypatch, "ascii")
    print("αβγδΔελρστ", end="")
    assert b"\\" not in written.getvalue()
    assert unicodedata.name("Δ").endswith("DELTA")


@pytest.mark.parametrize("command", [["registry", "show"], ["run", "--help"]])
def test_no_command_ends_over_the_encoding_of_its_terminal(command: list[str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "serbench", *command],
        env=os.environ | {"PYTHONIOENCODING": "latin-1"}, capture_output=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr.decode("latin-1")
    assert ended.stdout.decode("latin-1")
