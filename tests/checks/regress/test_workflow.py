"""What the documentation and this repository tell others to run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import typer
import yaml
from tests_support.run_maker import SKILL, make_run

from serbench.checks.regress.gate import open_run
from serbench.checks.regress.golden import read_golden
from serbench.checks.regress.reference import graph_digest, reference_graph
from serbench.checks.regress.text import write_golden
from serbench.checks.regress.update import make_golden
from serbench.cli import app
from serbench.running.plan.request import Request
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


@pytest.fixture(scope="module")
def action() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout with a golden file and a run that is worse."""
    write_golden(
        make_golden(open_run(make_run(tmp_path / "then")), None, None), tmp_path / "golden.toml"
    )
    make_run(tmp_path / "runs" / "worse", {**SKILL, "akd": 0.3})
    return tmp_path


def use(action: dict[str, Any], project: Path, **given: str) -> tuple[int, str, dict[str, str]]:
    """The script of the action's step as GitHub's runner runs it: exit code, what it prints, its
    outputs.
    """
    (step,) = [each for each in action["runs"]["steps"] if "run" in each]
    inputs = {name: each["default"] for name, each in action["inputs"].items()} | given
    filled = {
        name: re.sub(r"\$\{\{ inputs\.([a-z-]+) \}\}", lambda found: inputs[found[1]], text)
        for name, text in step["env"].items()
    }
    told = {"GITHUB_OUTPUT": "outputs.txt", "GITHUB_STEP_SUMMARY": "summary.md"}
    files = {name: str(project / file) for name, file in told.items()}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    script = project / "step.sh"
    script.write_text(step["run"], encoding="utf-8")
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
        cwd=project,
        env={**os.environ, "PATH": path, **filled, **files, "RUNNER_TEMP": str(project)},
        capture_output=True,
        text=True,
        check=False,
    )
    outputs = project / "outputs.txt"
    lines = outputs.read_text().splitlines() if outputs.exists() else []
    return done.returncode, done.stdout + done.stderr, dict(each.split("=", 1) for each in lines)


def test_the_action_is_one_of_github_actions(action: dict[str, Any]) -> None:
    assert set(action) == {"name", "description", "branding", "inputs", "outputs", "runs"}
    assert action["runs"]["using"] == "composite"
    assert all(set(each) == {"description", "default"} for each in action["inputs"].values())
    run, upload = action["runs"]["steps"]
    assert run["shell"] == "bash"
    assert "${{" not in run["run"]  # text of an input must not become a part of the script
    given = set(re.findall(r"inputs\.([a-z-]+)", f"{run['env']} {upload}"))
    assert given == set(action["inputs"])
    written = set(re.findall(r'echo "([a-z-]+)=', run["run"]))
    named = [each["value"] for each in action["outputs"].values()]
    assert set(re.findall(r"steps\.regress\.outputs\.([a-z-]+)", " ".join(named))) == written
    assert re.fullmatch(r"actions/upload-artifact@v\d+", upload["uses"])
    assert upload["if"].startswith("always()")


def test_the_action_gives_the_exit_code_of_the_gate_and_its_files(
    action: dict[str, Any], project: Path
) -> None:
    given = {"run": "worse", "arguments": "--no-latency --json 'kept here/found.json'"}
    code, text, outputs = use(action, project, **given)
    assert code == 1, text
    assert outputs["exit-code"] == "1"
    summary = Path(outputs["markdown"]).read_text()
    assert summary.startswith("### serbench regress: worse against golden.toml: FAILED")
    assert (project / "summary.md").read_text() == summary
    (suite,) = ET.parse(outputs["junit"]).getroot()
    assert suite.get("failures") == "2"
    assert (project / "kept here" / "found.json").is_file()


def test_the_action_says_what_is_missing(
    action: dict[str, Any], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, text, outputs = use(action, project, golden="gone.toml")
    assert (code, outputs["exit-code"]) == (2, "2")
    assert "golden file gone.toml not found" in text
    assert "golden file gone.toml not found" in Path(outputs["markdown"]).read_text()
    code, text, _ = use(action, project, arguments="--json 'half")
    assert code == 2
    assert "::error title=serbench::the input arguments is not quoted" in text
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    code, text, _ = use(action, project)
    assert code == 2
    assert "::error title=serbench::serbench is not installed" in text


def yaml_blocks(language: str = "yaml") -> list[Any]:
    text = (ROOT / "docs" / "howto-regress.md").read_text(encoding="utf-8")
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [yaml.safe_load(block) for block in blocks]


def test_the_steps_that_the_docs_show_use_the_action_as_it_is(action: dict[str, Any]) -> None:
    short, comment, _ = yaml_blocks()
    used = next(step for step in short if "uses" in step)
    assert set(used["with"]) <= set(action["inputs"])
    (found,) = [each for step in short for each in commands(step.get("run", ""))]
    assert planned(parsed(found)) == {"akd"}
    parsed(["regress", *shlex.split(used["with"]["arguments"])])
    (job,) = comment["jobs"].values()
    assert job["permissions"] == {"contents": "read", "pull-requests": "write"}
    gate, step = job["steps"]
    read = re.findall(r"steps\.([a-z]+)\.outputs\.([a-z-]+)", str(step["env"]))
    assert [(name, output in action["outputs"]) for name, output in read] == [(gate["id"], True)]
    text = (ROOT / "docs" / "howto-regress.md").read_text(encoding="utf-8")
    assert [name for name in action["inputs"] if f"| `{name}` |" not in text] == []


def test_the_hooks_of_pre_commit_call_what_serbench_takes() -> None:
    (repository,) = yaml_blocks()[2]["repos"]
    assert repository["repo"] == "local"
    for hook in repository["hooks"]:
        assert (hook["language"], hook["pass_filenames"]) == ("system", False)
        program, name, *rest = shlex.split(hook["entry"])
        assert program == "serbench"
        group: Any = typer.main.get_command(app)
        command = group.commands[name]
        if name == "registry":
            command, rest = command.commands[rest[0]], rest[1:]
        assert command.make_context(name, rest).params


def test_a_command_that_serbench_does_not_take_would_be_found() -> None:
    with pytest.raises(Exception, match="No such option"):
        parsed(["regress", "--gold", "x"])
