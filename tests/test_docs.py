from __future__ import annotations

import json
import re
import runpy
import shlex
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from pydantic import BaseModel
from tests_support.howto import documented_package
from typer.core import TyperCommand

from serbench import hookspecs, settings
from serbench.api import RegistryError
from serbench.cli import app
from serbench.protocol.guard.canary import CanaryResult
from serbench.protocol.guard.certificate import (
    LEAKS,
    AudioRecord,
    Certificate,
    FoldSide,
    FoldSummary,
    LabelReading,
    LeakCheck,
    StudentRecord,
    TeacherRecord,
)
from serbench.protocol.guard.view import FittedRecord
from serbench.running.plan.request import Request
from serbench.running.plan.resolve import plan_run
from serbench.running.plan.suite import plan_suite
from serbench.running.plugins import KINDS, Plugins, load_plugins
from serbench.running.registry.load import load_registry
from serbench.running.store.tables import PREDICTION_COLUMNS
from serbench.testing import check_loss

ROOT = Path(__file__).parents[1]
HOOKS = sorted(name for name in vars(hookspecs) if name.startswith("serbench_"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
COMMANDS = typer.main.get_command(app)
CLI_PAGES = runpy.run_path(str(ROOT / "docs" / "tools" / "cli_pages.py"))
CHECKER = runpy.run_path(str(ROOT / "docs" / "check.py"))

PREFIXES = {"corpora": "corpus", "teachers": "teacher", "students": "student", "losses": "loss"}
"""How ``--set`` reaches the parameters of each kind of plugin."""


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(page: Path, language: str) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands(page: Path) -> Iterator[list[str]]:
    """Arguments of every ``$ serbench …`` in the console blocks of a page."""
    for block in blocks(page, "console"):
        for line in block.splitlines():
            words = shlex.split(line.removeprefix("$ "))
            assert words[0] == "serbench", f"{line}: a console block shows serbench's own commands"
            yield words[1:]


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_a_heading_in_the_docs(hook: str) -> None:
    assert hook in re.findall(r"^### (\w+)$", read("docs/plugins.md"), re.MULTILINE)


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_a_test(hook: str) -> None:
    tests = (path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert any(re.search(rf"^def test_{hook}\b", text, re.MULTILINE) for text in tests)


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_a_docstring(hook: str) -> None:
    assert vars(hookspecs)[hook].__doc__


def test_the_docs_speak_of_no_hook_that_is_not_there() -> None:
    headings = re.findall(r"^### (serbench_\w+)$", read("docs/plugins.md"), re.MULTILINE)
    assert sorted(headings) == HOOKS


@pytest.fixture
def with_documented_plugin(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Plugins:
    """Our own plugins and the one that docs/plugins.md writes, as if it were installed."""
    folder = tmp_path_factory.mktemp("focal")
    page = ROOT / "docs" / "plugins.md"
    module = documented_package(page, "serbench_focal", folder, monkeypatch)
    point = EntryPoint("focal", module.__name__, "serbench")
    vars(point)["dist"] = SimpleNamespace(name="serbench-focal", version="1.0")
    return load_plugins([*entry_points(group="serbench"), point])


def test_the_plugin_of_the_docs_is_loaded_and_keeps_its_contract(
    with_documented_plugin: Plugins,
) -> None:
    assert not [each.cause for each in with_documented_plugin.failed if each.entry_point == "focal"]
    check_loss(with_documented_plugin.get("losses", "focal"), {"gamma": 1.0})


@every_page
def test_every_command_is_one_that_serbench_takes(page: Path) -> None:
    for arguments in commands(page):
        command, rest = COMMANDS, arguments
        while rest and rest[0] in getattr(command, "commands", {}):
            command, rest = command.commands[rest[0]], rest[1:]  # pyright: ignore[reportAttributeAccessIssue]
        if rest != ["--help"]:
            assert not hasattr(command, "commands"), f"no such command: {shlex.join(arguments)}"
            command.make_context("serbench", list(rest))


@every_page
def test_every_run_can_be_planned(
    page: Path, with_documented_plugin: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("whisper-base", "whisper-tiny.en"):
        whisper = tmp_path / "models" / name
        whisper.mkdir(parents=True)
        (whisper / "config.json").write_text('{"model_type": "whisper"}', encoding="utf-8")
    (tmp_path / "speech").mkdir()
    overlay = tmp_path / "serbench.toml"
    other = re.compile(r"^\[(project|tool)\b", re.MULTILINE)
    tables = [b for b in blocks(page, "toml") if not other.search(b)]
    overlay.write_text("\n".join(tables), encoding="utf-8")
    registry = load_registry(with_documented_plugin, overlay)
    run = COMMANDS.commands["run"]  # pyright: ignore[reportAttributeAccessIssue]
    for arguments in commands(page):
        if arguments[0] != "run" or "--help" in arguments:
            continue
        given = run.make_context("run", arguments[1:]).params
        request = Request(
            given["dataset"] or given["test"],
            tuple(given["methods"] or ()),
            given["profile"],
            tuple(given["teacher"] or ()),
            tuple(given["settings"] or ()),
            given["pretrain_audio"] and Path(given["pretrain_audio"]),
            tuple(given["train"] or ()),
            given["labels"],
        )
        if given["suite"]:
            only = given["only"] or ()
            made = plan_suite(registry, given["suite"], request, only, skip_missing=True)
        else:
            made = plan_run(registry, request)
        assert made.methods


def test_a_run_that_cannot_be_planned_would_be_found() -> None:
    with pytest.raises(RegistryError, match="learning_rate"):
        plan_run(
            load_registry(load_plugins()),
            Request("demo", ("akd",), sets=("training.lerning_rate=1",)),
        )


def documented(prefix: str, text: str) -> dict[str, str]:
    """Setting to default of the table rows whose setting starts with ``prefix``."""
    rows = re.findall(rf"^\|.*?`{prefix}\.(\w+)` \| (.*?) \|", text, re.MULTILINE)
    return dict(rows)


def defaults(model: type[BaseModel]) -> dict[str, object]:
    return {
        name: "required" if info.is_required() else info.get_default(call_default_factory=True)
        for name, info in model.model_fields.items()
    }


def as_shown(value: object) -> object:
    """A default as JSON would have it."""
    return json.loads(json.dumps(value))


SECTIONS = {
    **{name: field.annotation for name, field in settings.MethodSettings.model_fields.items()},
    "protocol": settings.ProtocolSettings,
}


@pytest.mark.parametrize("section", SECTIONS)
def test_every_setting_is_documented_with_its_default(section: str) -> None:
    model = SECTIONS[section]
    assert isinstance(model, type)
    assert issubclass(model, BaseModel)
    shown = {k: json.loads(v) for k, v in documented(section, read("docs/settings.md")).items()}
    assert shown == {name: as_shown(value) for name, value in defaults(model).items()}


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (kind, item.name)
        for kind in KINDS
        if kind in PREFIXES
        for item in load_plugins().items(kind)
        if item.distribution == "serbench"
    ],
)
def test_every_parameter_of_our_plugins_is_documented(kind: str, name: str) -> None:
    rows = [row for row in read("docs/settings.md").splitlines() if row.startswith(f"| {name} |")]
    shown = documented(PREFIXES[kind], "\n".join(rows))
    model = load_plugins().get(kind, name).Params  # pyright: ignore[reportAttributeAccessIssue]
    assert {k: json.loads(v) for k, v in shown.items()} == {
        parameter: as_shown(value) for parameter, value in defaults(model).items()
    }


def test_every_command_has_a_page_with_all_its_options() -> None:
    pages = CLI_PAGES["pages"]()
    leaves = {n: c for n, c in _all_commands(COMMANDS, "serbench") if not hasattr(c, "commands")}
    assert len(pages) == len(leaves)
    for name, command in leaves.items():
        text = pages[CLI_PAGES["address"](name.removeprefix("serbench "))]
        assert f"# {name}\n" in text
        options = [
            each for param in command.params for each in [*param.opts, *param.secondary_opts]
        ]
        assert [o for o in options if o.startswith("-") and f"`{o}`" not in text] == []


def test_the_page_of_the_command_line_lists_every_command() -> None:
    listed = CLI_PAGES["listed"](read("docs/cli.md"))
    for name in CLI_PAGES["commands"]():
        assert f"[`serbench {name}`]({CLI_PAGES['address'](name)})" in listed


def _all_commands(command, name: str) -> Iterator[tuple[str, TyperCommand]]:
    yield name, command
    for child, below in getattr(command, "commands", {}).items():
        yield from _all_commands(below, f"{name} {child}")


RECORDS = [
    AudioRecord,
    CanaryResult,
    Certificate,
    LeakCheck,
    FittedRecord,
    FoldSide,
    FoldSummary,
    LabelReading,
    StudentRecord,
    TeacherRecord,
]


@pytest.mark.parametrize("model", RECORDS)
def test_every_key_of_the_certificate_is_documented(model: type[BaseModel]) -> None:
    text = read("docs/certificate.md")
    assert [key for key in model.model_fields if f"`{key}`" not in text] == []


def test_every_leak_is_explained() -> None:
    rows = re.findall(r"^\| (L\d+) \|", read("docs/protocol.md"), re.MULTILINE)
    assert sorted(rows) == sorted(LEAKS)


def test_the_readme_stays_short() -> None:
    assert len(read("README.md").split()) <= 1350


def test_every_column_of_the_predictions_is_documented() -> None:
    text = read("docs/run-folder.md")
    assert [column for column in PREDICTION_COLUMNS if f"`{column}`" not in text] == []


@every_page
def test_links_resolve(page: Path) -> None:
    assert list(CHECKER["broken_links"](page)) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = ROOT / "docs" / "index.md"
    broken = tmp_path / "page.md"
    broken.write_text(f"# Here\n\n[a](nowhere.md) [b](#there) [c](#here) [d]({page}#no-heading)\n")
    CHECKER["broken_links"].__globals__["ROOT"] = tmp_path
    try:
        found = list(CHECKER["broken_links"](broken))
    finally:
        CHECKER["broken_links"].__globals__["ROOT"] = ROOT
    assert [problem.split(": ")[1] for problem in found] == [
        "nowhere.md", "#there", f"{page}#no-heading",
    ]  # fmt: skip
