"""Ways to damage a file: by its structure where it has one, else by its bytes."""

from __future__ import annotations

import io
import json
import random
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd

RAW = "raw:"
"""Begins a value that is written without quotes, so that it need not be JSON or TOML."""

WORDS = (
    *("", " ", "..", ".", "/", "../../outside", "/etc/passwd", "a/b", "a\\b", "C:\\x", "\0", "con"),
    *("\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\u202e", "\u2028", "\x85", "\r\n", "\x9b1m"),
    *("[/red]", "[bold]", "[", "{}", "%s", "{0}", "a,b", '"', "'", "\t", "#", "~", "~root"),
    *("=1+1", "+1", "-1", "@SUM(A1)", '=HYPERLINK("http://x")', "nan", "inf", "1e400", "True"),
    *("\ud800", "é", "e\u0301", "x" * 5000, "0" * 400, "ÅÄÖ", "http://127.0.0.1:9/x.zip"),
    *("teacher:", "teacher:x", "outer-1", "outer-99", "functionals", "demo", "akd", "proper"),
)  # fmt: skip
NUMBERS = (
    *(0, -1, 1, 2, 0.5, -0.0, 1e308, -1e308, 1e-320),
    *(2**31, 2**63, 2**64, -(2**63) - 1, 10**18),
)
TOKENS = (
    *("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1" + "0" * 400, "1" + "0" * 5000),
    *("nan", "inf", "true", "tru", "null", "{", "]", "1.", "--1", "1_000", "1979-05-27", "'x'"),
)
NESTED = ("[" * 60 + "]" * 60, "[" * 900 + "]" * 900, "[" * 100_000, '{"a":' * 100_000)
ENCODINGS = ("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "latin-1", "cp037")


def mutate(path: Path, rng: random.Random) -> str:
    """Damage a file, and say how."""
    ways = BY_ENDING.get(path.suffix, (as_bytes,))
    way = rng.choice((*ways, as_bytes)) if rng.random() < 0.9 else as_bytes
    content = path.read_bytes()
    try:
        damaged = way(content, rng)
    except Exception:  # that way does not fit this file
        way, damaged = as_bytes, as_bytes(content, rng)
    path.write_bytes(damaged)
    return f"{path.name} {way.__name__}"


def value(rng: random.Random) -> object:
    """Something that is rarely what was meant."""
    kind = rng.randrange(9)
    if kind < 3:
        return rng.choice(WORDS)
    if kind < 5:
        return rng.choice(NUMBERS)
    if kind == 5:
        return RAW + rng.choice(TOKENS)
    if kind == 6:
        return RAW + rng.choice(NESTED)
    return rng.choice((None, True, False, [], {}, [None], [[]], {"": None}, {"x": {}}, ["a", 1]))


def json_text(content: object) -> bytes:
    """As JSON, raw values as they are."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=True)
    text = re.sub(rf'"{RAW}((?:[^"\\]|\\.)*)"', lambda found: json.loads(f'"{found[1]}"'), text)
    return text.encode("utf-8", errors="surrogatepass")


def _places(content: object) -> list[tuple[dict[str, object] | list[object], str | int]]:
    found, todo = [], [content]
    for each in todo:  # grows meanwhile: what is nested deepest comes last
        items = each.items() if isinstance(each, dict) else enumerate(each)  # pyright: ignore[reportArgumentType]
        for key, item in items:
            found.append((each, key))
            if isinstance(item, (dict, list)):
                todo.append(item)
    return found


def as_json(content: bytes, rng: random.Random) -> bytes:
    """Some values replaced, taken away, renamed, moved or doubled."""
    held = json.loads(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        places = _places(held)
        if not places:
            break
        # What stands near the top is read most; what stands deep is most of what there is.
        near = sorted(rng.sample(range(len(places)), min(4, len(places))))
        parent, key = places[near[0] if rng.random() < 0.5 else near[-1]]
        kind = rng.randrange(10)
        if kind < 6:
            parent[key] = value(rng)  # pyright: ignore[reportArgumentType, reportCallIssue]
        elif kind == 6:
            del parent[key]  # pyright: ignore[reportArgumentType, reportCallIssue]
        elif kind == 7:
            other, there = rng.choice(places)
            parent[key] = json.loads(json.dumps(other[there]))  # pyright: ignore[reportArgumentType, reportCallIssue]
        elif kind == 8 and isinstance(parent, dict):
            parent[str(rng.choice(WORDS))] = parent.pop(key)  # pyright: ignore[reportArgumentType, reportCallIssue]
        elif isinstance(parent, list):
            parent.append(parent[key])  # pyright: ignore[reportArgumentType, reportCallIssue]
    return json_text(held)


def doubled_key(content: bytes, rng: random.Random) -> bytes:
    """A line with a key written twice."""
    lines = content.split(b"\n")
    keyed = [i for i, line in enumerate(lines) if b'":' in line and not line.endswith((b"{", b"["))]
    place = rng.choice(keyed)
    line = lines[place].rstrip(b",")
    key = line.split(b'":')[0] + b'": '
    lines.insert(place, key + json_text(value(rng)) + b",")
    return b"\n".join(lines)


def as_json_lines(content: bytes, rng: random.Random) -> bytes:
    """One line as ``as_json``."""
    lines = content.splitlines()
    place = rng.randrange(len(lines))
    lines[place] = as_json(lines[place], rng)
    return b"\n".join(lines)


def as_cells(content: bytes, rng: random.Random) -> bytes:
    """Cells, columns or lines of a table damaged."""
    text = content.decode()
    between = "\t" if "\t" in text.split("\n")[0] else ","
    rows = [line.split(between) for line in text.splitlines()]
    for _ in range(rng.choice((1, 1, 2, 5))):
        row = rng.choice(rows) if rng.random() < 0.8 else rows[0]
        if not row:
            continue
        place = rng.randrange(len(row))
        kind = rng.randrange(7)
        if kind < 4:
            new = rng.choice((*WORDS, *map(str, NUMBERS), *TOKENS, "x" * 200_000))
            row[place] = f'"{new}"' if rng.random() < 0.4 else new
        elif kind == 4:
            del row[place]
        elif kind == 5:
            row.insert(place, row[place])
        else:
            rows.insert(rng.randrange(len(rows)), list(row))
    return "\n".join(between.join(row) for row in rows).encode("utf-8", errors="surrogatepass")


def as_toml(content: bytes, rng: random.Random) -> bytes:
    """Values or lines of TOML damaged."""
    lines = content.decode().split("\n")
    for _ in range(rng.choice((1, 1, 2))):
        place = rng.randrange(len(lines))
        key, equals, _ = lines[place].partition(" = ")
        kind = rng.randrange(6)
        if equals and kind < 4:
            new = value(rng)
            written = new[len(RAW) :] if isinstance(new, str) and new.startswith(RAW) else None
            lines[place] = f"{key} = {written or json_text(new).decode('utf-8', 'surrogatepass')}"
        elif kind == 4:
            del lines[place]
        else:
            lines.insert(
                place, rng.choice((lines[place], f"[{rng.choice(WORDS)}]", "a = 1", "[[x]]"))
            )
    return "\n".join(lines).encode("utf-8", errors="surrogatepass")


def encoded(content: bytes, rng: random.Random) -> bytes:
    """In another encoding, or with a byte that is none of UTF-8's."""
    if rng.random() < 0.3:
        place = rng.randrange(len(content) + 1)
        return (
            content[:place]
            + rng.choice((b"\xff", b"\xc3", b"\x00", b"\xed\xa0\x80"))
            + content[place:]
        )
    return content.decode().encode(rng.choice(ENCODINGS), errors="replace")


def as_frame(content: bytes, rng: random.Random) -> bytes:
    """A Parquet table with other columns, types or values."""
    table = pd.read_parquet(io.BytesIO(content))
    column = str(rng.choice(list(table.columns)))
    kind = rng.randrange(7)
    if kind == 0:
        table = table.drop(columns=column)
    elif kind == 1:
        table = table.rename(columns={column: str(rng.choice(WORDS[:30]))})
    elif kind == 2:
        table = table.head(rng.choice((0, 1, 5)))
    elif kind == 3:
        table = pd.concat([table, table.sample(3, random_state=rng.randrange(99))])
    else:
        rows = rng.sample(range(len(table)), rng.choice((1, len(table) // 2, len(table))))
        new = rng.choice((*NUMBERS, *WORDS[:30], None, float("nan"), float("inf")))
        table[column] = table[column].astype(object)
        table.iloc[rows, list(table.columns).index(column)] = new
        if rng.random() < 0.7:
            table[column] = table[column].infer_objects()
        if table[column].dtype == object and rng.random() < 0.5:
            table[column] = table[column].map(lambda each: None if each is None else str(each))
    written = io.BytesIO()
    table.to_parquet(written, index=False)
    return written.getvalue()


def as_bytes(content: bytes, rng: random.Random) -> bytes:
    """Bytes flipped, cut, put in or taken out; the beginning, where headers are, above all."""
    held = bytearray(content)
    if not held or rng.random() < 0.1:
        return rng.choice(
            (b"", b"\0", b"{}", b"[]", b"null", b"<html>", b"PK\x03\x04", b"\n" * 100)
        )
    for _ in range(rng.choice((1, 1, 2, 8))):
        near = min(len(held), 200) if rng.random() < 0.6 else len(held)
        place = rng.randrange(max(near, 1))
        kind = rng.randrange(5)
        if kind == 0:
            held[place : place + 1] = bytes([rng.randrange(256)])
        elif kind == 1:
            del held[place:]
        elif kind == 2:
            held[place:place] = rng.randbytes(rng.choice((1, 4, 100)))
        elif kind == 3:
            del held[place : place + rng.choice((1, 4, 100))]
        else:
            held[place : place + 4] = rng.choice(
                (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff")
            )
        if not held:
            break
    return bytes(held)


Way = Callable[[bytes, random.Random], bytes]

BY_ENDING: dict[str, tuple[Way, ...]] = {
    ".json": (as_json, as_json, as_json, as_json, doubled_key, encoded),
    ".jsonl": (as_json_lines, as_json_lines, encoded),
    ".csv": (as_cells, as_cells, encoded),
    ".tsv": (as_cells, as_cells, encoded),
    ".toml": (as_toml, as_toml, as_toml, encoded),
    ".parquet": (as_frame, as_frame, as_frame),
}
