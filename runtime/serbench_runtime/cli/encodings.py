"""Replaces characters that an output's encoding lacks: output stays readable, nothing fails."""

from __future__ import annotations

import codecs
import io
import json
import sys

from serbench_runtime.cli.disarm import underlying
from serbench_runtime.errors import visible

READABLE = "serbench-readable"
"""Name of the replacement in Python's registry of error handlers."""

_SPELLINGS = {
    "−": "-", "–": "-", "—": "-", "…": "...", "‘": "'", "’": "'", "“": '"', "”": '"', "„": '"',
    "×": "x", "·": ".", "•": "*", "→": "->", "←": "<-", "≥": ">=", "≤": "<=", "≈": "~", "≠": "!=",
    "±": "+/-", "√": "sqrt", "∞": "inf", "½": "1/2", "²": "2", "µ": "u", "μ": "u", "α": "alpha",
    "β": "beta", "γ": "gamma", "δ": "delta", "Δ": "Delta", "ε": "epsilon", "κ": "kappa",
    "λ": "lambda", "ρ": "rho", "σ": "sigma", "τ": "tau", "χ": "chi", "✓": "ok", "✗": "x",
}  # fmt: skip

_LINES = {"─": "-", "━": "-", "═": "-", "│": "|", "┃": "|", "║": "|"}


def keep_output_readable() -> None:
    r"""Make standard output and error replace what their encoding lacks, instead of failing.

    Letters with marks and other characters without a usual spelling are escaped as in Python:
    ``\u0142``. So are bytes of file names that are not UTF-8: ``\xfc``.
    """
    codecs.register_error(READABLE, _replaced)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=READABLE)


def print_utf8() -> None:
    """Make standard output UTF-8 from here on, for programs that read it; terminals keep theirs."""
    stream = underlying(sys.stdout)
    if isinstance(stream, io.TextIOWrapper) and not stream.isatty():
        stream.reconfigure(encoding="utf-8", newline="\n")


def print_json(content: object) -> None:
    """Print JSON, in UTF-8 if a program reads it."""
    print_utf8()
    # File names may have bytes that are not UTF-8: JSON has escapes for them, such as \udcfc.
    text = json.dumps(content, indent=2, ensure_ascii=False)
    print(text.encode("utf-8", "backslashreplace").decode())


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(map(_spelled, text)), error.end


def _spelled(character: str) -> str:
    if character in _SPELLINGS:
        return _SPELLINGS[character]
    if 0x2500 <= ord(character) < 0x25A0:  # box drawings and block elements
        return _LINES.get(character, "#" if character >= "▀" else "+")
    return visible(character).encode("ascii", "backslashreplace").decode()
