"""Reads TOML with the line of each key, which ``tomllib`` does not keep, and writes TOML."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from serbench.api.json_text import check_depth, utf8_text
from serbench.errors import RegistryError

KeyPath = tuple[str, ...]

_TOKEN = re.compile(
    r'''(?P<string>"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')'''
    r"""|(?P<comment>\#[^\n]*)|(?P<newline>\n)|(?P<mark>[\[\]{}=.,])|(?P<bare>[^\s\#\[\]{}=.,"']+)""",
    re.DOTALL,
)


def read_toml(path: Path, shown: str) -> tuple[dict[str, object], dict[KeyPath, int]]:
    """The tables of a TOML file, and the line (from 1) of each key.

    Raises:
        RegistryError: the file is unreadable, not UTF-8, or not TOML. The message names ``shown``
            and the line.
    """
    try:
        text = utf8_text(path.read_bytes()).replace("\r\n", "\n")
    except OSError as error:
        raise RegistryError(f"{shown}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise RegistryError(f"{shown}: cannot be read: {error}") from error
    try:
        tables = tomllib.loads(text)
        check_depth(tables)
        return tables, key_lines(text)
    except RecursionError as error:
        raise RegistryError(f"{shown}: tables or lists are nested too deep") from error
    except ValueError as error:  # from tomllib, or from Python for a huge number
        message, line = _syntax_error(str(error), text)
        raise RegistryError(f"{shown}:{line}: not valid TOML: {message}") from error


def _syntax_error(message: str, text: str) -> tuple[str, int]:
    found = re.search(r" \(at line (\d+), column \d+\)$", message)
    if found:
        return message[: found.start()], int(found[1])
    return message, text.count("\n") + 1


def key_lines(text: str) -> dict[KeyPath, int]:
    """The line of every table header and key of a valid TOML document.

    Keys inside arrays and inline tables are not listed: their line is that of the key they belong
    to, and TOML keeps an inline table on one line.
    """
    lines: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for line, statement in _statements(text):
        if statement[0] == ("[", True):
            table = _keys(statement)
            lines.setdefault(table, line)
            continue
        equals = statement.index(("=", True))
        path = table + _keys(statement[:equals])
        for end in range(len(table) + 1, len(path) + 1):
            lines.setdefault(path[:end], line)
    return lines


Token = tuple[str, bool]
"""Text of a token, and whether it is a mark of punctuation (not a string that only looks
like one).
"""


def _statements(text: str) -> Iterator[tuple[int, list[Token]]]:
    """Each header or assignment with its first line; arrays may span several lines."""
    statement: list[Token] = []
    depth, line, first = 0, 1, 1
    for match in _TOKEN.finditer(text):
        piece, kind = match.group(), match.lastgroup
        if kind == "newline" and depth == 0 and statement:
            yield first, statement
            statement = []
        elif kind in {"string", "bare", "mark"}:
            if not statement:
                first = line
            statement.append((piece, kind == "mark"))
            if kind == "mark":
                depth += (piece in "[{") - (piece in "]}")
        line += piece.count("\n")
    if statement:
        yield first, statement


def _keys(tokens: Sequence[Token]) -> KeyPath:
    """The parts of a dotted key; bare keys may contain only letters, digits, ``-`` and ``_``."""
    return tuple(
        str(tomllib.loads(f"key = {token}")["key"]) if token[0] in "\"'" else token
        for token, is_mark in tokens
        if not is_mark
    )


def dump_toml(tables: Mapping[str, object], comments: Mapping[KeyPath, str] | None = None) -> str:
    """``tables`` as TOML text, a header for every table, with comments above the headers.

    Values that are None are left out, because TOML cannot express them.
    """
    return "\n".join(_dump_table((), tables, comments or {})).strip("\n") + "\n"


def _dump_table(
    path: KeyPath, table: Mapping[str, object], comments: Mapping[KeyPath, str]
) -> Iterator[str]:
    plain = {
        key: value
        for key, value in table.items()
        if value is not None and not isinstance(value, Mapping)
    }
    nested = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    if path and (plain or not nested or path in comments):
        yield ""
        if path in comments:
            yield f"# {comments[path]}"
        yield f"[{'.'.join(_key(part) for part in path)}]"
    for key, value in plain.items():
        yield f"{_key(key)} = {toml_value(value)}"
    for key, value in nested.items():
        yield from _dump_table((*path, key), value, comments)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _string(key)


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_value(value: object) -> str:
    """A value on one line, as it is written after ``=``."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case Mapping():
            inside = (f"{_key(k)} = {toml_value(v)}" for k, v in value.items() if v is not None)
            return "{" + ", ".join(inside) + "}"
        case list() | tuple():
            return "[" + ", ".join(toml_value(item) for item in value) + "]"
        case _:
            return _string(str(value))
