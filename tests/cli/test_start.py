"""What quick commands do without: libraries that take long to import."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests_support.run_maker import make_run

from serbench.results.report.write import write_report

HEAVY = (
    *("torch", "torchaudio", "transformers", "sklearn", "scipy", "pandas", "pyarrow", "matplotlib"),
    *("onnx", "onnxruntime", "safetensors", "skops", "joblib", "soundfile", "soxr", "jinja2"),
)

COMMANDS: dict[str, int] = {
    "--version": 0,
    "--help": 0,
    "run --help": 0,
    "list": 0,
    "list methods": 0,
    "plugins": 0,
    "show": 0,
    "show kd": 0,
    "runs": 0,
    "runs --json": 0,
    "registry check": 0,
    "registry show methods.akd": 0,
    # mistakes of who types a run
    "run": 2,
    "run akd": 2,
    "run akdd --dataset demo": 2,
    "run akd --dataset dmo": 2,
    "run akd --dataset demo --profile quik": 2,
    "run akd --dataset demo --set training.epoch=3": 2,
    "run --suite tabel3 --dataset demo": 2,
    "run akd --dataset demo --only akd": 2,
    "show kdd": 2,
}
"""What is typed after ``serbench``, and the exit code."""

RUN = """
import json, sys
from typer.testing import CliRunner
from serbench.cli import app

heavy, commands = json.loads(sys.argv[1])
found = {}
for command in commands:
    result = CliRunner().invoke(app, command.split())
    found[command] = (result.exit_code, result.output, [n for n in heavy if n in sys.modules])
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str, list[str]]]:
    """Exit code, output and imported heavy modules of each command, all in one process.

    A module that one command imports is told of all that come after it, too.
    """
    place = tmp_path_factory.mktemp("place")
    folder = make_run(place / "runs" / "kd", {"kd": 0.8, "akd": 0.7})
    write_report([folder], folder)
    asked = json.dumps([HEAVY, [*COMMANDS]])
    done = subprocess.run(
        [sys.executable, "-c", RUN, asked], cwd=place, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(("command", "code"), COMMANDS.items())
def test_it_imports_nothing_heavy(
    found: dict[str, tuple[int, str, list[str]]], command: str, code: int
) -> None:
    exit_code, output, imported = found[command]
    assert exit_code == code, output
    assert imported == []


def test_what_is_heavy_is_seen(tmp_path: Path) -> None:
    asked = json.dumps([["torch"], ["--version"]])
    done = subprocess.run(
        [sys.executable, "-c", "import torch\n" + RUN, asked],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout)["--version"][2] == ["torch"]
