from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pandas as pd
import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

from serbench.cli import app
from serbench.running.plan.ablate import plan_ablation
from serbench.running.plan.request import Request
from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry
from serbench_corpora.demo import Demo

DOCS = Path(__file__).parents[2] / "docs"
OVERLAY = """
[students.small]
plugin = "transformer"
params = { dim = 16, layers = 1, heads = 2 }

[methods.full]
summary = "s"
student = "small"
loss = "akd"

[methods.labels]
summary = "s"
student = "small"
loss = "ce"

[ablations.full]
summary = "What it is made of"
[ablations.full.parts.models]
title = "Models"
[ablations.full.parts.models.rows]
teacher = { label = "Teacher", teacher = true }
labels = { label = "Labels alone", method = "labels" }
[ablations.full.parts.terms]
title = "Terms"
[ablations.full.parts.terms.rows]
no-hint = { label = "without hint", loss_params = { lambda_hint = 0.0 } }
cosine = { label = "angles by cosine", loss_params = { angle = "cosine" } }
mean = { label = "without weights", loss_params = { adaptive_weights = false }, needs_teachers = 2 }
"""
SETS = (
    "corpus.speakers=4", "corpus.takes=1", "protocol.folds=loso", "training.epochs=1",
    "training.batch_size=32", "segments.window_s=0.5", "segments.overlap_s=0",
)  # fmt: skip


def invoke(*arguments: str) -> Result:
    options = [part for text in SETS for part in ("--set", text)]
    common = ["--dataset", "demo", "--profile", "quick", "-j1", "--device", "cpu"]
    return CliRunner().invoke(app, [*arguments, *common, *options])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "demo"
    folder.mkdir()
    Demo(Demo.Params(speakers=4, takes=1)).build(folder, lambda *_: None)  # pyright: ignore[reportCallIssue]
    return folder


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of our own with a cache of its own, and the registry above."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SERBENCH_CACHE", str(tmp_path / "pytest-cache"))
    (tmp_path / "serbench.toml").write_text(OVERLAY)
    return tmp_path


def test_an_ablation_takes_over_the_fits_of_a_run_and_goes_on(made: Path, place: Path) -> None:
    data = ("--data-dir", str(made))
    run = invoke("run", "full", "labels", *data)
    assert run.exit_code == 0, run.output
    assert "fits: 8 to run, 0 in the cache" in run.stderr
    ablation = invoke("ablate", "full", *data)
    assert ablation.exit_code == 0, ablation.output
    # `full` and `labels` are there; of the rows, only the one without hint differs from `full`.
    assert "fits: 4 to run, 8 in the cache" in ablation.stderr
    (folder,) = (place / "runs").glob("demo-full-ablation-quick-*")
    timing = json.loads((folder / "timing.json").read_text())
    assert (timing["fits_run"], timing["fits_cached"]) == (4, 8)
    table = pd.read_csv(folder / "tables" / "ablation.csv", keep_default_na=False)
    verdicts = dict(zip(table["label"], table["verdict"], strict=True))
    assert verdicts["full"] == "reference"
    held = 'loss.angle = "cosine"'
    assert verdicts["angles by cosine"] == f"not run: the same as full, which has {held}"
    assert verdicts["without weights"] == "not run: the same as full with 1 teacher"
    assert set(table["method"]) == {"full", "teacher:functionals", "labels", "full:no-hint", ""}
    for shown in ("Terms", "without hint", "Teacher: functionals", "not run", "ablation.md"):
        assert shown in ablation.stdout
    certified = json.loads((folder / "certificate.json").read_text())
    assert "full:no-hint" in {reading["method"] for reading in certified["readings"]}

    again = invoke("ablate", "full", *data)
    assert "Nothing is computed again" in again.stderr
    assert again.stdout == ablation.stdout
    one = invoke("ablate", "full", "--only", "no-hint", *data)
    assert "fits: 0 to run, 8 in the cache" in one.stderr
    assert "Labels alone" not in one.stdout
    assert len(list((place / "runs").iterdir())) == 3

    verified = CliRunner().invoke(app, ["verify", folder.name, *data])
    assert verified.exit_code == 0, verified.output
    plan = (folder / "plan.json").read_text()
    (folder / "plan.json").write_text(plan.replace("without hint", "without gate"))
    edited = CliRunner().invoke(app, ["verify", folder.name, *data, "--no-models"])
    assert edited.exit_code == 1, edited.output
    assert "of 6 checks: plan.json and tables)" in edited.stdout


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("labels",), ("no ablation of labels", "one of akd, full")),
        (("ful",), ("no ablation is called 'ful'", "'full'")),
        (("full", "--only", "no-hnt"), ("no row 'no-hnt'", "'no-hint'")),
        (("full", "--set", "protocol.name=leaky-random"), ("broken on purpose", "compares")),
        (("full", "--set", "methods.full:no-hnt.training.epochs=1"), ("full:no-hnt", "no-hint")),
    ],
)
def test_what_cannot_be_ablated_is_told(
    place: Path, arguments: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    result = invoke("ablate", *arguments)
    assert result.exit_code == 2
    for part in parts:
        assert part in result.stderr, result.stderr
    assert "Traceback" not in result.output
    assert not (place / "runs").exists()


def test_ablate_takes_the_options_of_run_but_the_protocol() -> None:
    commands = get_command(app).commands  # pyright: ignore[reportAttributeAccessIssue]
    run, ablate = (
        {tuple(each.opts): each.help for each in commands[name].params}
        for name in ("run", "ablate")
    )
    suites = {("--suite",), ("--skip-missing",)}
    assert run.keys() - ablate.keys() == {("methods",), ("--protocol",), *suites}
    assert ablate.keys() - run.keys() == {("method",)}
    shared = (run.keys() & ablate.keys()) - {("--only",)}  # rows of one, methods of the other
    assert all(ablate[option] == run[option] for option in shared)


def test_every_ablation_of_the_docs_can_be_planned(place: Path) -> None:
    page = (DOCS / "howto-ablate.md").read_text(encoding="utf-8")
    toml = re.findall(r"^```toml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    Path("serbench.toml").write_text("\n".join(toml), encoding="utf-8")
    registry = load_registry(load_plugins())
    command = get_command(app).commands["ablate"]  # pyright: ignore[reportAttributeAccessIssue]
    lines = re.findall(r"^\$ serbench ablate (.*)$", page, re.MULTILINE)
    assert len(lines) >= 6
    for line in lines:
        given = command.make_context("ablate", shlex.split(line)).params
        request = Request(
            given["dataset"], (), given["profile"], tuple(given["teacher"] or ()),
            tuple(given["settings"] or ()),
        )  # fmt: skip
        assert plan_ablation(registry, given["method"], request, given["only"] or ()).ablation


def test_every_row_of_akd_is_documented() -> None:
    page = (DOCS / "howto-ablate.md").read_text(encoding="utf-8")
    rows = load_registry(load_plugins()).ablation("akd").rows
    assert [name for name in rows if f"`{name}`" not in page] == []


def test_list_shows_ablations_with_their_rows(place: Path) -> None:
    result = CliRunner().invoke(app, ["list", "ablations"])
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("full")]
    for part in ("teacher, labels, no-hint, cosine, mean", "What it is made of"):
        assert part in line
