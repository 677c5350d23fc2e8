from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from xml.etree import ElementTree

import pytest
import typer
from hatchling.build import build_wheel

from serbench.api import PluginError
from serbench.authoring.new_plugin import KINDS, LONGEST, Named, new_plugin
from serbench.cli import app
from serbench.running.plan.request import Request
from serbench.running.plan.resolve import plan_run
from serbench.running.plugins import Plugins, load_plugins
from serbench.running.registry.load import load_registry

ROOT = Path(__file__).parents[2]
TYPER = typer.main.get_command(app)

BROKEN = {
    "corpus": (r"(?P<speaker>s\d+)_", r"(?P<speaker>s\d+)-"),
    "front-end": ("+ FLOOR)", ")"),
    "teacher": (".square()  # (F, lines)", ".square() * torch.rand(())"),
    "student": ("values = features.flatten(1, 2) * real", "values = features.flatten(1, 2)"),
    "loss": ('"total": ce -', '"total": ce.detach() - 0 *'),
    "backend": ("return np.asarray(posteriors)", "return np.asarray(posteriors) / 2"),
    "tracker": ("event.outer, event.seed", "event.seed, event.outer"),
}
"""What is wrong in the part of each kind that an author is to change."""


@pytest.fixture(scope="module")
def installed() -> Plugins:
    return load_plugins()


@pytest.fixture(scope="module")
def made(installed: Plugins, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two plugins of each kind, ``whole-KIND`` and ``broken-KIND``."""
    root = tmp_path_factory.mktemp("authoring") / "made"
    for kind in KINDS:
        for state in ("whole", "broken"):
            name = f"{state}-{kind}"
            written = new_plugin(name, kind, root / name, installed)
            if state == "broken":
                source = written.folder / written.todo.partition(":")[0]
                text = source.read_text()
                old, new = BROKEN[kind]
                assert text.count(old) == 1
                source.write_text(text.replace(old, new))
    return root


def python(made: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python in ``made``, where all of its distributions can be imported."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(map(str, made.iterdir())),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=made, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def failures(made: Path) -> dict[str, list[str]]:
    """Names of the failed tests of each distribution; all of them in one process."""
    junit = made.parent / "junit.xml"
    (made.parent / "pytest.ini").write_text("[pytest]\n")  # warnings: as a new user has them
    result = python(
        made, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:benchmark",
        "--import-mode=importlib", "-c", str(made.parent / "pytest.ini"),
        f"--rootdir={made}", f"--junit-xml={junit}", *sorted(path.name for path in made.iterdir()),
    )  # fmt: skip
    assert result.returncode == 1, result.stdout + result.stderr  # some tests failed
    found: dict[str, list[str]] = {path.name: [] for path in made.iterdir()}
    seen: set[str] = set()
    for case in ElementTree.parse(junit).iter("testcase"):
        distribution = case.attrib["classname"].partition(".")[0]
        seen.add(distribution)
        if case.find("failure") is not None or case.find("error") is not None:
            found[distribution].append(case.attrib["name"])
    assert seen == set(found)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_tests_of_a_new_plugin_pass(failures: dict[str, list[str]], kind: str) -> None:
    assert failures[f"whole-{kind}"] == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_tests_fail_where_the_part_to_change_is_broken(
    failures: dict[str, list[str]], kind: str
) -> None:
    assert failures[f"broken-{kind}"]


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_loaded_by_its_entry_point(
    made: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = made / f"whole-{kind}"
    monkeypatch.syspath_prepend(folder)
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    ((name, value),) = project["entry-points"]["serbench"].items()
    (loaded,) = load_plugins([EntryPoint(name, value, "serbench")]).loaded
    assert [(each.kind, each.name) for each in loaded.provides] == [(KINDS[kind], f"whole-{kind}")]


@pytest.mark.parametrize("kind", KINDS)
def test_the_commands_that_it_tells_can_be_planned(
    made: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = made / f"whole-{kind}"
    monkeypatch.syspath_prepend(folder)
    point = EntryPoint("p", f"serbench_whole_{kind.replace('-', '_')}.plugin", "serbench")
    plugins = load_plugins([*entry_points(group="serbench"), point])
    overlay = folder / "serbench.toml"
    registry = load_registry(plugins, overlay if overlay.exists() else None)
    for command in Named(f"whole-{kind}", kind).commands:
        name, *words = command.split()[1:]
        given = TYPER.commands[name].make_context(name, list(words)).params  # pyright: ignore[reportAttributeAccessIssue]
        if name == "run":
            request = Request(
                given["dataset"],
                tuple(given["methods"]),
                given["profile"],
                tuple(given["teacher"] or ()),
            )
            assert plan_run(registry, request).methods
            assert set(given["tracker"] or ()) <= set(registry.trackers) | {f"whole-{kind}"}


def test_nothing_of_them_imports_torch_before_it_is_built(made: Path) -> None:
    modules = ", ".join(f"serbench_whole_{kind.replace('-', '_')}.plugin" for kind in KINDS)
    result = python(made, "-c", f"import sys, {modules}; sys.exit('torch' in sys.modules)")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("length", [1, LONGEST])
def test_what_is_written_is_tidy_however_long_the_name_is(
    installed: Plugins, tmp_path: Path, length: int
) -> None:
    for kind in KINDS:
        new_plugin("x" * length, kind, tmp_path / kind, installed)
    for command in (["check"], ["format", "--check"]):
        result = subprocess.run(
            [sys.executable, "-m", "ruff", *command, tmp_path],
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout


@pytest.mark.slow
def test_its_types_are_right(made: Path) -> None:
    folders = [f"{made.name}/whole-{kind}" for kind in KINDS]
    config = {"include": folders, "extraPaths": [str(ROOT), str(ROOT / "runtime"), *folders]}
    (made.parent / "pyrightconfig.json").write_text(json.dumps(config))
    settings = ("--project", str(made.parent / "pyrightconfig.json"))
    result = python(made, "-m", "pyright", *settings, "--pythonpath", sys.executable)
    assert result.returncode == 0, result.stdout


def test_a_wheel_is_built_of_it(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(made / "whole-teacher")
    wheel = zipfile.ZipFile(tmp_path / build_wheel(str(tmp_path)))
    assert {"serbench_whole_teacher/plugin.py", "serbench_whole_teacher/py.typed"} <= {
        *wheel.namelist()
    }
    points = wheel.read("serbench_whole_teacher-0.1.0.dist-info/entry_points.txt").decode()
    assert points == "[serbench]\nwhole-teacher = serbench_whole_teacher.plugin\n"


def everything(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("kind", KINDS)
def test_it_has_one_part_to_change_and_nothing_of_the_template(made: Path, kind: str) -> None:
    sources = [*everything(made / f"whole-{kind}")]
    texts = [path.read_text() for path in sources if path.suffix != ".pyc"]
    assert sum(text.count("# TODO") for text in texts) == 1
    assert not [text for text in texts if "placeholder" in text.lower() or "TRY_IT" in text]
    names = {path.relative_to(made / f"whole-{kind}").as_posix() for path in sources}
    assert {".github/workflows/tests.yml", "LICENSE", "README.md", "pyproject.toml"} <= names


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Soft", "lower-case letters"),
        ("2soft", "beginning with a letter"),
        ("soft_focal", "single hyphens"),
        ("soft--focal", "single hyphens"),
        ("../soft", "lower-case letters"),
        ("x" * (LONGEST + 1), "at most 24"),
        ("loss", "would be called Loss"),
        ("none", "would be called None"),
        ("akd", "a loss called 'akd' is already installed, by serbench "),
        ("trackers", "a package serbench_trackers is already installed"),
    ],
)
def test_a_name_that_cannot_be_had_is_told(
    installed: Plugins, tmp_path: Path, name: str, told: str
) -> None:
    with pytest.raises(PluginError, match=told):
        new_plugin(name, "loss", tmp_path / "new", installed)
    assert not (tmp_path / "new").exists()


def test_a_kind_that_there_is_not_is_told(installed: Plugins, tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=r"--kind losses: .*did you mean 'loss'"):
        new_plugin("mine", "losses", tmp_path, installed)


def test_nothing_is_written_over(installed: Plugins, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(PluginError, match="is not empty: give a new folder with --into"):
        new_plugin("mine", "loss", tmp_path, installed)
    with pytest.raises(PluginError, match="is a file"):
        new_plugin("mine", "loss", tmp_path / "notes.txt", installed)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    (tmp_path / "empty").mkdir()
    assert new_plugin("mine", "loss", tmp_path / "empty", installed).folder == tmp_path / "empty"


def test_without_a_folder_one_is_made_here(
    installed: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written = new_plugin("serbench-mine", "loss", None, installed)
    assert (tmp_path / "serbench-mine" / "serbench_mine" / "plugin.py").is_file()
    file, _, line = written.todo.partition(":")
    assert "TODO" in (written.folder / file).read_text().splitlines()[int(line) - 1]
