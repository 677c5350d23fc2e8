from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pytest
from tests_support.deployments import FakeRegistry, installed
from tests_support.fake_backend import FakeParams
from tests_support.replays import Installed
from tests_support.run_maker import SKILL, make_run
from typer.testing import CliRunner

from serbench.checks.regress import command
from serbench.checks.regress.golden import GoldenLatency, read_golden
from serbench.checks.regress.measure import Conditions, Timed
from serbench.cli import app


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs as they were and worse."""
    root = tmp_path_factory.mktemp("regress")
    make_run(root / "runs" / "good")
    make_run(root / "runs" / "worse", {**SKILL, "akd": 0.3})
    return root


@pytest.fixture
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with runs, whose students need not be there: their times are told by ``slow``."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    registry = FakeRegistry(onnxruntime=FakeParams(), gone=FakeParams(mode="missing"))
    monkeypatch.setattr("serbench.running.plugins.load_plugins", lambda: installed(Installed()))
    monkeypatch.setattr("serbench.running.registry.load.load_registry", lambda *_, **__: registry)
    monkeypatch.setattr(
        "serbench.running.replay.run.Replay.open", lambda *_, **__: SimpleNamespace()
    )
    monkeypatch.setattr(command, "process_start_s", lambda: 2.0)
    slow(monkeypatch, 1.5)
    return tmp_path


def slow(monkeypatch: pytest.MonkeyPatch, ratio: float, failure: str | None = None) -> None:
    def told(
        _replay: object, entries: Sequence[GoldenLatency], _backends: object, how: Conditions
    ) -> tuple[Timed, ...]:
        ratios = () if failure else (ratio,) * how.rounds
        return tuple(Timed(entry, ratios, 1000, failure) for entry in entries)

    monkeypatch.setattr(command, "time_entries", told)


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["regress", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result.exit_code, result.output


def test_update_writes_then_the_same_run_passes(folder: Path) -> None:
    code, text = invoke("good", "--update")
    assert code == 0, text
    for part in ("golden.toml: changes", "akd UA", "onnxruntime 3 s, ratio", "1.500"):
        assert part in text
    assert "Warning" not in text
    assert text.startswith("Nothing is trained. Latency takes about 41.6 s: 8 rounds of 1 model")
    assert "converted: unknown duration; the run has no record of it." in text
    assert "one worker trains for 36 min 54 s: the recorded time of the run's 36 fits" in text
    code, text = invoke("good")
    assert code == 0, text
    for part in (
        "akd onnxruntime 3 s latency",
        "1.500 times the reference model",
        "1,000 bytes",
        "golden file allows (10 checks)",
        "Certif",
    ):
        assert part in text
    assert "Nothing has changed." in invoke("good", "--update")[1]


def test_a_worse_run_fails_and_says_so_everywhere(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = folder / "summary.md"
    summary.write_text("before\n", encoding="utf-8")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    invoke("good", "--update", "--no-latency")
    assert summary.read_text() == "before\n"
    code, text = invoke("worse", "--no-latency", "--junit", "out/j.xml", "--markdown", "out/m.md")
    assert code == 1
    assert "FAILED: worse than the golden file allows (2 of 8 checks: akd UA and akd WA)" in text
    assert "points below the reference" in text
    (suite,) = ET.parse("out/j.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("8", "2")
    took = [float(case.get("time", "0")) for case in suite.findall("testcase")]
    assert 0 < sum(took) <= float(suite.get("time", "0"))
    written = Path("out/m.md").read_text()
    assert written.startswith("### serbench regress: worse against golden.toml: FAILED")
    assert summary.read_text() == f"before\n{written}"


def test_a_slower_model_fails(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    invoke("good", "--update")
    slow(monkeypatch, 2.0)
    code, text = invoke("good")
    assert code == 1
    assert (
        "latency rose by 33.3 %: 2.000 times the reference model, 1.500 in the golden file" in text
    )
    assert invoke("good", "--no-latency")[0] == 0


def test_a_backend_that_fails_with_this_model_fails(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoke("good", "--update")
    slow(monkeypatch, 0.0, "conversion: crashed with SIGSEGV")
    code, text = invoke("good")
    assert code == 1
    assert "not with this model: conversion: crashed with SIGSEGV" in text
    code, text = invoke("good", "--update")
    assert code == 2
    assert "nothing was written" in text


def test_a_backend_that_cannot_run_here_is_no_pass(folder: Path) -> None:
    invoke("good", "--update")
    golden = Path("golden.toml")
    golden.write_text(golden.read_text().replace('backend = "onnxruntime"', 'backend = "gone"'))
    code, text = invoke("good", "--junit", "j.xml", "--markdown", "m.md")
    assert code == 2
    assert "cannot run here: gone: there is none here" in text
    assert ET.parse("j.xml").getroot()[0].get("errors") == "1"
    assert "not run" in Path("m.md").read_text()


def test_backends_are_added_and_margins_kept(folder: Path) -> None:
    invoke("good", "--update")
    golden = Path("golden.toml")
    golden.write_text(golden.read_text().replace("margin = 0.01", "margin = 0.04"))
    code, text = invoke("good", "--update", "--backends", "torch")
    assert code == 0, text
    again = read_golden(golden)
    assert again.allowed.margin == 0.04
    assert [each.backend for each in again.latency] == ["onnxruntime", "torch"]


def test_an_unsure_ratio_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(_replay: object, entries: Sequence[GoldenLatency], *_: object) -> tuple[Timed, ...]:
        return tuple(Timed(entry, (1.0, 1.1, 1.2, 1.3, 3.0), 10, None) for entry in entries)

    monkeypatch.setattr(command, "time_entries", told)
    code, text = invoke("good", "--update")
    assert code == 0
    assert "Warning: the ratio of akd onnxruntime 3 s is uncertain: between 1 and 3" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("good",), "golden file golden.toml not found; make one"),
        (("gone",), "no run is called gone"),
        (("good", "--backends", "torch"), "needs --update and --latency"),
        (("good", "--update", "--no-latency", "-b", "torch"), "needs --update and --latency"),
        (("good", "--update", "--junit", "j.xml"), "leave out --json, --junit and --markdown"),
        (("good", "--update", "--reference", "gone.onnx"), "gone.onnx"),
        (("good", "--update", "--backends", "gone"), "cannot run here: gone"),
    ],
)
def test_what_is_wrong_is_said_in_one_message(
    folder: Path, arguments: tuple[str, ...], message: str
) -> None:
    code, text = invoke(*arguments)
    assert code == 2
    assert message in text
    assert "Traceback" not in text
    assert not Path("golden.toml").exists()


def test_an_entry_without_a_ratio_asks_for_an_update(folder: Path) -> None:
    invoke("good", "--update")
    golden = Path("golden.toml")
    text = golden.read_text()
    golden.write_text(text + '\n[[latency]]\nmethod = "akd"\nbackend = "torch"\naudio_s = 1.0\n')
    code, said = invoke("good")
    assert code == 2
    assert "akd torch 1 s has no ratio yet" in said
    assert invoke("good", "--update")[0] == 0
    assert invoke("good")[0] == 0


def test_the_start_of_a_process_is_measured() -> None:
    assert 0.05 < command.process_start_s() < 300


def test_help_teaches_by_example() -> None:
    result = CliRunner().invoke(app, ["regress", "--help"])
    assert result.exit_code == 0
    assert "serbench regress demo-akd --update" in result.output
