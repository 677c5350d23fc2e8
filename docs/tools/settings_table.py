"""The values that a setting may have, from the schema, beside what ``settings.md`` says of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from serbench.running.plugins import load_plugins
from serbench.settings import MethodSettings, ProtocolSettings

KINDS = {"loss": "losses", "student": "students", "teacher": "teachers", "corpus": "corpora"}
HEAD = re.compile(r"^\|(.*)\| Default \| Meaning \|$")
ROW = re.compile(r"^\|(?: ([\w-]+) \|)? `(\w+)\.(\w+)` \| (.*?) \| (.*) \|$")
BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}


def with_values(text: str) -> str:
    """``settings.md`` with one more column, of the values that the schema allows."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if head := HEAD.match(line):
            lines[number] = f"|{head[1]}| Default | Values | Meaning |"
            lines[number + 1] += " :-- |"
        elif row := ROW.match(line):
            plugin, prefix, name, default, meaning = row.groups()
            values = allowed(_model(prefix, plugin), name)
            lines[number] = line[: row.start(4)] + f"{default} | {values} | {meaning} |"
    return "\n".join(lines)


def _model(prefix: str, plugin: str | None) -> type[BaseModel]:
    if plugin:
        return load_plugins().get(KINDS[prefix], plugin).Params  # pyright: ignore[reportAttributeAccessIssue]
    sections = {name: field.annotation for name, field in MethodSettings.model_fields.items()}
    return (sections | {"protocol": ProtocolSettings})[prefix]  # pyright: ignore[reportReturnType]


def allowed(model: type[BaseModel], name: str) -> str:
    """The values of a field, as its JSON schema has them."""
    schema = model.model_json_schema()
    known = schema.get("$defs", {})
    return " or ".join(dict.fromkeys(_values(schema["properties"][name], known)))


def _values(field: dict[str, Any], known: dict[str, Any]) -> Iterator[str]:
    if "$ref" in field:
        field = known[field["$ref"].rpartition("/")[2]]
    if "anyOf" in field:
        for each in field["anyOf"]:
            yield from _values(each, known)
    elif "enum" in field or "const" in field:
        yield ", ".join(f'"{each}"' for each in field.get("enum", [field.get("const")]))
    elif field.get("type") in {"integer", "number"}:
        bounds = [f"{sign} {field[key]:g}" for key, sign in BOUNDS.items() if key in field]
        yield " ".join([field["type"], ", ".join(bounds)]).strip()
    else:
        words = {"boolean": "true, false", "string": "text", "array": "list", "object": "table"}
        yield words.get(field.get("type", ""), field.get("type", "any"))
