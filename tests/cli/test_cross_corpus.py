"""Runs that train on other corpora than they test, and runs by a label map."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from serbench.cli import app
from serbench_corpora.demo import Demo

CORPUS = """
[datasets.{name}]
corpus = "files"
folds = "loso"
teachers = ["functionals"]

[datasets.{name}.params]
pattern = '(?P<speaker>[fm]\\d\\d)_(?P<emotion>[a-z]+)_(?P<text>s\\d)_\\d\\.wav'
labels = {labels}

[datasets.{name}.params.card]
title = "{name}, for a test"
language = "none"
licence = "MIT"
home = "none"
citation = "none"
elicitation = "synthetic"
layout = "SPEAKER_EMOTION_SENTENCE_TAKE.wav"
utterances = 96
"""

LABELS = {
    "one": '{ anger = "anger", happiness = "happiness", neutral = "neutral", sadness = "sadness" }',
    "two": '{ anger = "anger", happiness = "joy", neutral = "neutral", sadness = "sadness" }',
}

MAPS = """
[labels.arousal]
map = { anger = "high", happiness = "high", joy = "high", neutral = "low", sadness = "low" }
"""

SETS = (
    "training.epochs=1", "training.batch_size=32", "segments.window_s=0.5", "segments.overlap_s=0",
    "student.dim=16", "student.layers=1", "student.heads=2",
)  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``one`` and ``two``: four speakers each, of other voices."""
    root = tmp_path_factory.mktemp("corpora")
    for seed, name in enumerate(LABELS):
        (root / name).mkdir()
        demo = Demo(Demo.Params(speakers=4, takes=1, seed=seed))  # pyright: ignore[reportCallIssue]
        demo.build(root / name, lambda *_: None)
    return root


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared-cache")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    entries = [CORPUS.format(name=name, labels=labels) for name, labels in LABELS.items()]
    (tmp_path / "serbench.toml").write_text("".join([*entries, MAPS]))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SERBENCH_CACHE", str(cache))
    return tmp_path


def run(*arguments: str, method: str = "transformer+ce") -> Result:
    options = [part for text in SETS for part in ("--set", text)]
    fixed = ("-p", "quick", "-j1", "--device", "cpu")
    return CliRunner().invoke(app, ["run", method, *arguments, *options, *fixed])


def fails(result: Result, *parts: str) -> None:
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    for part in parts:
        assert part in result.stderr, result.stderr


def finished(here: Path) -> tuple[Path, dict[str, object]]:
    """The run's folder and its certificate."""
    (folder,) = (here / "runs").iterdir()
    return folder, json.loads((folder / "certificate.json").read_text())


def test_one_corpus_is_trained_on_and_another_tested(made: Path, here: Path) -> None:
    data = ("--data-dir", str(made))
    result = run("--train", "one", "--test", "two", *data, method="transformer+kd")
    assert result.exit_code == 0, result.output
    shown = " ".join(result.stdout.split())
    assert "one-to-two: 72 test utterances, 4 speakers, 3 classes" in shown
    assert (
        "one by the label map shared: anger, neutral, sadness; left out: 24 of happiness." in shown
    )
    assert "two by the label map shared: anger, neutral, sadness; left out: 24 of joy." in shown
    sizes = (
        "Trained on one (72 utterances of 4 speakers); tested on two (72 utterances of 4 speakers)."
    )
    assert sizes in shown
    assert "nan" not in shown
    assert "RuntimeWarning" not in result.stderr
    folder, certificate = finished(here)
    assert folder.name.startswith("one-to-two-")
    (fold,) = certificate["folds"]  # pyright: ignore[reportGeneralTypeIssues]
    sides = fold["train"]["units"], fold["test"]["units"]
    assert sides == ([f"one/{s}" for s in ("f01", "f02", "m01", "m02")],
                     [f"two/{s}" for s in ("f01", "f02", "m01", "m02")])  # fmt: skip
    (coverage,) = [c for c in certificate["checks"] if c["code"] == "L2"]  # pyright: ignore[reportGeneralTypeIssues]
    assert coverage["detail"].endswith(
        "each of 72 utterances is tested once, 72 others are for training only"
    )
    assert sizes in (folder / "report.md").read_text()
    for table in (folder / "tables").glob("*.md"):
        assert "Trained on one (72 utterances" in table.read_text(), table
    verified = CliRunner().invoke(app, ["verify", *data])
    assert verified.exit_code == 0, verified.output
    for command in (
        ["report", str(folder), "--html"],
        ["leaderboard", "runs", "--output", "board"],
        ["runs"],
    ):
        later = CliRunner().invoke(app, command)
        assert later.exit_code == 0, later.output


def test_a_search_deals_the_training_corpus_into_folds(made: Path, here: Path) -> None:
    result = run(
        "--train", "one", "--test", "two", "--data-dir", str(made),
        "--set", "training.early_stopping=true", "--set", "protocol.inner=units",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    _, certificate = finished(here)
    names = [fold["name"] for fold in certificate["folds"]]  # pyright: ignore[reportGeneralTypeIssues]
    assert names == ["outer-1", *(f"outer-1/inner-{n}" for n in range(1, 5))]
    assert CliRunner().invoke(app, ["verify", "--data-dir", str(made)]).exit_code == 0


def test_a_copy_of_a_test_recording_in_training_is_a_leak(
    made: Path, here: Path, tmp_path: Path
) -> None:
    corpora = shutil.copytree(made, tmp_path / "corpora")
    shutil.copy(corpora / "two" / "f01_anger_s1_1.wav", corpora / "one" / "m02_anger_s1_1.wav")
    result = run("--train", "one", "--test", "two", "--data-dir", str(corpora))
    fails(result, "leakage L4", "one/m02_anger_s1_1 = two/f01_anger_s1_1")


def test_a_label_map_makes_a_dataset_of_its_own(made: Path, here: Path) -> None:
    data = ("--data-dir", str(made / "two"))
    result = run("-d", "two", "--labels", "arousal", *data)
    assert result.exit_code == 0, result.output
    shown = " ".join(result.stdout.split())
    assert "two-arousal: 96 utterances, 4 speakers, 2 classes" in shown
    assert "two by the label map arousal: high (anger + joy), low (neutral + sadness)." in shown
    _, certificate = finished(here)
    assert (certificate["corpus"], certificate["evaluated"]) == ("two-arousal", "two")
    assert CliRunner().invoke(app, ["verify", *data]).exit_code == 0
    folds = CliRunner().invoke(app, ["folds", "two", "--labels", "arousal", *data])
    assert folds.exit_code == 0, folds.output
    assert "HIGH  LOW" in folds.stdout
    assert "JOY" not in folds.stdout


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ((), ("--dataset NAME cross-validates", "--train NAME")),
        (("--train", "one"), ("--test OTHER",)),
        (("--test", "one"), ("--test OTHER",)),
        (("-d", "one", "--train", "two", "--test", "one"), ("cannot be combined with --train",)),
        (("--train", "one", "--test", "one"), ("one is named twice",)),
        (("-d", "one", "--labels", "common-7"), ("no label map is called 'common-7'", "common-6")),
        (
            ("--train", "one", "--test", "two", "--data-dir", "nowhere"),
            ("nowhere", "is not a folder"),
        ),
        (("--train", "one", "--test", "two"), ("cannot be downloaded", "would be DIR/one")),
        (("--train", "iemocap", "--test", "iemocap-improvised"), ("leakage L1", "IEMOCAP")),
    ],
)
def test_what_cannot_be_run_says_why(arguments: tuple[str, ...], parts: tuple[str, ...]) -> None:
    fails(run(*arguments), *parts)


def test_what_is_missing_stands_under_every_table(made: Path, here: Path, tmp_path: Path) -> None:
    corpus = shutil.copytree(made / "one", tmp_path / "one")
    (corpus / "f01_anger_s1_1.wav").unlink()
    (corpus / "f01_anger_s2_1.wav").write_bytes(b"no audio")
    data = ("--data-dir", str(corpus))
    fails(run("-d", "one", *data), "utterances: 95 of 96, 1 missing")
    result = run("-d", "one", *data, "--allow-incomplete")
    assert result.exit_code == 0, result.output
    folder, certificate = finished(here)
    assert certificate["incomplete"] == [
        "one: audio that cannot be used, left out (1): f01_anger_s2_1",
        "one: utterances: 95 of 96, 1 missing",
    ]
    assert (
        "INCOMPLETE CORPUS: one: audio that cannot be used, left out (1): f01_anger_s2_1; one"
        in " ".join(result.stdout.split())
    )
    for table in (folder / "tables").glob("*.md"):
        assert "INCOMPLETE CORPUS" in table.read_text(), table
    assert CliRunner().invoke(app, ["verify", *data]).exit_code == 0
