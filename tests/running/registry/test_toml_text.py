from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serbench.api import RegistryError
from serbench.running.registry.toml_text import dump_toml, key_lines, read_toml

TRICKY = '''\
# a comment with [brackets] = and "quotes"
top = 1
[a]
plain = "x = [1"   # not a key: y = 2
"quoted.key" = 'z'
dotted.inner.deep = 3
list = [
  "one", # ]
  { k = "v" },
]
text = """
fake = 1
[fake]
"""
after = true
[b."c d".e]
f = 1
[[many]]
g = 1
[[many]]
h = 2
'''


def test_every_key_has_its_line() -> None:
    tomllib.loads(TRICKY)
    assert key_lines(TRICKY) == {
        ("top",): 2,
        ("a",): 3,
        ("a", "plain"): 4,
        ("a", "quoted.key"): 5,
        ("a", "dotted"): 6,
        ("a", "dotted", "inner"): 6,
        ("a", "dotted", "inner", "deep"): 6,
        ("a", "list"): 7,
        ("a", "text"): 11,
        ("a", "after"): 15,
        ("b", "c d", "e"): 16,
        ("b", "c d", "e", "f"): 17,
        ("many",): 18,
        ("many", "g"): 19,
        ("many", "h"): 21,
    }


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
scalars = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(texts, values, max_size=4))
@settings(max_examples=60)
def test_what_is_dumped_reads_back_the_same(tables: dict[str, object]) -> None:
    assert tomllib.loads(dump_toml(tables)) == tables


@given(st.dictionaries(texts, st.dictionaries(texts, scalars, max_size=3), max_size=4))
@settings(max_examples=60)
def test_every_dumped_key_is_found_on_its_line(tables: dict[str, dict[str, object]]) -> None:
    text = dump_toml(tables)
    lines = key_lines(text)
    for table, content in tables.items():
        for key in content:
            line = text.split("\n")[lines[table, key] - 1]
            assert list(tomllib.loads(line)) == [key]


def test_comments_stand_above_their_table_and_none_is_left_out() -> None:
    text = dump_toml({"a": {"b": {"x": 1, "y": None}}}, {("a", "b"): "file:3"})
    assert text == "# file:3\n[a.b]\nx = 1\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[a]\nx = \n", r"r\.toml:2: not valid TOML: Invalid value"),
        (b"[a]\nx = 1\nx = 2\n", r"r\.toml:3: not valid TOML: Cannot overwrite"),
        (b"[a\n", r"r\.toml:1: not valid TOML"),
        (b'x = """', r"r\.toml:1: not valid TOML: Unterminated string"),
        (b"\xff\xfe", r"r\.toml: cannot be read: it is UTF-16"),
        (b"a = \xff", r"r\.toml: cannot be read: line 1 is not UTF-8"),
        (b"a = " + b"[" * 9000, r"r\.toml: tables or lists are nested too deep"),
        (b"a = 1" + b"0" * 5000, r"r\.toml:1: not valid TOML: Exceeds the limit"),
        (None, r"r\.toml: cannot be read: No such file"),
    ],
)
def test_a_file_that_is_not_toml(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "r.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RegistryError, match=message):
        read_toml(path, "r.toml")
