from __future__ import annotations

import json
import shlex
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

import serbench
from serbench.api import EpochEvent
from serbench.benchmark import progress
from serbench.benchmark.run import STOPPED, run
from serbench.cli import app

SETTINGS = {
    "corpus": {"speakers": 4, "takes": 1},
    "protocol.folds": "loso",
    "training": {"epochs": 1, "batch_size": 32},
    "segments": {"window_s": 0.5, "overlap_s": 0},
    "student": {"dim": 16, "layers": 1, "heads": 2},
}
SMALL = {"dataset": "demo", "profile": "quick", "device": "cpu", "jobs": 1, "settings": SETTINGS}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def results(folder: Path) -> dict[str, bytes]:
    """Files of a run that its plan alone determines."""
    names = ["certificate.json", "certificate.md", "predictions.parquet", "utterances.csv"]
    tables = sorted(path.relative_to(folder) for path in (folder / "tables").iterdir())
    tables.remove(Path("tables/comparison.json"))  # has a digest of the times of fits, too
    return {str(name): (folder / name).read_bytes() for name in (*names, *tables)}


def test_python_and_the_command_line_give_the_same_run(tmp_path: Path) -> None:
    """And the command that the plan quotes is one that gives it again."""
    made = serbench.run(["transformer+ce", "transformer+kd"], **SMALL, out="mine")  # pyright: ignore[reportArgumentType]
    command = shlex.split(made.plan["command"])
    assert command[:2] == ["serbench", "run"]
    assert not [word for word in command if "progress" in word]
    place = command.index("--out") + 1
    command[place] = "theirs"
    result = CliRunner().invoke(app, command[1:])
    assert result.exit_code == 0, result.output
    (other,) = (tmp_path / "theirs").iterdir()
    assert other.name == made.folder.name
    assert results(other) == results(made.folder)
    again = json.loads((other / "plan.json").read_text())
    assert {**again, "command": ""} == {**made.plan, "command": ""}
    assert made.scores().equals(serbench.Run.load(other).scores())
    assert (made.folder / "report.md").is_file()


def test_a_run_that_was_interrupted_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by the stop button of a notebook: what was fitted is not fitted again."""
    monkeypatch.setenv("SERBENCH_CACHE", str(tmp_path / "cache"))
    told: list[str] = []

    def interrupt(_: object, event: EpochEvent) -> None:
        told.append(event.fit)
        if len(set(told)) > 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(progress.PluginObserver, "epoch", interrupt)
        with pytest.raises(KeyboardInterrupt) as stopped:
            run("transformer+ce", **SMALL)  # pyright: ignore[reportArgumentType]
    assert stopped.value.__notes__ == [STOPPED]
    made = run("transformer+ce", **SMALL)  # pyright: ignore[reportArgumentType]
    timing = json.loads((made.folder / "timing.json").read_text())
    assert timing["fits_cached"] == 2
    assert timing["fits_run"] == 2
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [made.name]


def test_a_run_ends_when_its_time_is_over_and_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the third fit; the fits before it are kept, and the result is that of one run."""
    monkeypatch.setenv("SERBENCH_CACHE", str(tmp_path / "cache"))
    whole = run("transformer+ce", **SMALL, out="whole")  # pyright: ignore[reportArgumentType]
    monkeypatch.setenv("SERBENCH_CACHE", str(tmp_path / "other"))
    told: list[str] = []
    now = time.time()
    with monkeypatch.context() as patched:
        patched.setattr(progress.PluginObserver, "epoch", lambda _, event: told.append(event.fit))
        patched.setattr("time.time", lambda: now + 3600 * len(set(told)))
        longer = {**SMALL, "settings": {**SETTINGS, "training": {"epochs": 2}}}
        with pytest.raises(serbench.SerbenchError, match=r"--stop-after is over.*serbench run"):
            run("transformer+ce", **longer, stop_after="3h")  # pyright: ignore[reportArgumentType]
        assert told == sorted(told)
        assert len(set(told)) == 3
        assert len(told) == 5  # the third ends after its first epoch
        told.clear()
        with pytest.raises(serbench.SerbenchError, match="--stop-after is over"):
            run("transformer+ce", **SMALL, stop_after="2h 30m")  # pyright: ignore[reportArgumentType]
    made = run("transformer+ce", **SMALL, stop_after=3600)  # pyright: ignore[reportArgumentType]
    timing = json.loads((made.folder / "timing.json").read_text())
    assert (timing["fits_cached"], timing["fits_run"]) == (3, 1)
    assert results(made.folder) == results(whole.folder)


def test_the_exit_code_says_that_the_time_is_over() -> None:
    short = ["run", "transformer+ce", "-d", "demo", "-p", "demo", "--stop-after"]
    stopped = CliRunner().invoke(app, [*short, "1s", "--set", "corpus.speakers=8"])
    assert stopped.exit_code == 75, stopped.output
    assert "--stop-after is over" in stopped.output
    assert "serbench run transformer+ce --dataset demo" in stopped.output
    wrong = CliRunner().invoke(app, [*short, "soon"])
    assert wrong.exit_code == 2
    assert "--stop-after soon: write a duration above 0" in wrong.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"methods": "akdd"}, "no method is called 'akdd'; did you mean 'akd'"),
        ({"methods": "akd", "dataset": "demi"}, "no dataset is called 'demi'; did you mean 'demo'"),
        ({"methods": "akd", "profile": "dmo"}, "no profile is called 'dmo'; did you mean 'demo'"),
        ({"methods": "akd", "settings": {"training.epoch": 2}}, "epoch: unknown key; did you mean"),
        ({"methods": "akd", "settings": {"training": {"epochs": "2"}}}, "epochs: should be"),
        ({"methods": "akd", "tracker": "tensor"}, "did you mean 'tensorboard'"),
        ({"methods": "akd", "jobs": 0}, "must be at least 1"),
        ({"methods": "akd", "device": "abacus"}, "abacus: not usable here"),
        ({"methods": "akd", "only": "akd"}, "--only selects methods of a suite"),
        ({"suite": "table4"}, "no suite is called 'table4'; did you mean 'table3'"),
        ({"methods": "akd", "ablation": "akd"}, "an ablation has its own methods"),
        ({"ablation": "akd", "only": "no-hnt"}, "no-hint"),
        ({}, "name at least one method"),
        ({"methods": "akd", "dataset": None}, "name the data"),
    ],
)
def test_what_is_wrong_is_told_as_on_the_command_line(
    arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(serbench.SerbenchError, match=message):
        run(**{"dataset": "demo", **arguments})  # pyright: ignore[reportArgumentType]
    assert not Path("runs").exists()


def test_an_ablation_names_its_command() -> None:
    made = run(ablation="akd", only=["no-hint"], **{**SMALL, "profile": "demo", "settings": TINY})  # pyright: ignore[reportArgumentType]
    assert shlex.split(made.plan["command"])[:3] == ["serbench", "ablate", "akd"]
    assert "ablation" in made._figures()


TINY = {"corpus.speakers": 4, "corpus.takes": 1, "protocol.folds": "loso", "training.epochs": 1}


def test_a_subset_says_so_everywhere_and_is_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Title, tables and certificate; and the facts of other files stay in the cache."""
    monkeypatch.setenv("SERBENCH_CACHE", str(tmp_path / "cache"))
    serbench.run("transformer+ce", **SMALL)  # pyright: ignore[reportArgumentType]
    facts = {path: path.read_bytes() for path in (tmp_path / "cache" / "audio").iterdir()}
    made = serbench.run("transformer+ce", **SMALL, limit=60)  # pyright: ignore[reportArgumentType]
    assert facts == {path: path.read_bytes() for path in facts}
    assert made.plan["dataset"]["name"] == "demo-limit-60"
    assert made.plan["dataset"]["utterances"] == 60
    said = "SUBSET: 60 of 96 utterances of demo, chosen by speaker and class (--limit 60)"
    for name in ("certificate.json", "certificate.md", "report.md", "tables/comparison.md"):
        assert said in (made.folder / name).read_text(), name
    result = CliRunner().invoke(app, ["verify", str(made.folder)])
    assert result.exit_code == 0, result.output
    result = CliRunner().invoke(app, ["run", "transformer+ce", "-d", "demo", "--limit", "3"])
    assert result.exit_code == 2
    assert "--limit 3 may have left too little of the corpus" in result.output
