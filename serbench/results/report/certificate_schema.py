"""The JSON Schema of ``certificate.json``."""

from __future__ import annotations

import json

from serbench.protocol.guard.certificate import Certificate


def schema_text() -> str:
    """The JSON Schema of ``certificate.json``, which adds ``digest`` to the certificate itself."""
    schema = Certificate.model_json_schema(mode="serialization")
    schema["properties"]["digest"] = {
        "description": "sha256 over the canonical JSON of all other keys.",
        "pattern": "^[0-9a-f]{64}$",
        "title": "Digest",
        "type": "string",
    }
    _plain(schema)
    sometimes = {
        key for key, field in Certificate.model_fields.items() if field.exclude_if is not None
    }
    schema["required"] = [key for key in schema["required"] if key not in sometimes]
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "certificate.json"}
    return json.dumps(head | {k: v for k, v in schema.items() if k != "title"}, indent=2) + "\n"


def _plain(node: object) -> None:
    """Simplify a schema: first lines of descriptions, all keys required, patterns as in ECMA
    262.
    """
    if isinstance(node, list):
        for item in node:
            _plain(item)
    elif isinstance(node, dict):
        if isinstance(text := node.get("description"), str):
            node["description"] = text.splitlines()[0]
        if isinstance(properties := node.get("properties"), dict):
            node["required"] = list(properties)
        node.pop("default", None)
        pattern = node.get("pattern")
        if isinstance(pattern, str) and pattern.startswith("(?s)"):
            node["pattern"] = pattern.removeprefix("(?s)").replace(".", r"[\s\S]")
        for item in node.values():
            _plain(item)
