from __future__ import annotations

import pytest
from pydantic import BaseModel

from serbench.api.json_text import MOST_NESTED, read_json, read_model, read_object, utf8_text


class Part(BaseModel):
    counts: dict[str, int]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "line 1, column 2: "),
        (b'{\n"a": 1,}', "line 2, column "),
        (b"[" * 100_000, "nested more than 64 deep"),
        (b'{"a":' * 100_000, "nested more than 64 deep"),
        (b"[" * 65 + b"]" * 65, "nested more than 64 deep"),
        (b"[1e400]", "the number '1e400' is too large"),
        (b"[-1e999]", "too large"),
        (b"[1" + b"0" * 5000 + b"]", "the number '1000.*…' is too large"),
        (b"[18446744073709551616]", "too large"),
        (b"[NaN]", "NaN is not a JSON number"),
        (b"[-Infinity]", "-Infinity is not a JSON number"),
        (b'{"a": {"b": 1, "b": 2}}', "the key 'b' occurs twice"),
        ("[1]".encode("utf-16"), "it is UTF-16"),
        ("[1]".encode("utf-32"), "it is UTF-32"),
        (b"\xef\xbb\xbf[1]", "byte order mark"),
        (b'[\n"\xff"]', "line 2 is not UTF-8"),
        (b"", "line 1, column 1"),
    ],
)
def test_what_is_no_plain_json_is_refused_with_its_place(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_json(content)


def test_plain_json_is_read() -> None:
    assert read_json('{"a": [1, -2.5, null, true, "ü"]}') == {"a": [1, -2.5, None, True, "ü"]}
    assert read_json("[" * MOST_NESTED + "]" * MOST_NESTED)
    assert read_json(str(2**64 - 1)) == 2**64 - 1


def test_an_object_is_no_list() -> None:
    with pytest.raises(ValueError, match="not a JSON object"):
        read_object(b"[]")


def test_a_model_says_where_it_does_not_fit() -> None:
    with pytest.raises(ValueError, match=r"^counts\.b: Input should be a valid integer"):
        read_model(Part, b'{"counts": {"a": 1, "b": "x"}}')
    with pytest.raises(ValueError, match="occurs twice"):
        read_model(Part, b'{"counts": {"a": 1, "a": 2}}')
    assert read_model(Part, b'{"counts": {"a": 1}}').counts == {"a": 1}


def test_a_spreadsheet_may_mark_its_text() -> None:
    assert utf8_text(b"\xef\xbb\xbfa", marked=True) == "a"
    with pytest.raises(ValueError, match="UTF-16"):
        utf8_text("a".encode("utf-16"), marked=True)
