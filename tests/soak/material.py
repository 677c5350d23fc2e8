"""What is damaged: a folder with small runs, split files, tables, a registry file and audio."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np
import soundfile
from tests_support.exported import make_exported
from typer.testing import CliRunner

from serbench.cli import app

REGISTRY = """\
[datasets.tiny]
summary = "Four synthetic speakers"
corpus = "demo"
params = { speakers = 4, takes = 1, seed = 0 }
folds = "pairs"
teachers = ["functionals"]

[datasets.described]
corpus = "table"
path = "described"
folds = "kfold"

[datasets.described.params]
table = "table.csv"
audio = "{path}"
speaker = "{speaker}"
label = "{label}"
labels = { anger = "anger", sadness = "sadness" }
text = "{text}"

[datasets.described.params.card]
title = "Described"
language = "none"
licence = "none"
home = "none"
citation = "none"
elicitation = "synthetic"
layout = "table.csv and files beside it"

[methods.mine]
summary = "A method of one's own"
student = "hybrid-small"
loss = "ce"
student_params = { dropout = 0.2 }
settings = { training = { epochs = 1, learning_rate = 0.001 } }

[methods.mine.grids.small]
"training.learning_rate" = [0.001, 0.01]

[labels.two]
summary = "Two classes"
map = { anger = "loud", happiness = "loud", neutral = "calm", sadness = "calm" }
"""

PROPER, LEAKY, MINE = "proper", "leaky", "mine"
"""Names of the runs."""


def make(folder: Path) -> None:
    """All of it in ``folder``, which becomes the current one; takes about two minutes."""
    folder.mkdir(parents=True)
    os.chdir(folder)
    Path("serbench.toml").write_text(REGISTRY)
    _sound(Path("sound"))
    _described(Path("described"))
    make_exported(Path("model.onnx"))
    common = [
        "--dataset",
        "tiny",
        "--set",
        "training.epochs=1",
        "--tracker",
        "none",
        "-j",
        "1",
        "-p",
        "demo",
    ]
    _call("run", "akd", *common, "--out", "made/1")
    _call("run", "akd", *common, "--out", "made/2", "--protocol", "leaky-random")
    _call("run", "mine", *common, "--out", "made/3")
    Path("runs").mkdir()
    for number, name in enumerate((PROPER, LEAKY, MINE), start=1):
        (made,) = Path("made", str(number)).iterdir()
        made.rename(Path("runs", name))
    for command in (["explain"], ["overlap"], ["report", "--html"]):
        _call(command[0], PROPER, *command[1:])
    _call("deploy", PROPER, "--backends", "torch", "--rounds", "1")
    _call("regress", PROPER, "--update", "--no-latency", "--golden", "golden.toml")
    _call("folds", "tiny", "--csv", "folds.csv")
    _splits()


def _call(*arguments: str) -> None:
    result = CliRunner().invoke(app, arguments)
    if result.exit_code not in (0, 1):
        raise SystemExit(f"{' '.join(arguments)}: {result.exit_code}\n{result.output[-2000:]}")


def _sound(folder: Path) -> None:
    folder.mkdir()
    noise = np.random.default_rng(0).normal(0, 0.1, 8000).clip(-1, 1)
    for ending in ("wav", "flac", "ogg", "aiff", "au", "mp3"):
        soundfile.write(folder / f"noise.{ending}", noise, 16_000)
    soundfile.write(folder / "float.wav", noise.astype(np.float32), 16_000, subtype="FLOAT")


def _described(folder: Path) -> None:
    folder.mkdir()
    rng = np.random.default_rng(1)
    rows = []
    for speaker in range(4):
        for label in ("anger", "sadness"):
            name = f"s{speaker}_{label}.wav"
            soundfile.write(folder / name, rng.normal(0, 0.1, 4000).clip(-1, 1), 16_000)
            rows.append({"path": name, "speaker": f"s{speaker}", "label": label, "text": "a"})
    with (folder / "table.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def _splits() -> None:
    """The folds of the small corpus as everybody writes them."""
    rows = list(csv.DictReader(Path("folds.csv").read_text().splitlines()))
    with Path("splits.csv").open("w") as file:
        file.write("fold,part,utterance,speaker,label\n")
        for row in rows:
            speaker, label = row["utterance"].split("_")[:2]
            for fold in ("outer-1", "outer-2"):
                part = "test" if row["fold"] == fold else "train"
                file.write(f"{fold},{part},{row['utterance']},{speaker},{label}\n")
    for fold in ("1", "2"):
        emobox, s3prl = Path("emobox", f"fold_{fold}"), Path("s3prl", f"Session{fold}")
        emobox.mkdir(parents=True)
        s3prl.mkdir(parents=True)
        for part in ("train", "test"):
            held = [r for r in rows if (r["fold"] == f"outer-{fold}") == (part == "test")]
            lines = [
                json.dumps({"key": r["utterance"], "wav": f"{r['utterance']}.wav", "emo": "ang"})
                for r in held
            ]
            (emobox / f"tiny_{part}_fold_{fold}.jsonl").write_text("\n".join(lines) + "\n")
            meta = {
                "labels": {"neutral": 0, "anger": 1},
                "meta_data": [
                    {
                        "path": f"{r['utterance']}.wav",
                        "label": "anger",
                        "speaker": r["utterance"][:3],
                    }
                    for r in held
                ],
            }
            (s3prl / f"{part}_meta_data.json").write_text(json.dumps(meta))
