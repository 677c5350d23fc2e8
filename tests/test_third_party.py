from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stranger's distribution, as pip installs it; needs no network."""
    folder = tmp_path_factory.mktemp("third-party")
    source, target = folder / "source", folder / "packages"
    shutil.copytree(Path(__file__).parent / "third_party", source)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target"]
    command = [sys.executable, "-m", "pip", "install", *options, str(target), str(source)]
    subprocess.run(command, check=True)
    return target


def test_a_strangers_corpus_student_and_loss_run_through_the_command_line(
    packages: Path, tmp_path: Path
) -> None:
    environment = os.environ | {
        "PYTHONPATH": str(packages),
        "OMP_NUM_THREADS": "1",
        "SERBENCH_CACHE": str(tmp_path / "cache"),
    }
    command = [sys.executable, "-m", "serbench", "run", "tiny-mlp+focal", "--dataset", "tones"]
    options = ["--profile", "quick", "--set", "training.epochs=2", "--device", "cpu", "-j1"]
    result = subprocess.run(
        [*command, *options], cwd=tmp_path, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "tiny-mlp+focal" in result.stdout
    assert "Traceback" not in result.stderr
    (folder,) = (tmp_path / "runs").iterdir()
    table = (folder / "tables").glob("*.csv")
    assert any("tiny-mlp+focal" in file.read_text() for file in table)
    plugins = (folder / "environment.json").read_text()
    assert '"distribution": "serbench-thirdparty"' in plugins
    assert '"version": "1.2.3"' in plugins
