"""Make a corpus of any size with cheap audio, to measure the cost of a run, not its scores.

    python benchmarks/scale/generate.py 10000 /tmp/scale/10000

writes ``audio/*/*.flac`` (8 kHz, 1 to 5 s, about 33 kB each), ``utterances.csv`` and a
``serbench.toml`` that names the folder as the dataset ``scale``: run serbench there. 50 utterances
a speaker, four classes, a split of its own (60 % train, 20 % validation, 20 % test, by speaker).
Each file is a function of its number alone, so a larger corpus begins with the smaller one. The
sounds are sweeping tones in noise, as unlike one another as speech is; a class has its own range of
pitch.
"""

from __future__ import annotations

import argparse
import csv
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

RATE_HZ = 8_000
LABELS = ("anger", "happiness", "neutral", "sadness")
PER_SPEAKER = 50
STEP_S = 0.08
"""Between two random frequencies, which a tone sweeps through."""

SPLIT = ("train", "train", "train", "validation", "test")

REGISTRY = """\
[datasets.scale]
summary = "Generated tones, to measure cost by size"
corpus = "table"
path = "{folder}"
folds = "kfold"
teachers = ["functionals"]

[datasets.scale.params]
table = "utterances.csv"
audio = "audio/{{speaker}}/{{name}}.flac"
speaker = "{{speaker}}"
label = "{{label}}"
labels = {{ anger = "anger", happiness = "happiness", neutral = "neutral", sadness = "sadness" }}
official = {{ column = "split" }}

[datasets.scale.params.card]
title = "Generated tones"
language = "none"
licence = "none"
home = "https://example.org"
citation = "benchmarks/scale/generate.py"
elicitation = "acted"
layout = "utterances.csv, and audio/*/*.flac"
"""


def main() -> None:
    """Write the corpus; files that are there already are kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("utterances", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    numbers = range(given.utterances)
    for speaker in range(-(-given.utterances // PER_SPEAKER)):
        (given.folder / "audio" / _speaker(speaker)).mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(given.jobs) as pool:
        for _ in pool.map(partial(write, given.folder), numbers, chunksize=500):
            pass
    with (given.folder / "utterances.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["name", "speaker", "label", "split"])
        rows.writerows(map(row, numbers))
    (given.folder / "serbench.toml").write_text(REGISTRY.format(folder=given.folder.resolve()))


def row(number: int) -> tuple[str, str, str, str]:
    """Name, speaker, label and side of an utterance."""
    speaker = number // PER_SPEAKER
    return (
        f"u{number:06d}", _speaker(speaker), LABELS[number % len(LABELS)],
        SPLIT[speaker % len(SPLIT)],
    )  # fmt: skip


def _speaker(number: int) -> str:
    return f"s{number:05d}"


def write(folder: Path, number: int) -> None:
    """Write the audio of one utterance."""
    name, speaker, _, _ = row(number)
    path = folder / "audio" / speaker / f"{name}.flac"
    if not path.exists():
        soundfile.write(path, audio(number), RATE_HZ, subtype="PCM_16")


def audio(number: int) -> np.ndarray:
    """``(samples,)`` float32 at ``RATE_HZ``: five sweeping tones of changing level, in noise."""
    random = np.random.default_rng(number)
    samples = round(random.uniform(1.0, 5.0) * RATE_HZ)
    steps = round(samples / RATE_HZ / STEP_S) + 2
    place = np.arange(samples, dtype=np.float32) * np.float32((steps - 1) / samples)
    at, share = place.astype(np.int64), place % 1.0
    sound = random.standard_normal(samples, dtype=np.float32) * np.float32(0.002)
    low_hz = 150.0 + 50.0 * (number % len(LABELS))
    for _ in range(5):
        hz = random.uniform(low_hz, 2_000.0, steps)
        level = random.uniform(0.0, 0.04, steps)
        phase = np.cumsum(hz[at] + share * (hz[at + 1] - hz[at])) * (2 * np.pi / RATE_HZ)
        sound += (level[at] + share * (level[at + 1] - level[at])) * np.sin(phase)
    return sound


if __name__ == "__main__":
    main()
