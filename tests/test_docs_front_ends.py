"""What docs/front-ends.md says is so."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tests_support.howto import documented_package

from serbench.api import FrontEnd
from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry

PATH = Path(__file__).parents[1] / "docs" / "front-ends.md"
PAGE = PATH.read_text(encoding="utf-8")
PLUGINS = load_plugins()
ENTRIES = load_registry(PLUGINS).front_ends
OURS = [each.name for each in PLUGINS.items("front_ends") if each.distribution == "serbench"]


def rows(heading: str) -> list[list[str]]:
    """Cells of the table below a heading, without its head."""
    text = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


CATALOGUE = {row[0].strip("` "): row for row in rows("All front ends")}


def test_the_catalogue_is_the_registrys() -> None:
    assert set(CATALOGUE) == set(ENTRIES)


@pytest.mark.parametrize("name", [n for n, e in ENTRIES.items() if e.plugin != "encoder-frames"])
def test_the_catalogue_has_width_frames_and_export(name: str) -> None:
    cls = PLUGINS.get("front_ends", ENTRIES[name].plugin)
    front_end: FrontEnd = cls(cls.Params.model_validate(ENTRIES[name].params))  # pyright: ignore
    _, _, width, frames, exported, _ = CATALOGUE[name]
    assert width == str(front_end.width)
    reason = front_end.not_exported
    assert exported == (f"no: {reason}" if reason else "yes")
    if front_end.framing is None:
        assert frames == "1"
    elif front_end.length_s is not None:
        assert frames == str(front_end.framing.frames(1))
    else:
        assert frames == f"{1 / front_end.framing.hop_s:.0f} a second"


def parameters(plugin: str) -> dict[str, object]:
    """Parameter to default, as the page says."""
    found: dict[str, object] = {}
    for who, parameter, default, _ in rows("Parameters"):
        if who.strip() in {"every front end", plugin}:
            found[parameter.strip("`").removeprefix("front_end.")] = json.loads(default)
    return found


@pytest.mark.parametrize("plugin", OURS)
def test_every_parameter_is_there_with_its_default(plugin: str) -> None:
    fields = PLUGINS.get("front_ends", plugin).Params.model_fields  # pyright: ignore
    expected = {name: json.loads(json.dumps(field.default)) for name, field in fields.items()}
    assert parameters(plugin) == expected


def test_the_example_keeps_the_contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    documented_package(PATH, "serbench_level", tmp_path, monkeypatch)
    test = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[-1]
    names: dict[str, object] = {}
    exec(compile(test, "docs/front-ends.md", "exec"), names)
    names["test_level"]()  # pyright: ignore[reportCallIssue]
