from __future__ import annotations

import re
from pathlib import Path

import pytest

from serbench.api import Tracker
from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry
from serbench.testing import check_tracker

REGISTRY = load_registry(load_plugins())


@pytest.mark.parametrize("name", REGISTRY.trackers)
def test_every_tracker_keeps_its_contract(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    tracker: Tracker = REGISTRY.make("trackers", name)  # pyright: ignore[reportAssignmentType]
    reason = check_tracker(type(tracker), tracker.params.model_dump())
    if reason is not None:
        pytest.skip(reason)


def test_every_tracker_plugin_has_an_entry() -> None:
    entries = {spec.plugin for spec in REGISTRY.trackers.values()}
    assert {item.name for item in load_plugins().items("trackers")} <= entries


def test_the_tracker_of_the_docs_keeps_its_contract(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text(encoding="utf-8")
    sources = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (source,) = (each for each in sources if "serbench_trackers" in each)
    namespace: dict[str, object] = {"__name__": "shout"}
    exec(compile(source, "docs/plugins.md", "exec"), namespace)
    cls = namespace["Shout"]
    assert isinstance(cls, type)
    assert check_tracker(cls) is None
    assert "plain, fold 2: UA 50%!" in capsys.readouterr().out
