"""The two distributions, as pip installs them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tests_support.exported import make_exported

from serbench_runtime import __version__

ROOT = Path(__file__).parents[2]

ABSENT = {"pandas", "pydantic", "rich", "scikit-learn", "scipy", "torch", "transformers", "typer"}

MOST_BYTES = 60_000_000
"""Of all that is installed with the runtime but NumPy and ONNX Runtime."""


def project(name: str) -> dict:
    return tomllib.loads((ROOT / name).read_text(encoding="utf-8"))["project"]


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0] for line in requirements}


def test_serbench_needs_the_runtime_of_its_own_version() -> None:
    needed = project("pyproject.toml")["dependencies"]
    assert f"serbench-runtime=={__version__}" in needed


def test_both_have_one_licence() -> None:
    assert (ROOT / "runtime" / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_the_runtime_needs_little() -> None:
    needed = names(project("runtime/pyproject.toml")["dependencies"])
    assert needed == {"numpy", "onnxruntime", "soundfile", "soxr"}
    assert needed < names(project("pyproject.toml")["dependencies"])


def test_the_command_of_a_device_imports_nothing_else() -> None:
    code = (
        "import sys, serbench_runtime.cli.app, serbench_runtime.files\n"
        "print(sorted({each.partition('.')[0] for each in sys.modules} & set(sys.argv[1:])))"
    )
    words = [sys.executable, "-c", code, "serbench", "click", *ABSENT]
    assert subprocess.check_output(words, text=True) == "[]\n"


def run(*words: str | Path, **given: object) -> str:
    done = subprocess.run(
        [str(word) for word in words],
        capture_output=True, text=True, check=False, **given,  # pyright: ignore[reportArgumentType, reportCallIssue]
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def pip(*words: str | Path) -> str:
    return run(sys.executable, "-m", "pip", "--disable-pip-version-check", *words)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both wheels, by their distributions."""
    pytest.importorskip("hatchling", reason="hatchling is not installed: pip install hatchling")
    folder = tmp_path_factory.mktemp("wheels")
    options = ("--no-deps", "--no-build-isolation", "--wheel-dir", folder)
    pip("wheel", *options, ROOT / "runtime", ROOT)
    found = {path.name.partition("-")[0]: path for path in folder.iterdir()}
    assert set(found) == {"serbench", "serbench_runtime"}
    return found


def environment(folder: Path) -> tuple[Path, Path]:
    """A fresh one without pip: its commands, and its packages."""
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    paths = {"base": str(folder), "platbase": str(folder)}
    return (
        Path(sysconfig.get_path("scripts", "venv", paths)),
        Path(sysconfig.get_path("purelib", "venv", paths)),
    )


@pytest.fixture
def sound(tmp_path: Path) -> bytes:
    """Raw PCM; a model and the same as a file lie in the folder."""
    make_exported(tmp_path / "m.onnx")
    samples = (np.random.default_rng(0).normal(0.05, 0.1, 20_800) * 32767).astype("<i2")
    soundfile.write(tmp_path / "a.wav", samples, 16000)
    return samples.tobytes()


def predicts_and_streams(command: Path, folder: Path, sound: bytes) -> None:
    (line,) = run(command, "predict", "m.onnx", "a.wav", "-f", "json", cwd=folder).splitlines()
    assert json.loads(line)["duration_s"] == 1.3
    words = [str(command), "stream", "m.onnx"]
    told = subprocess.run(words, input=sound, capture_output=True, cwd=folder, check=True)
    steps = [json.loads(line) for line in told.stdout.splitlines()]
    assert [(step["time_s"], step["final"]) for step in steps] == [
        (0.5, False), (1.0, False), (1.3, True),
    ]  # fmt: skip


@pytest.mark.slow
def test_the_runtime_alone_predicts_and_is_small(
    wheels: dict[str, Path], tmp_path: Path, sound: bytes
) -> None:
    commands, packages = environment(tmp_path / "device")
    install = ("--python", commands / "python", "install", "--quiet", wheels["serbench_runtime"])
    words = [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, install)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode and re.search("connection|No matching distribution", done.stderr, re.I):
        pytest.skip(f"the package index cannot be reached: {done.stderr.strip()[-200:]}")
    assert done.returncode == 0, done.stderr

    predicts_and_streams(commands / "serbench-runtime", tmp_path, sound)
    found = (path.name.partition("-")[0].lower() for path in packages.glob("*.dist-info"))
    installed = {name.replace("_", "-") for name in found}
    assert "serbench-runtime" in installed
    assert not installed & ABSENT
    beyond = [
        file.stat().st_size
        for file in packages.rglob("*")
        if file.is_file()
        and not file.relative_to(packages).parts[0].startswith(("numpy", "onnxruntime"))
    ]
    assert sum(beyond) < MOST_BYTES


@pytest.mark.slow
def test_serbench_runs_from_both_wheels(
    wheels: dict[str, Path], tmp_path: Path, sound: bytes
) -> None:
    """Its other packages are those of this environment: to fetch them takes minutes."""
    commands, packages = environment(tmp_path / "venv")
    pip("--python", commands / "python", "install", "--quiet", "--no-deps", *wheels.values())
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    where = "import serbench, serbench_runtime as r; print(serbench.__file__, r.__file__)"
    for place in run(commands / "python", "-c", where, cwd=tmp_path).split():
        assert Path(place).is_relative_to(packages)
    assert run(commands / "serbench", "--version") == f"serbench {__version__}\n"
    predicts_and_streams(commands / "serbench", tmp_path, sound)
    assert "akd" in run(commands / "serbench", "list", "methods")
