"""Every command of the documentation is run, or read by the real command line and listed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import typer
from tests_support.docs_commands import FINDS, NOT_RUN, OVERLAY, in_workspace, reason, written
from typer.testing import CliRunner, Result

import serbench
from serbench.cli import app
from serbench.testing import probe_model

ROOT = Path(__file__).parents[1]
COMMANDS = typer.main.get_command(app)  # serbench-runtime has the same two
LINES = list(dict.fromkeys(line for _, line in written()))
RUN = [line for line in LINES if reason(line) is None]
REPORT = re.compile(r"^Report: (\S+)/report\.md$", re.MULTILINE)


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, prog_name="serbench")


def parts(line: str) -> Iterator[list[str]]:
    """Words of each command of a line with pipes."""
    for each in line.split(" | "):
        yield shlex.split(each, comments=True)


@pytest.mark.parametrize("line", [line for line in LINES if reason(line) is not None])
def test_a_command_that_is_not_run_is_one_that_its_programme_takes(line: str) -> None:
    for words in parts(line):
        if words[0] in {"serbench", "serbench-runtime"}:
            command, rest = COMMANDS, words[1:]
            while rest and rest[0] in getattr(command, "commands", {}):
                command, rest = command.commands[rest[0]], rest[1:]  # pyright: ignore[reportAttributeAccessIssue]
            assert not hasattr(command, "commands"), f"no such command: {line}"
            command.make_context(words[0], rest)
        elif words[0] == "make":
            targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
            assert words[1] in targets
        elif words[:1] == ["python"] and words[1].startswith("benchmarks/"):
            script = (ROOT / words[1]).read_text(encoding="utf-8")
            own = words[: words.index("serbench")] if "serbench" in words else words
            assert [o for o in own if o.startswith("--") and f'"{o}"' not in script] == []
            if own != words:  # it measures a command
                COMMANDS.make_context("serbench", words[len(own) + 1 :])


def test_every_reason_is_that_of_a_command() -> None:
    unused = [start for start in NOT_RUN if not any(re.match(start, line) for line in LINES)]
    assert unused == []


def test_a_command_that_is_new_is_run() -> None:
    assert reason("serbench survey emodb") is None


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A folder with what the commands name, as the working folder; what ``@run`` and others are."""
    folder = tmp_path_factory.mktemp("commands")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("SERBENCH_CACHE", str(folder / "cache"))
        patch.setenv("HOME", str(folder / "home"))
        Path("serbench.toml").write_text(OVERLAY, encoding="utf-8")
        runs = {
            "@run": ("akd", "vanilla-kd", "--dataset", "emodb"),
            "@other": ("hybrid", "--dataset", "emodb"),
            "@leaky": ("akd", "vanilla-kd", "--dataset", "emodb", "--protocol", "leaky-random"),
            "@ravdess": ("akd", "vanilla-kd", "--dataset", "ravdess"),
        }
        places = {}
        for name, arguments in runs.items():
            made = call("run", *arguments, "--profile", "demo", "--jobs", "1")
            assert made.exit_code == 0, made.output
            places[name] = REPORT.findall(made.output)[0]
        _make_files(places)
        yield places


def _make_files(places: dict[str, str]) -> None:
    audio = [Path(path) for path in serbench.corpus("emodb").utterances["path"]]
    places["@corpus"] = str(audio[0].parent)
    assert call("folds", "emodb", "--csv", "folds.csv").exit_code == 0
    places["@model"] = str(probe_model().onnx)
    Path("recordings").mkdir()
    shutil.copy(audio[0], "recordings/one.wav")
    shutil.copytree(places["@run"], "results/run")
    mine = Path(os.environ["HOME"]) / "corpora" / "mine"
    mine.mkdir(parents=True)
    for speaker in ("ann", "bob"):
        (mine / speaker).mkdir()
        for emotion in ("anger", "neutral"):
            soundfile.write(mine / speaker / f"{speaker}_{emotion}.wav", np.zeros(8000), 16000)


WORD = re.compile(r"[A-Za-z][\w-]{2,}")
VERDICT = {"significantly", "better", "worse", "significant", "difference", "interval"}


def shown_by_the_tutorial() -> Iterator[tuple[str, str]]:
    """Each command of the tutorial that has its output below it, and that output."""
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    command = ""
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if language == "console":
            command = block.splitlines()[-1].removeprefix("$ ")
        elif not language:
            yield command, block.partition("[…]")[0]  # notes below a table depend on its scores


@pytest.mark.slow
def test_commands_of_the_tutorial_print_what_it_shows(workspace: dict[str, str]) -> None:
    """By their words: numbers are those of a longer training, on more speakers."""
    for line, shown in shown_by_the_tutorial():
        arguments = in_workspace(line, workspace)
        if arguments[0] == "run":
            arguments += ["--out", "tutorial", "--jobs", "1"]
        printed = call(*arguments).output.replace("emodb", "demo")
        missing = set(WORD.findall(shown)) - set(WORD.findall(printed)) - VERDICT
        assert {word for word in missing if not re.search(r"\d", word)} == set(), line


@pytest.mark.slow
def test_every_command_that_can_be_run_here_runs(workspace: dict[str, str]) -> None:
    failed = {}
    for line in RUN:
        words = shlex.split(line, comments=True)
        assert words[0] == "serbench", f"{line}: neither run nor listed in NOT_RUN with a reason"
        result = call(*in_workspace(line, workspace))
        finds = any(re.match(start, line) for start in FINDS)
        if result.exit_code != finds or not isinstance(result.exception, SystemExit | None):
            failed[line] = f"{result.output[-400:]} {result.exception!r}"
    assert failed == {}
