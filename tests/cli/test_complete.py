from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from serbench.cli import app

HEAVY = ("torch", "transformers", "pandas", "matplotlib", "sklearn", "scipy", "numpy")


@pytest.fixture
def completed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """What bash offers for the last word of a line, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def ask(line: str) -> list[str]:
        monkeypatch.setenv("_SERBENCH_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
        with pytest.raises(SystemExit):
            app(prog_name="serbench")
        return capsys.readouterr().out.split()

    return ask


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("serbench run ak", "akd"),
        ("serbench run akd --dataset emod", "emodb"),
        ("serbench run akd --train emodb --test ravdess-so", "ravdess-song"),
        ("serbench run akd --profile ", "canary demo paper quick standard"),
        ("serbench run akd --protocol leaky-n", "leaky-normaliser"),
        ("serbench run --suite table", "table3"),
        ("serbench run akd --teacher whisper-t", "whisper-tiny"),
        ("serbench run akd --labels common-", "common-4 common-6"),
        ("serbench run akd --tracker tens", "tensorboard"),
        ("serbench ablate ak", "akd"),
        ("serbench ablate akd --only no-h", "no-hint"),
        ("serbench folds cre", "crema-d"),
        ("serbench corpus check cre", "crema-d"),
        ("serbench audit folds.csv --corpus cre", "crema-d"),
        ("serbench list met", "methods"),
        ("serbench export --backend onnxruntime-fp", "onnxruntime-fp16"),
        ("serbench prune --method ak", "akd"),
        ("serbench deploy --backends onnxruntime-fp", "onnxruntime-fp16"),
        ("serbench doc", "doctor"),
    ],
)
def test_names_are_completed(completed, line: str, offered: str) -> None:
    assert completed(line) == offered.split()


def test_runs_are_completed_in_the_folder_that_is_named(completed, tmp_path: Path) -> None:
    for folder in ("runs/one", "runs/other", "runs/empty", "elsewhere/third"):
        (tmp_path / folder).mkdir(parents=True)
        if folder != "runs/empty":
            (tmp_path / folder / "plan.json").touch()
    assert completed("serbench show o") == ["one", "other"]
    assert completed("serbench show --runs elsewhere ") == ["third"]
    assert completed("serbench report one o") == ["one", "other"]
    assert completed("serbench inflation one o") == ["one", "other"]


def test_names_of_the_users_registry_are_offered_and_a_broken_one_does_no_harm(
    completed, tmp_path: Path
) -> None:
    (tmp_path / "serbench.toml").write_text("[datasets.mine]\ncorpus = 'demo'\n[methods.my-akd]\n")
    (tmp_path / "mine.toml").write_text("[methods.my-other]\n")
    assert completed("serbench folds mi") == ["mine"]
    assert completed("serbench run my-") == ["my-akd"]
    assert completed("serbench run --registry mine.toml my-") == ["my-other"]
    (tmp_path / "serbench.toml").write_text("[datasets")
    assert completed("serbench folds emodb") == ["emodb"]
    (tmp_path / "serbench.toml").write_text("datasets = 3\n[methods]\nmy-number = 3\n")
    assert completed("serbench run my-") == ["my-number"]


def test_nothing_heavy_is_imported_for_it(tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "os.environ |= {'_SERBENCH_COMPLETE': 'complete_bash', 'COMP_CWORD': '2',\n"
        "               'COMP_WORDS': 'serbench run ak'}\n"
        "from serbench.cli import app\n"
        "try: app(prog_name='serbench')\n"
        "except SystemExit: pass\n"
        f"print('loaded:', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    out = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert out.stdout == "akd\nloaded: []\n"
