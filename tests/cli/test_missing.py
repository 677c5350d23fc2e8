from __future__ import annotations

import pytest
from typer.testing import CliRunner

from serbench.cli import app
from serbench.cli.missing import missing_package


@pytest.mark.parametrize(
    ("module", "requirement"), [("torch", "torch<"), ("sklearn", "scikit-learn>=")]
)
def test_a_missing_package_is_told_with_its_requirement(module: str, requirement: str) -> None:
    told = missing_package(ModuleNotFoundError(f"No module named {module!r}", name=module))
    assert told.startswith("this command needs ")
    assert f"pip install '{requirement}" in told


@pytest.mark.parametrize(
    "error",
    [
        ModuleNotFoundError("No module named 'torch.nn.gone'", name="torch.nn.gone"),
        ModuleNotFoundError("No module named 'strange'", name="strange"),
        ImportError("cannot import name 'x'", name="torch"),
    ],
)
def test_other_errors_stay_what_they_are(error: Exception) -> None:
    assert not missing_package(error)


def test_a_command_says_it_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ModuleNotFoundError("No module named 'pandas'", name="pandas")

    monkeypatch.setattr("serbench.running.registry.load.load_registry", fail)
    told = CliRunner().invoke(app, ["list", "datasets"])
    assert told.exit_code == 2
    (line,) = told.stderr.splitlines()
    assert line.startswith("serbench: this command needs pandas, which is missing: pip install")
