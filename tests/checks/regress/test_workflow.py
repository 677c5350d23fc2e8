"""What the documentation and this repository tell others to run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from serbench.checks.regress.golden import read_golden
from serbench.checks.regress.reference import graph_digest, reference_graph
from serbench.cli import app
from serbench.running.plan.records import Request
from serbench.running.plan.resolve import plan_run
from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry

ROOT = Path(__file__).parents[3]
WORKFLOW = ROOT / "docs" / "workflows" / "serbench.yml"
GOLDEN = ROOT / "tests" / "golden" / "demo.toml"


@pytest.fixture(scope="module")
def workflow() -> dict[Any, Any]:
    return yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))


def steps(workflow: dict[Any, Any]) -> list[dict[str, Any]]:
    (job,) = workflow["jobs"].values()
    return job["steps"]


def commands(text: str) -> list[list[str]]:
    """Arguments of every ``serbench`` in a shell script."""
    lines = text.replace("\\\n", " ").splitlines()
    return [
        shlex.split(found[1])
        for line in lines
        if (found := re.search(r"(?:^|/|\s)serbench\s+(?=run|regress)(.*)", line))
    ]


def parsed(arguments: list[str]) -> dict[str, Any]:
    """What the command line makes of them; an unknown option raises."""
    group = typer.main.get_command(app)
    command = group.commands[arguments[0]]  # pyright: ignore[reportAttributeAccessIssue]
    return command.make_context(arguments[0], arguments[1:]).params


def planned(given: dict[str, Any]) -> set[str]:
    request = Request(
        given["dataset"],
        tuple(given["methods"]),
        given["profile"],
        sets=tuple(given["settings"] or ()),
    )
    return {method.name for method in plan_run(load_registry(load_plugins()), request).methods}


def test_the_workflow_is_one_of_github_actions(workflow: dict[Any, Any]) -> None:
    assert set(workflow) == {"name", True, "permissions", "concurrency", "jobs"}  # `on` is a truth
    assert set(workflow[True]) == {"pull_request", "push"}
    assert workflow["permissions"] == {"contents": "read"}
    for step in steps(workflow):
        assert ("uses" in step) != ("run" in step)
        assert "uses" not in step or re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"])


def test_the_workflow_calls_what_serbench_takes(workflow: dict[Any, Any]) -> None:
    found = [each for step in steps(workflow) for each in commands(step.get("run", ""))]
    run, regress = (parsed(arguments) for arguments in found)
    assert planned(run) == {"akd", "vanilla-kd"}
    assert run["out"] == regress["runs"]
    assert regress["latency"]
    kept = next(step for step in steps(workflow) if "upload-artifact" in step.get("uses", ""))
    assert kept["if"] == "always()"
    for name in (regress["junit"], regress["markdown"]):
        assert str(name) in kept["with"]["path"].split()


def test_the_golden_run_of_this_repository_is_the_one_that_make_runs() -> None:
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").replace("$(GOLDEN)", "build/golden")
    run, regress = (parsed(each) for each in commands(recipe) if "golden" in " ".join(each))
    golden = read_golden(ROOT / regress["golden"])
    assert ROOT / regress["golden"] == GOLDEN
    assert planned(run) == {name for name in golden.methods if not name.startswith("teacher:")}
    assert commands(golden.run.command) == [commands(recipe)[-2]]
    assert "make golden" in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_the_golden_ratios_are_to_the_reference_that_is_built_in() -> None:
    golden = read_golden(GOLDEN)
    assert golden.reference is not None
    assert golden.reference.sha256 == graph_digest(reference_graph())
    assert [(each.method, each.backend) for each in golden.latency] == [("akd", "onnxruntime")]


def test_a_command_that_serbench_does_not_take_would_be_found() -> None:
    with pytest.raises(Exception, match="No such option"):
        parsed(["regress", "--gold", "x"])
