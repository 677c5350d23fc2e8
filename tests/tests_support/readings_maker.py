"""Makes a finished run folder with readings, as the harness would leave it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from serbench.running.store.run import RunStore
from tests_support.run_maker import FOLDS, LABELS, make_run

Arrays = dict[str, NDArray[Any]]


def corpus() -> pd.DataFrame:
    """The utterances of ``make_run``, each with the fold that tests it."""
    rows = [
        {
            "utterance": f"{speaker}a{number:02d}",
            "fold": f"outer-{outer}",
            "speaker": speaker,
            "label": (LABELS[:-1] if speaker == "08" else LABELS)[
                number % (len(LABELS) - (speaker == "08"))
            ],
        }
        for outer, units in enumerate(FOLDS, start=1)
        for speaker in units
        for number in range(20)
    ]
    return pd.DataFrame(rows)


def random_readings(
    rows: pd.DataFrame, teachers: int, epochs: int, seed: int, skill: float = 0.85
) -> Arrays:
    """Readings of the utterances ``rows`` that agree with each other: with one teacher, the same in
    every epoch; a tenth of the utterances is left out of each epoch but the first.
    """
    random = np.random.default_rng(seed)
    utterances, classes = len(rows), len(LABELS)
    index = np.array([LABELS.index(each) for each in rows["label"]])
    hit = random.random((teachers, utterances)) < skill
    said = np.where(hit, index, random.integers(classes, size=(teachers, utterances)))
    logits = random.normal(0.0, 0.7, (teachers, utterances, classes))
    logits[np.arange(teachers)[:, None], np.arange(utterances), said] += 3.0
    each = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    drift = np.linspace(0.0, 1.5, epochs)[:, None, None] * random.random((1, utterances, teachers))
    weights = np.exp(drift * np.arange(teachers)[::-1])
    weights /= weights.sum(axis=2, keepdims=True)
    posterior = np.einsum("enm,mnc->enc", weights, each)
    gamma = 1.0 - posterior[:, np.arange(utterances), index]
    arrays: Arrays = {
        "weights": weights,
        "posterior": posterior,
        "gamma": gamma,
        "reliable": gamma <= 0.5,
        "beta": np.where(gamma <= 0.5, np.maximum(gamma, 0.5), 1.0),
    }
    left_out = random.random((epochs, utterances)) < 0.1
    left_out[0] = False
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    for array in arrays.values():
        array[left_out] = np.nan
    return arrays | {
        "ids": np.array(rows["utterance"], dtype=str),
        "epochs": np.arange(1, epochs + 1),
        "teachers": np.array([f"teacher-{n + 1}" for n in range(teachers)]),
    }


def make_run_with_readings(
    folder: Path,
    methods: tuple[str, ...] = ("akd",),
    teachers: int = 1,
    epochs: int = 6,
    changes: Mapping[str, NDArray[Any] | None] | None = None,
    **options: Any,
) -> Path:
    """A finished run with random readings; ``changes`` replaces arrays, or takes them out."""
    make_run(folder, dict.fromkeys(methods, 0.7), **options)
    rows = corpus()
    (folder / "utterances.csv").write_text(rows.assign(pcm_sha256="0").to_csv(index=False))
    store = RunStore(folder)
    for number, method in enumerate(methods):
        for outer in range(1, len(FOLDS) + 1):
            train = rows.loc[rows["fold"] != f"outer-{outer}"]
            for seed in range(options.get("seeds", 1)):
                drawn = 100 * number + 10 * outer + seed
                arrays = {**random_readings(train, teachers, epochs, drawn), **(changes or {})}
                held = {name: array for name, array in arrays.items() if array is not None}
                store.write_readings(method, outer, seed, held)
    return folder
