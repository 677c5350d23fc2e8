from __future__ import annotations

import json
import subprocess
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from serbench.checks.doctor import installed, machine, run
from serbench.checks.doctor.records import Diagnosis, Line, Section, section
from serbench.cli import app
from serbench.errors import RegistryError
from serbench.running.plugins import FailedPlugin, LoadedPlugin
from serbench.running.registry.lookup import Registry


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch is not installed, numpy is too old."""
    real = metadata.version

    def version(name: str) -> str:
        if name == "torch":
            raise metadata.PackageNotFoundError(name)
        return "1.0" if name == "numpy" else real(name)

    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(installed, "_import_fault", lambda: ("", ""))


def named(lines: list[Line], name: str) -> Line:
    return next(line for line in lines if line.name == name)


@pytest.mark.usefixtures("without")
def test_a_missing_or_old_package_is_a_line_with_a_remedy() -> None:
    lines = installed.versions()
    assert named(lines, "torch").value == "not installed"
    assert "pip install --upgrade serbench" in named(lines, "torch").broken
    assert named(lines, "numpy").broken.startswith("serbench needs >=2.")
    assert not named(lines, "rich").broken


def test_a_package_that_is_installed_and_cannot_be_imported_is_broken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "torch.py").write_text("raise OSError('libtorch.so: undefined symbol')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(installed, "IMPORTED", ("torch", "soundfile"))
    lines = installed.versions()
    assert named(lines, "torch").value == metadata.version("torch")
    assert named(lines, "torch").broken == (
        "it cannot be imported (OSError: libtorch.so: undefined symbol); "
        "pip install --force-reinstall torch"
    )
    assert not named(lines, "soundfile").broken
    (tmp_path / "torch.py").write_text("import os; os.abort()")
    assert installed._import_fault() == ("torch", "exit code -6")
    (tmp_path / "torch.py").write_text("import time; time.sleep(60)")
    monkeypatch.setattr(installed, "IMPORT_S", 0.5)
    assert installed._import_fault() == ("torch", "no result within 0.5 s")
    monkeypatch.setattr(installed, "IMPORTED", ())
    assert installed._import_fault() == ("", "")


def test_an_extra_that_is_missing_is_told_with_its_command_and_is_not_broken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(installed, "_version", lambda name: None if name == "sounddevice" else "1")
    lines = installed.extras()
    assert named(lines, "microphone") == Line(
        "microphone", "not installed (sounddevice): pip install 'serbench[microphone]'"
    )
    assert named(lines, "openvino").value == "installed"
    assert "dev" not in [line.name for line in lines]


def test_plugins_that_failed_are_broken_and_named() -> None:
    found = SimpleNamespace(
        loaded=[LoadedPlugin("a", "pkg", "1", ()), LoadedPlugin("b", "pkg", "1", ())],
        failed=[FailedPlugin(name, "bad", "2", "ImportError: no") for name in "cd"],
    )
    good, bad = installed.plugins(lambda: found)  # pyright: ignore[reportArgumentType, reportReturnType]
    assert good == Line("pkg 1", "loaded: a, b")
    assert (bad.name, bad.value) == ("bad 2", "failed to load: c, d: ImportError: no")
    assert bad.broken


def test_whatever_a_look_raises_is_a_line() -> None:
    def look() -> list[Line]:
        raise RuntimeError("two\nlines")

    assert section("X", look).lines == (
        Line("unknown", "RuntimeError: two lines", "this part could not be checked"),
    )


def test_nothing_private_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    lines = [Line("a", f"{tmp_path}/x, {tmp_path}er", "https://me:secret@hub/x")]
    (line,) = section("X", lambda: lines).lines
    assert line == Line("a", f"~/x, {tmp_path}er", "https://hub/x")


def test_folders_that_cannot_be_used_are_broken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SERBENCH_CACHE", str(tmp_path / "new" / "cache"))
    monkeypatch.setenv("SERBENCH_DATA", str(tmp_path / "nowhere"))
    cache, data = machine.folders()
    assert "(not created yet)" in cache.value
    assert not cache.broken
    assert "it is not a folder" in data.broken
    (tmp_path / "new").write_text("a file")
    assert machine.folders()[0].broken


def test_the_size_of_the_cache_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "fits").mkdir()
    with (tmp_path / "fits" / "a").open("wb") as stream:
        stream.truncate(2_100_000_000)  # sparse: no disk is used
    monkeypatch.setenv("SERBENCH_CACHE", str(tmp_path))
    assert machine.folders()[0].value.startswith(f"{tmp_path}, 2.1 GB, ")


def test_gpus_are_the_drivers_and_a_driver_that_fails_is_broken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(machine.platform, "system", lambda: "Linux")
    monkeypatch.setattr(machine.shutil, "which", lambda _: "/usr/bin/nvidia-smi")
    told = SimpleNamespace(stdout="H200, 143771 MiB, 570.1\n\n")
    monkeypatch.setattr(machine.subprocess, "run", lambda *_, **__: told)
    assert machine._gpus() == [Line("GPU", "H200, 143771 MiB, 570.1, --device cuda:0")]

    def fails(*_: object, **__: object) -> None:
        raise subprocess.CalledProcessError(9, "nvidia-smi")

    monkeypatch.setattr(machine.subprocess, "run", fails)
    assert "GPU's driver" in machine._gpus()[0].broken


@pytest.mark.parametrize(
    ("fault", "value"),
    [
        ("", "https://hub.example answers"),
        ("no route", "https://hub.example cannot be reached (no route); corpora and weights"),
    ],
)
def test_the_hub_is_asked(monkeypatch: pytest.MonkeyPatch, fault: str, value: str) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "https://hub.example")
    monkeypatch.setattr(machine, "_fault", lambda _: fault)
    (line,) = machine.hub()
    assert line.value.startswith(value)
    assert not line.broken
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(machine, "_fault", lambda _: pytest.fail("it was asked"))
    assert "HF_HUB_OFFLINE is set" in machine.hub()[0].value


def test_errors_of_the_overlay_are_told(tmp_path: Path) -> None:
    def fails() -> Registry:
        raise RegistryError("my.toml:2: wrong" + "\n  my.toml:3: wrong" * 12)

    overlay, errors = installed.registry(fails, tmp_path / "my.toml")
    assert overlay == Line("overlay", str(tmp_path / "my.toml"))
    told = errors.value.splitlines()
    assert (told[0], told[-1], len(told)) == ("my.toml:2: wrong", "and 3 more lines", 11)
    assert errors.broken


def test_every_section_is_there_though_all_of_them_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> list[Line]:
        raise ImportError("no module named x")

    for module, names in (
        (installed, ("versions", "extras", "plugins", "registry")),
        (machine, ("devices", "folders", "hub", "datasets")),
    ):
        for name in names:
            monkeypatch.setattr(module, name, fails)
    found = run.diagnose()
    assert len(found.broken) == len(found.sections) == 8


@pytest.mark.parametrize(("broken", "code"), [("do this", 1), ("", 0)])
def test_what_is_printed_and_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, broken: str, code: int
) -> None:
    sections = (Section("Versions", (Line("torch", "2.9", broken),)),)
    monkeypatch.setattr(run, "diagnose", lambda _: Diagnosis(sections))
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == code
    assert "  torch  2.9\n" in result.stdout
    assert ("BROKEN: do this" in result.stdout) == bool(code)
    result = CliRunner().invoke(app, ["doctor", "--json"])
    assert result.exit_code == code
    assert json.loads(result.stdout) == {
        "schema": 1,
        "broken": code,
        "sections": {"Versions": [{"name": "torch", "value": "2.9", "broken": broken}]},
    }
