"""Strict reading of JSON from unknown sources, with errors in plain words."""

from __future__ import annotations

import codecs
import json
import math
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")

MOST_NESTED = 64
"""Greatest depth of objects and lists; serbench's own files are far below it."""

LARGEST = 2**64
"""Upper limit of whole numbers; digests are text."""

_BYTE_ORDER_MARKS = (
    ("UTF-32", (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)),
    ("UTF-16", (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)),
    ("UTF-8 with a byte order mark", (codecs.BOM_UTF8,)),
)


def utf8_text(content: bytes, *, marked: bool = False) -> str:
    """The text of a file in UTF-8.

    Args:
        content: content of the file.
        marked: whether a byte order mark is allowed, which spreadsheets write.

    Raises:
        ValueError: the file has another encoding; the message names it, or the line.
    """
    if marked:
        content = content.removeprefix(codecs.BOM_UTF8)
    for name, marks in _BYTE_ORDER_MARKS:
        if content.startswith(marks):
            raise ValueError(f"it is {name}; save it as plain UTF-8")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"line {line} is not UTF-8; save it as UTF-8") from None


def read_json(content: bytes | str) -> object:
    """The value of a JSON text.

    Raises:
        ValueError: the text is not JSON or not UTF-8, a key occurs twice in one object, a number is
            not finite or too large, or there are more than ``MOST_NESTED`` levels. The message is a
            clause that says where.
    """
    text = utf8_text(content) if isinstance(content, bytes) else content
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_whole_number,
            parse_float=_number,
            parse_constant=_no_constant,
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise ValueError(_nested()) from None
    check_depth(value)
    return value


def read_object(content: bytes | str) -> dict[str, object]:
    """As ``read_json``, for a JSON object.

    Raises:
        ValueError: as ``read_json``, or the value is not an object.
    """
    value = read_json(content)
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 - as all that does not fit
    return value


def read_model(model: type[M], content: bytes | str) -> M:
    """JSON text as an instance of a model.

    Raises:
        ValueError: as ``read_json``, or the text does not fit the model; the message says where.
    """
    return read_typed(TypeAdapter(model), content)


def read_typed(adapter: TypeAdapter[T], content: bytes | str) -> T:
    """As ``read_model``, for any type.

    Raises:
        ValueError: as ``read_model``.
    """
    read_json(content)
    try:
        return adapter.validate_json(content)
    except ValidationError as error:
        raise ValueError(first_problem(error)) from None


def first_problem(error: ValidationError) -> str:
    """The place and description of the first value that does not fit."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    message = first["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if where else message


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {short(twice)} occurs twice in one object")
    return found


def _whole_number(text: str) -> int:
    number = int(text) if len(text) <= 21 else LARGEST
    if not -LARGEST < number < LARGEST:
        raise ValueError(f"the number {short(text)} is too large")
    return number


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {short(text)} is too large")
    return number


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is not a JSON number")


def short(text: str) -> str:
    """The beginning of a text, quoted as in Python."""
    return repr(text if len(text) <= 40 else f"{text[:40]}…")


def check_depth(value: object) -> None:
    """
    Raises:
        ValueError: objects or lists are nested too deep.
    """
    level, depth = [value], 0
    while level := [each for each in level if isinstance(each, (dict, list))]:
        depth += 1
        if depth > MOST_NESTED:
            raise ValueError(_nested())
        level = [
            item for each in level for item in (each.values() if isinstance(each, dict) else each)
        ]


def _nested() -> str:
    return f"objects or lists are nested more than {MOST_NESTED} deep"
