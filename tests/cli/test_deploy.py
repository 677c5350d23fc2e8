from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from tests_support.deployments import QUICK, FakeRegistry, deployment, installed
from tests_support.fake_backend import FakeParams
from tests_support.replays import Installed, contents
from typer.testing import CliRunner

from serbench.cli import app
from serbench.studies.deploy import measure


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return deployment(tmp_path_factory).root


@pytest.fixture
def folder(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Somewhere with a finished run; backends of tests stand for the installed ones."""
    monkeypatch.chdir(root)
    monkeypatch.setenv("SERBENCH_CACHE", str(root / "cache"))
    registry = FakeRegistry(
        flat=FakeParams(mode="flattened"),
        refuses=FakeParams(mode="refuses"),
        gone=FakeParams(mode="missing"),
    )
    monkeypatch.setattr("serbench.studies.opened.load_plugins", lambda: installed(Installed()))
    monkeypatch.setattr("serbench.studies.opened.load_registry", lambda *_, **__: registry)
    quick = partial(measure.measure_deployment, effort=QUICK)
    monkeypatch.setattr(measure, "measure_deployment", quick)
    return root


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["deploy", *arguments, "--data-dir", "noise"])
    return result.exit_code, result.output


def test_deploy_prints_and_writes_beside_the_run(folder: Path) -> None:
    before = contents(folder / "run")
    code, text = invoke("run", "--rounds", "1")
    assert code == 0, text
    for part in (
        "Deployment of plain on noise", "Outer test folds", "Ratio:", "convert and score: done",
        "measure: done", "unavailable: there is none here", "failed: conversion: cannot express",
        "Post hoc", "Certificate ", "Written: run/deploy/deploy.md",
    ):  # fmt: skip
        assert part in " ".join(text.split())
    after = contents(folder / "run")
    assert {name: after[name] for name in before} == before
    assert {name for name in after if name not in before} == {
        *(f"deploy/deploy.{end}" for end in ("csv", "html", "md", "png", "tex")),
        "deploy/results.json",
        "deploy/study.json",
    }


def test_a_named_backend_that_fails_is_an_error_after_all_is_written(folder: Path) -> None:
    code, text = invoke("run", "--backends", "flat,refuses", "--rounds", "0", "-o", "out")
    assert code == 2
    assert "Written: out/deploy.md" in text
    assert "backends that you named failed: refuses: conversion: cannot express a mean" in text


def test_a_bundle_is_written_and_nothing_measured(folder: Path) -> None:
    code, text = invoke("run", "--backends", "flat", "--bundle", "to-jetson")
    assert code == 0, text
    assert "Written: to-jetson with torch, flat" in text
    assert "measure: done" not in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "--backends", "gone"), "cannot run here: gone: there is none here"),
        (("run", "--method", "akd"), "its methods: plain"),
        (("run", "--seed", "3"), "its seeds: 0"),
        (("run", "--import", "none.json"), "cannot read none.json"),
        (("run", "--bundle", "a", "--import", "b"), "give only one of them"),
        (("run", "--bundle", "noise"), "noise is not empty"),
        (("run", "--output", "run"), "is the folder of a run"),
        (("noise",), "noise is not a serbench run"),
    ],
)
def test_what_is_wrong_is_said_in_one_message(
    folder: Path, arguments: tuple[str, ...], message: str
) -> None:
    code, text = invoke(*arguments)
    assert code == 2
    assert message in text
    assert "Traceback" not in text


def test_help_teaches_by_example() -> None:
    result = CliRunner().invoke(app, ["deploy", "--help"])
    assert result.exit_code == 0
    assert "serbench deploy " in result.output
