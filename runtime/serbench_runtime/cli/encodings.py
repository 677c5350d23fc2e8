"""What a terminal or a file cannot spell: output stays readable, and no command ends over it."""

from __future__ import annotations

import codecs
import io
import json
import sys

from serbench_runtime.cli.disarm import underlying
from serbench_runtime.errors import visible

READABLE = "serbench-readable"
"""Name under which Python knows how characters are replaced that an encoding lacks."""

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

    Letters with marks and whatever else has no usual spelling are written as Python writes them:
    ``\u0142``. Bytes of file names that are no UTF-8 are, too: ``\xfc``.
    """
    codecs.register_error(READABLE, _replaced)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=READABLE)


def print_utf8() -> None:
    """From here on standard output is UTF-8, for programs that read it; terminals stay theirs."""
    stream = underlying(sys.stdout)
    if isinstance(stream, io.TextIOWrapper) and not stream.isatty():
        stream.reconfigure(encoding="utf-8", newline="\n")


def print_json(content: object) -> None:
    """Print JSON, in UTF-8 where it goes to a program."""
    print_utf8()
    # Names of files may hold bytes that are no UTF-8: JSON spells them, as in \udcfc.
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
    if 0x2500 <= ord(character) < 0x25A0:  # lines of boxes, and blocks of bars
        return _LINES.get(character, "#" if character >= "▀" else "+")
    return visible(character).encode("ascii", "backslashreplace").decode()
