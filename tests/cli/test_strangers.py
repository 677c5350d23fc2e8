"""A run folder from a stranger: nothing of it is fetched, run, or written elsewhere."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests_support import replays
from tests_support.readings_maker import make_run_with_readings
from typer.testing import CliRunner

from serbench.api import StoreError
from serbench.cli import app
from serbench.running.store.run import RunStore
from serbench_corpora.files import Files
from serbench_teachers.speech_encoder import SpeechEncoder

StandIn = Callable[[Path], Path]

URL = "http://198.51.100.1/planted.zip"

REPLAYS = (
    "verify run",
    "verify run --no-models",
    "overlap run",
    "robustness run --condition gain",
    "prune run",
    "deploy run --rounds 0",
    "export run",
    "export run --refit-all",
)
OTHERS = (
    "runs",
    "runs --json",
    "runs --compare run other",
    "report run",
    "report run --html",
    "report run --output out",
    "leaderboard runs",
    "inflation run other",
    "explain run",
    "regress run --update --no-latency --golden out/golden.toml",
    "gc",
)


@pytest.fixture(scope="module")
def replayable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("replayable")
    replays.make_replayable(root)
    return root


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*_: object) -> None:
        raise AssertionError("a stranger's run folder made us go online")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setitem(replays.PLUGINS, "files", Files)
    monkeypatch.setitem(replays.PLUGINS, "speech-encoder", SpeechEncoder)


def plant(run: Path, **changes: Any) -> None:
    plan = RunStore(run).plan()
    plan["dataset"] |= changes.pop("dataset", {})
    (run / "plan.json").write_text(json.dumps(plan | changes))


def contents(root: Path) -> dict[str, bytes]:
    """Of all files outside of the cache and of what commands may write."""
    ours = {"cache", "out", "run", "other", "leaderboard"}
    return {
        name: content
        for name, content in replays.contents(root).items()
        if not ours.intersection(Path(name).parts)
    }


def planted_corpus(folder: Path) -> dict[str, Any]:
    card = {"title": "x", "language": "x", "licence": "x", "home": "x", "citation": "x"}
    source = {"url": URL, "file_name": "../../planted.zip"}
    params = {"pattern": ".*", "labels": {"a": "high"}, "card": {**card, "sources": [source]}}
    return {"name": "evil", "corpus": "files", "params": params}


@pytest.mark.parametrize("name", ["evil", "../../evil", "/evil", "noise"])
@pytest.mark.parametrize("command", REPLAYS)
def test_no_corpus_comes_from_a_run_folder(
    replayable: Path, tmp_path: Path, stand_in: StandIn, command: str, name: str
) -> None:
    root = tmp_path / "root"
    shutil.copytree(replayable / "run", root / "runs" / "run")
    planted = planted_corpus(tmp_path) if name != "noise" else {}
    plant(root / "runs" / "run", dataset=planted | {"name": name})
    stand_in(root)
    before = contents(tmp_path)
    told = CliRunner().invoke(app, command.split())
    assert told.exit_code == 2, told.output
    expected = "downloads nothing" if name == "noise" else f"registry has no corpus {name}. Files"
    assert expected in " ".join(told.output.split())
    assert contents(tmp_path) == before


def test_no_weights_come_from_a_run_folder(replayable: Path, tmp_path: Path) -> None:
    shutil.copytree(replayable, tmp_path / "root")
    model = {"plugin": "speech-encoder", "params": {"model": str(tmp_path)}}
    plant(tmp_path / "root" / "run", teachers={"functionals": model})
    replay = replays.open_replay(tmp_path / "root")
    for read in (replay.teacher, replay.embeddings):
        with pytest.raises(StoreError, match="the local registry has no teacher functionals"):
            read("functionals")


@pytest.mark.parametrize("command", OTHERS)
@pytest.mark.parametrize("name", ["../../../outside", "/outside", "..", "a\\b", "nul", "x" * 300])
def test_no_name_of_a_run_folder_leads_out(
    stranger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, name: str
) -> None:
    root = tmp_path / "a" / "root"
    for run in ("run", "other"):
        folder = root / "runs" / run
        shutil.copytree(stranger, folder)
        plan = RunStore(folder).plan()
        plan["methods"][0] |= {"name": name, "student": name}
        plan["outer"][0]["name"] = name
        plant(folder, dataset={"name": name}, **{key: plan[key] for key in ("methods", "outer")},
              profile=name, folds=name)  # fmt: skip
    monkeypatch.chdir(root)
    before = contents(tmp_path)
    told = CliRunner().invoke(app, command.split())
    assert told.exit_code in {0, 1, 2}, told.output
    assert contents(tmp_path) == before


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run_with_readings(tmp_path_factory.mktemp("stranger") / "run")


@pytest.mark.parametrize(
    ("command", "link"), [("report run", "tables"), ("explain run", "explain")]
)
def test_a_link_in_a_run_folder_is_not_written_through(
    stranger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, link: str
) -> None:
    run = Path(shutil.copytree(stranger, tmp_path / "root" / "runs" / "run"))
    (tmp_path / "elsewhere").mkdir()
    (run / link).symlink_to(tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path / "root")
    told = CliRunner().invoke(app, command.split())
    assert told.exit_code == 2
    assert "through a link" in " ".join(told.output.split())
    assert not any((tmp_path / "elsewhere").iterdir())
