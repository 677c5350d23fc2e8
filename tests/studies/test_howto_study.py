"""The example of docs/howto-study.md, as it stands there."""

from __future__ import annotations

import importlib
import io
import re
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tests_support.howto import DOCS
from tests_support.run_maker import make_run

import serbench.studies
from serbench.cli.study import study_command
from serbench.errors import SerbenchError
from serbench.running.harness.observer import Observer
from serbench.running.store.finished import load_run
from serbench.studies.conduct import conduct
from serbench.studies.of_run import studies_of
from serbench.studies.opened import Opened


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``study.py`` of the example, in a folder beside the others."""
    text = (DOCS / "howto-study.md").read_text(encoding="utf-8")
    blocks = re.findall(r"(?ms)^```python\n# serbench/studies/(\S+)\n(.*?)^```$", text)
    assert [name for name, _ in blocks] == [
        f"durations/{name}.py" for name in ("study", "measure", "show")
    ]
    for name, code in blocks:
        path = tmp_path / "studies" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code, encoding="utf-8")
    places = [*serbench.studies.__path__, str(tmp_path / "studies")]
    monkeypatch.setattr(serbench.studies, "__path__", places)
    yield importlib.import_module("serbench.studies.durations.study")
    for name in [each for each in sys.modules if each.startswith("serbench.studies.durations")]:
        del sys.modules[name]


def test_the_study_measures_writes_and_is_on_the_page(module: Any, tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", {"akd": 0.7, "kd": 0.5})
    ids = load_run(folder, "run").predictions["utterance"].unique()
    rows = [f"{utterance},{1 + number % 3}" for number, utterance in enumerate(ids)]
    (folder / "utterances.csv").write_text("\n".join(["utterance,duration_s", *rows]))
    console = Console(width=80, file=io.StringIO())
    study = module.DurationsStudy()
    conduct(
        study, module.DurationsParams(edge=2.5), Opened((folder,)), folder / "durations", console,
        lambda _: nullcontext(Observer()),
    )  # fmt: skip
    numbers = (folder / "durations" / "durations.csv").read_text().splitlines()
    assert numbers[0] == "method,kind,utterances,ua,certificate"
    assert len(numbers) == 1 + 4
    (record,) = studies_of([load_run(folder, "run")]).records
    assert record.params == {"edge": 2.5}
    assert record.tables[0].notes == ("Long: 2.5 s and more.",)


def test_its_options_are_those_of_its_parameters(module: Any) -> None:
    options = study_command(module.DurationsStudy()).command.__annotations__
    assert list(options) == ["run", "edge", "output", "runs"]
    with pytest.raises(SerbenchError, match="--edge 0: give seconds above 0"):
        module.DurationsParams(edge=0.0)
