from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Serbench = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A folder with installed distributions whose plugins are broken, each in its own way."""
    folder = tmp_path / "packages"
    folder.mkdir()
    sources = {
        "raises": "raise OSError('libfoo.so is missing')\n",
        "misspelt": (
            "from serbench.api import hookimpl\n\n\n"
            "@hookimpl\ndef serbench_studets():\n    return []\n"
        ),
        "clashing": (
            "from serbench.api import Loss, Params, hookimpl\n\n\n"
            "class Akd(Loss):\n    name = 'akd'\n    Params = Params\n\n"
            "    def build(self, shape): ...\n\n\n"
            "@hookimpl\ndef serbench_losses():\n    return [Akd]\n"
        ),
    }
    for name, source in sources.items():
        (folder / f"plugin_{name}.py").write_text(source)
        info = folder / f"plugin_{name}-0.9.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: plugin-{name}\nVersion: 0.9\n"
        )
        (info / "entry_points.txt").write_text(f"[serbench]\n{name} = plugin_{name}\n")
    return folder


def test_broken_plugins_are_listed_with_package_version_and_cause(
    serbench: Serbench, packages: Path
) -> None:
    result = serbench("plugins", packages=packages)
    assert result.returncode == 0, result.stderr
    loaded, _, failed = result.stdout.partition("# Failed plugins")
    assert "loss akd" in loaded
    rows = {line.split()[0]: line for line in failed.splitlines()[2:] if line}
    assert rows["raises"].split()[:3] == ["raises", "plugin-raises", "0.9"]
    assert "OSError: libfoo.so is missing" in rows["raises"]
    assert "did you mean 'serbench_students'" in rows["misspelt"]
    assert "the loss name 'akd' is taken by akd of serbench" in rows["clashing"]


def test_strict_fails_on_them_and_on_nothing_else(serbench: Serbench, packages: Path) -> None:
    assert serbench("plugins", "--strict", packages=packages).returncode == 1
    whole = serbench("plugins", "--strict")
    assert whole.returncode == 0, whole.stdout
    assert "# Failed plugins" not in whole.stdout


def test_broken_plugins_harm_nobody_else(serbench: Serbench, packages: Path) -> None:
    result = serbench("list", "losses", packages=packages)
    assert result.returncode == 0, result.stderr
    assert "plugin-" not in result.stdout
    assert "\nakd " in result.stdout


def test_an_entry_of_a_broken_plugin_stops_only_who_uses_it(
    serbench: Serbench, packages: Path, tmp_path: Path
) -> None:
    (tmp_path / "serbench.toml").write_text(
        '[students.gone]\nplugin = "of-raises"\n'
        '[methods.theirs]\nsummary = "s"\nstudent = "gone"\nloss = "ce"\n'
    )
    checked = serbench("registry", "check", packages=packages)
    assert checked.returncode == 2
    assert "serbench.toml:2: students.gone.plugin" in checked.stderr
    listed = serbench("list", "students", packages=packages)
    assert listed.returncode == 0, listed.stderr
    (row,) = (line for line in listed.stdout.splitlines() if line.startswith("gone"))
    assert "not loaded" in row
    options = ["--dataset", "demo", "--device", "of-no-kind"]
    ours = serbench("run", "transformer", *options, packages=packages)
    assert "--device of-no-kind" in ours.stderr
    theirs = serbench("run", "theirs", *options, packages=packages)
    assert theirs.returncode == 2
    assert "of-raises" in theirs.stderr
    assert "--device" not in theirs.stderr
    assert "Traceback" not in theirs.stderr


def test_a_plugin_that_is_slow_to_load_is_told(serbench: Serbench, packages: Path) -> None:
    (packages / "plugin_raises.py").write_text(
        "import time\nend = time.process_time() + 1.1\nwhile time.process_time() < end: pass\n"
    )
    slow = [line for line in serbench("plugins", packages=packages).stdout.splitlines()
            if "delays every command" in line]  # fmt: skip
    assert len(slow) == 1
    assert slow[0].startswith("raises of plugin-raises 0.9 takes 1.")
