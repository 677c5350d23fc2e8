"""``--pretrain-audio``: a run with it from end to end, and each way in which it cannot be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests_support.pretraining import write_speech
from typer.testing import CliRunner, Result

from serbench.cli import app
from serbench_corpora.demo import Demo

SETS = (
    "corpus.speakers=4", "corpus.takes=1", "protocol.folds=loso", "training.epochs=1",
    "training.batch_size=32", "segments.window_s=0.5", "segments.overlap_s=0",
    "pretrain.epochs=2", "pretrain.batch_size=4", "student.dim=16", "student.layers=1",
    "student.heads=2",
)  # fmt: skip
TAUGHT = "transformer+akd"
OBJECTIVE = f"methods.{TAUGHT}.pretrain.objective=frames"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo corpus with four speakers in ``demo``, and audio that is not of it in ``speech``."""
    root = tmp_path_factory.mktemp("made")
    (root / "demo").mkdir()
    Demo(Demo.Params(speakers=4, takes=1)).build(root / "demo", lambda *_: None)  # pyright: ignore[reportCallIssue]
    write_speech(root / "speech")
    return root


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared-cache")


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SERBENCH_CACHE", str(cache))


def invoke(made: Path, audio: Path, *arguments: str) -> Result:
    own = (OBJECTIVE,) if TAUGHT in arguments else ()
    sets = [part for text in (*SETS, *own) for part in ("--set", text)]
    named = ["-d", "demo", "-p", "quick", "--data-dir", str(made / "demo")]
    given = [*named, "--pretrain-audio", str(audio), "-j1", "--device", "cpu"]
    return CliRunner().invoke(app, [*arguments, *given, *sets])


def fails(result: Result, *parts: str, lines: int = 1) -> None:
    """Exit code 2, and one message without a traceback that says all ``parts``."""
    assert result.exit_code == 2, result.output
    message = result.stderr[result.stderr.index("serbench: ") :]
    assert "Traceback" not in result.output
    for part in parts:
        assert part in message, message
    assert len(message.strip().splitlines()) <= lines, message


def test_a_run_with_it_is_reported_shown_and_verified(made: Path, tmp_path: Path) -> None:
    result = invoke(made, made / "speech", "run", TAUGHT, "transformer+ce")
    assert result.exit_code == 0, result.output
    for stage in ("unlabelled audio", "copies in the unlabelled audio", "pretraining (epochs)"):
        assert f"{stage}: done" in result.stderr
    (folder,) = (tmp_path / "runs").iterdir()
    plan = json.loads((folder / "plan.json").read_text())
    assert plan["pretrain_audio"]["recordings"] == 4
    report = (folder / "report.md").read_text()
    assert plan["pretrain_audio"]["digest"] in report
    assert "Pretraining without labels" in report
    settings = (folder / "tables" / "settings.md").read_text()
    (pretrained,) = (row for row in settings.splitlines() if row.startswith("| pretrained |"))
    assert [cell.strip() for cell in pretrained.split("|")[2:4]] == ["true", "false"]
    (epochs,) = (row for row in settings.splitlines() if row.startswith("| pretrain.epochs |"))
    assert [cell.strip() for cell in epochs.split("|")[2:4]] == ["2", "–"]
    assert plan["pretrain_audio"]["digest"][:12] in (folder / "certificate.md").read_text()
    options = ["verify", "--data-dir", str(made / "demo"), "--no-models"]
    without = CliRunner().invoke(app, options)
    assert without.exit_code == 0, without.output
    assert "not compared: give its folder" in without.stdout
    audio = Path(shutil.copytree(made / "speech", tmp_path / "moved"))
    verified = CliRunner().invoke(app, [*options, "--pretrain-audio", str(audio)])
    assert verified.exit_code == 0, verified.output
    assert "4 recordings read again" in verified.stdout
    (audio / "r0.wav").unlink()
    other = CliRunner().invoke(app, [*options, "--pretrain-audio", str(audio)])
    assert other.exit_code == 1, other.output
    assert "checks: unlabelled audio" in other.stdout
    missing = CliRunner().invoke(app, [*options, "--pretrain-audio", "nowhere"])
    fails(missing, "does not exist: nowhere")


def test_a_copy_of_an_utterance_stops_the_run(made: Path, tmp_path: Path) -> None:
    audio = Path(shutil.copytree(made / "speech", tmp_path / "speech"))
    first = min((made / "demo").glob("*.wav"))
    shutil.copy(first, audio / "talk.wav")
    result = invoke(made, audio, "run", TAUGHT)
    fails(result, "leakage L5", f"{first.stem} ~ unlabelled/talk.wav (1.00)", "--pretrain-audio")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("command", [("run", TAUGHT), ("ablate", "akd")])
def test_a_missing_folder(made: Path, command: tuple[str, ...]) -> None:
    result = invoke(made, Path("nowhere"), *command)
    fails(result, "--pretrain-audio nowhere: no such folder")


def test_a_folder_without_audio(made: Path, tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "letter.txt").write_text("dear")
    fails(
        invoke(made, tmp_path / "texts", "run", TAUGHT),
        "texts: no audio in this folder or below",
        ".wav",
    )


def test_a_file_that_is_no_audio(made: Path, tmp_path: Path) -> None:
    audio = Path(shutil.copytree(made / "speech", tmp_path / "speech"))
    (audio / "broken.flac").write_bytes(b"fLaC")
    fails(invoke(made, audio, "run", TAUGHT), "1 of 5 audio files", "broken.flac", lines=3)


def test_methods_that_are_not_pretrained(made: Path) -> None:
    result = invoke(made, made / "speech", "run", "transformer+ce", "transformer+kd")
    fails(result, "--pretrain-audio: no method of this run uses it", "pretrain.objective=frames")
