"""A method without gradient descent goes through all that others go through."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import safetensors.torch
from click.testing import Result
from typer.testing import CliRunner

from serbench.cli import app
from serbench_corpora.demo import Demo

SETS = ("corpus.speakers=4", "corpus.takes=1", "protocol.folds=loso")


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def ran(*arguments: str) -> Path:
    """The folder of a finished run."""
    options = [part for text in SETS for part in ("--set", text)]
    before = set(Path("runs").glob("*"))
    result = invoke("run", *arguments, "--dataset", "demo", *options, "-j1", "--device", "cpu")
    assert result.exit_code == 0, result.output
    (folder,) = set(Path("runs").glob("*")) - before
    return folder


@pytest.fixture(scope="module", autouse=True)
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with an inner search and a canary, in a folder to work in."""
    root = tmp_path_factory.mktemp("estimators")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("SERBENCH_CACHE", str(root / "cache"))
        Demo(Demo.Params(speakers=4, takes=1))
        folder = ran("log-mel-svm", "--profile", "quick", "--canary")
    return root / folder


@pytest.fixture(autouse=True)
def _at_work(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made.parents[1])
    monkeypatch.setenv("SERBENCH_CACHE", str(made.parents[1] / "cache"))


def test_it_verifies_and_is_reported(made: Path) -> None:
    verified = invoke("verify", str(made))
    assert verified.exit_code == 0, verified.output
    assert "4 students predict the same posteriors (greatest difference 0)" in verified.stdout
    report = (made / "report.md").read_text()
    assert "| log-mel-svm | linear-svm | 964 |" in report
    assert "student.C" in report
    assert "training.epochs" not in report
    certificate = json.loads((made / "certificate.json").read_text())
    assert {each["what"] for each in certificate["fitted"]} == {
        "normaliser", "student of log-mel-svm",
    }  # fmt: skip
    assert certificate["canary"][0]["repeats"] == 5


def test_epochs_that_it_does_not_have_cannot_be_chosen_on_the_test_side(made: Path) -> None:
    leaky = ran("log-mel-svm", "--profile", "quick", "--protocol", "leaky-early-stopping")
    certificate = json.loads((leaky / "certificate.json").read_text())
    assert not [each for each in certificate["fitted"] if "epoch" in each["what"]]
    rows = [pd.read_parquet(each / "predictions.parquet") for each in (made, leaky)]
    pd.testing.assert_frame_equal(*rows)


def test_the_leak_of_a_normaliser_is_shown(made: Path) -> None:
    leaky = ran("log-mel-svm", "--profile", "quick", "--protocol", "leaky-normaliser")
    rows = [pd.read_parquet(each / "predictions.parquet") for each in (made, leaky)]
    assert not rows[0].filter(like="p_").equals(rows[1].filter(like="p_"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("export", "RUN"), "log-mel-svm is an estimator for whole utterances"),
        (("deploy", "RUN"), "log-mel-svm is an estimator for whole utterances"),
        (("prune", "RUN"), "log-mel-svm is an estimator for whole utterances"),
        (
            ("run", "log-mel-svm", "--dataset", "demo", "--set", "training.epochs=3"),
            "--set training.epochs: log-mel-svm trains no network",
        ),
        (
            ("run", "log-mel-svm", "--dataset", "demo", "--set", "loss.k=3"),
            "--set loss.k: no loss of this run has it",
        ),
    ],
)
def test_what_it_cannot_do_is_told_in_one_line(
    made: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = invoke(*(str(made) if each == "RUN" else each for each in arguments))
    assert result.exit_code == 2, result.output
    assert f"serbench: {message}" in result.stderr
    assert "Traceback" not in result.output


def test_another_estimator_in_its_place_is_told(made: Path, tmp_path: Path) -> None:
    path = next(made.glob("models/log-mel-svm/outer-1-*.safetensors"))
    before = path.read_bytes()
    try:
        state = safetensors.torch.load(before)
        state["stored"] = state["stored"].flip(0).contiguous()
        path.write_bytes(safetensors.torch.save(state))
        result = invoke("verify", str(made))
    finally:
        path.write_bytes(before)
    assert result.exit_code != 0
    assert "the stored estimator classical is damaged" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('student = "linear-svm"\nloss = "ce"', "linear-svm is an estimator, which has no loss"),
        (
            'student = "linear-svm"\nsettings = { training = { epochs = 3 } }',
            "linear-svm is an estimator, which has none of these",
        ),
        ('student = "hybrid-tiny"', "hybrid-tiny is trained with a loss; name one"),
    ],
)
def test_a_registry_is_told_what_does_not_fit(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "o.toml"
    file.write_text(f'[methods.mine]\nsummary = "s"\n{text}\n')
    result = invoke("registry", "check", str(file))
    assert result.exit_code == 2, result.output
    assert message in result.output
