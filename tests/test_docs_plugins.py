"""The plugins that the documentation writes, from ``serbench new-plugin`` to their tests."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest

from serbench.authoring.new_plugin import new_plugin
from serbench.running.plan.request import Request
from serbench.running.plan.resolve import plan_run
from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry

DOCS = Path(__file__).parents[1] / "docs"
PAGES = ("tutorial-plugin.md", "plugin-examples.md")
NEW = re.compile(r"^\$ serbench new-plugin (\S+) --kind (\S+)$", re.MULTILINE)
FILE = re.compile(r"^```python\n# (\S+\.py)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def text() -> str:
    return "\n".join((DOCS / page).read_text(encoding="utf-8") for page in PAGES)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every distribution of the pages, with the files that the pages change."""
    root, installed = tmp_path_factory.mktemp("docs-plugins"), load_plugins()
    for name, kind in NEW.findall(text()):
        new_plugin(name, kind, root / name, installed)
    folder = root
    for path, code in FILE.findall(text()):
        if path.startswith("serbench_"):
            package = path.partition("/")[0]
            folder = root / package.removeprefix("serbench_").replace("_", "-")
        assert (folder / path).is_file(), f"{path}: serbench new-plugin writes no such file"
        (folder / path).write_text(code, encoding="utf-8")
    return root


def test_there_is_one_of_each_of_four_kinds() -> None:
    assert sorted(kind for _, kind in NEW.findall(text())) == [
        "corpus", "loss", "student", "teacher",
    ]  # fmt: skip


def test_their_tests_pass(written: Path) -> None:
    folders = sorted(map(str, written.iterdir()))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(folders), "OMP_NUM_THREADS": "1"}
    (written.parent / "pytest.ini").write_text("[pytest]\n")
    result = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:benchmark",
            "--import-mode=importlib", "-c", str(written.parent / "pytest.ini"), *folders,
        ],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr


def test_they_are_tidy(written: Path) -> None:
    for command in (["check"], ["format", "--check"]):
        result = subprocess.run(
            [sys.executable, "-m", "ruff", *command, written],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert result.returncode == 0, result.stdout


def test_their_runs_can_be_planned(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = [*entry_points(group="serbench")]
    for folder in written.iterdir():
        monkeypatch.syspath_prepend(folder)
        project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
        points += [
            EntryPoint(*each, "serbench") for each in project["entry-points"]["serbench"].items()
        ]
    plugins = load_plugins(points)
    assert not plugins.failed
    runs = re.findall(r"^\$ serbench run (.+)$", text(), re.MULTILINE)
    assert runs
    for line in runs:
        words = shlex.split(line)
        methods, (dataset, profile) = words[: words.index("--dataset")], words[-3::2]
        request = Request(dataset, tuple(methods), profile, (), (), None, (), None)
        assert plan_run(load_registry(plugins), request).methods
