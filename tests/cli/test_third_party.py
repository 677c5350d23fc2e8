from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Serbench = Callable[..., subprocess.CompletedProcess[str]]

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``tests/third_party`` as pip installs it; needs no network."""
    folder = tmp_path_factory.mktemp("third-party")
    source, target = folder / "source", folder / "packages"
    shutil.copytree(ROOT / "tests/third_party", source)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target"]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, str(target), str(source)], check=True
    )
    return target


def test_it_is_listed_with_its_provider(serbench: Serbench, packages: Path) -> None:
    result = serbench("list", packages=packages)
    assert result.returncode == 0, result.stderr
    provider = "serbench-thirdparty 1.2.3"
    rows = [line for line in result.stdout.splitlines() if provider in line]
    assert [row.split()[0] for row in rows] == ["tones", "levels", "tiny-mlp", "focal"]
    assert "24 utterances, 2 labels" in rows[0]


def test_the_registry_can_name_it(serbench: Serbench, packages: Path, tmp_path: Path) -> None:
    overlay = tmp_path / "serbench.toml"
    overlay.write_text(
        '[students.wide]\nplugin = "tiny-mlp"\nparams = { width = 64 }\n'
        '[methods.stranger]\nsummary = "s"\nstudent = "wide"\nloss = "focal"\n'
        "loss_params = { gamma = 1.0 }\n"
        '[datasets.t]\ncorpus = "tones"\nfolds = "pairs"\n'
    )
    result = serbench("registry", "check", packages=packages)
    assert result.returncode == 0, result.stderr
    overlay.write_text('[students.wide]\nplugin = "tiny-mlp"\nparams = { widt = 64 }\n')
    result = serbench("registry", "check", packages=packages)
    assert result.returncode == 2
    assert "serbench.toml:3: students.wide.params.widt: unknown key; did you mean 'width'?" in (
        result.stderr
    )


def test_it_keeps_the_contracts(packages: Path, tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\n"
        "from serbench.testing import check_corpus, check_front_end, check_loss, check_student\n"
        "from serbench_thirdparty.focal import Focal\n"
        "from serbench_thirdparty.levels import Levels\n"
        "from serbench_thirdparty.tiny_mlp import TinyMlp\n"
        "from serbench_thirdparty.tones import Tones\n"
        "check_corpus(Tones, Path('tones'))\n"
        "check_front_end(Levels)\n"
        "check_student(TinyMlp)\n"
        "check_loss(Focal)\n"
    )
    environment = {"PYTHONPATH": str(packages), "OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def test_nothing_of_ours_mentions_it() -> None:
    for folder in ("serbench", "plugins", "baselines"):
        for path in (ROOT / folder).rglob("*.py"):
            assert "thirdparty" not in path.read_text(), path
    assert "thirdparty" not in (ROOT / "registry.toml").read_text()


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
