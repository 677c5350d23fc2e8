"""A finished run is not run again where nothing has changed, and is where anything has."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from serbench.benchmark import repeat as module
from serbench.benchmark import run as running
from serbench.benchmark.repeat import Repeat
from serbench.benchmark.run import arguments_of, finished_run
from serbench.cli import app
from serbench.files.cache_kinds import kind_folder
from serbench_corpora.demo import Demo

SETS = (
    "corpus.speakers=4", "corpus.takes=1", "protocol.folds=loso", "training.epochs=1",
    "segments.window_s=0.5", "segments.overlap_s=0", "student.dim=16",
    "student.layers=1", "student.heads=2",
)  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus and a finished run over it."""
    root = tmp_path_factory.mktemp("repeat")
    (root / "corpus").mkdir()
    Demo(Demo.Params(speakers=4, takes=1)).build(root / "corpus", lambda *_: None)  # pyright: ignore[reportCallIssue]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("SERBENCH_CACHE", str(root / "cache"))
        folder, unchanged = finished_run(asked(root))
        assert (folder.parent, unchanged) == (Path("runs"), False)
    return root


@pytest.fixture(autouse=True)
def _here(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    monkeypatch.setenv("SERBENCH_CACHE", str(root / "cache"))


def asked(root: Path, **changes: Any) -> dict[str, Any]:
    return arguments_of(
        "transformer+ce", dataset="demo", profile="quick", data_dir=root / "corpus",
        settings=SETS, **{"jobs": 1, "device": "cpu", **changes},
    )  # fmt: skip


def found(root: Path, **changes: Any) -> Path | None:
    given = asked(root, **changes)
    return Repeat(*running._planned(given), given).folder()


def test_the_same_command_computes_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def compute(*_: object) -> Path:
        raise AssertionError("computed again")

    monkeypatch.setattr(running, "_finished", compute)
    (run,) = (root / "runs").iterdir()
    for changes in ({}, {"jobs": 2}, {"stop_after": "1h"}, {"progress": False}):
        assert finished_run(asked(root, **changes)) == (run, True)
    sets = [word for each in SETS for word in ("--set", each)]
    command = ["run", "transformer+ce", "-d", "demo", "-p", "quick", "--device", "cpu"]
    shown = CliRunner().invoke(app, [*command, "--data-dir", str(root / "corpus"), *sets])
    assert shown.exit_code == 0, shown.output
    assert "Nothing is computed again" in shown.stderr
    assert "transformer+ce" in shown.stdout
    assert shown.stdout.splitlines()[-1] == f"Report: {Path('runs') / run.name / 'report.md'}"


def test_threads_that_wait_sleep(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "unset")
    monkeypatch.delenv("OMP_WAIT_POLICY")
    running.ready_run(asked(root))
    assert os.environ["OMP_WAIT_POLICY"] == "passive"


@pytest.mark.parametrize(
    "changes",
    [
        {"tracker": "none"}, {"device": "auto"}, {"out": "elsewhere"}, {"data_dir": None},
        {"settings": (*SETS, "training.learning_rate=0.1")}, {"allow_incomplete": True},
    ],
)  # fmt: skip
def test_another_command_is_computed(root: Path, changes: dict[str, Any]) -> None:
    given = {**asked(root), **changes}
    assert found(root) is not None
    assert Repeat(*running._planned(given), given).folder() is None


def later(path: Path) -> None:
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


def _a_recording(root: Path) -> None:
    later(next((root / "corpus").rglob("*.wav")))


def _a_new_recording(root: Path) -> None:
    first = next((root / "corpus").rglob("*.wav"))
    shutil.copy2(first, first.with_name("new.wav"))


def _a_result(root: Path) -> None:
    later(next((root / "runs").rglob("predictions.parquet")))


def _a_lost_result(root: Path) -> None:
    next((root / "runs").rglob("certificate.md")).unlink()


def _an_overlay(root: Path) -> None:
    (root / "serbench.toml").write_text('[suites.mine]\nsummary = "s"\nmethods = ["akd"]\n')


def _a_note(root: Path) -> None:
    note = next(kind_folder(root / "cache", "repeats").iterdir())
    note.write_bytes(note.read_bytes()[:-1])


@pytest.mark.parametrize(
    "change",
    [_a_recording, _a_new_recording, _a_result, _a_lost_result, _an_overlay, _a_note],
)
def test_a_change_of_a_file_is_seen(
    root: Path, change: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = root.with_name(f"{root.name}-saved")
    shutil.copytree(root, saved)
    try:
        assert found(root) is not None
        change(root)
        assert found(root) is None
    finally:
        shutil.rmtree(root)
        shutil.copytree(saved, root)
        shutil.rmtree(saved)
        monkeypatch.chdir(root)


def test_other_code_libraries_or_processors_are_seen(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert found(root) is not None
    others = {"CORE": root / "corpus", "cpu_name": lambda: "another", "_stats": lambda _: []}
    for name, value in others.items():
        with monkeypatch.context() as patch:
            patch.setattr(module, name, value)
            assert found(root) is None
    monkeypatch.setenv("SERBENCH_DATA", str(root))
    assert found(root) is None
