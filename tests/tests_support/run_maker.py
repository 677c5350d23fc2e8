"""Makes a finished run folder with seeded random predictions, as the harness would leave it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from serbench.leakage import LEAKS, Certificate, Check
from serbench.store import RunStore, environment

LABELS = ("anger", "boredom", "happiness", "neutral", "sadness")
FOLDS = (("03", "08"), ("09", "10"), ("11", "12"), ("13", "14"))
SKILL = {"akd": 0.72, "vanilla-kd": 0.62, "transformer": 0.45, "teacher:whisper-base": 0.93}
DIGEST = {"run": "a" * 64, "folds": "b" * 64, "corpus": "c" * 64}


def predictions(skill: dict[str, float], seeds: int = 1, per_speaker: int = 20) -> pd.DataFrame:
    """Speaker 08 has no sadness; each method is right with a chance of its ``skill``."""
    random = np.random.default_rng(1)
    rows = []
    for method, chance in skill.items():
        for seed in range(1 if method.startswith("teacher:") else seeds):
            for outer, units in enumerate(FOLDS, start=1):
                for speaker in units:
                    labels = LABELS[:-1] if speaker == "08" else LABELS
                    for number in range(per_speaker):
                        label = labels[number % len(labels)]
                        right = random.random() < chance
                        predicted = label if right else str(random.choice(LABELS))
                        posterior = np.full(len(LABELS), 0.1)
                        posterior[LABELS.index(predicted)] = 0.6
                        rows.append(
                            {
                                "method": method,
                                "seed": seed,
                                "outer": outer,
                                "utterance": f"{speaker}a{number:02d}",
                                "speaker": speaker,
                                "label": label,
                                "predicted": predicted,
                            }
                            | dict(zip((f"p_{each}" for each in LABELS), posterior, strict=True))
                        )
    return pd.DataFrame(rows)


def plan(methods: list[str], seeds: int, utterances: int) -> dict[str, object]:
    return {
        "digest": DIGEST["run"],
        "serbench_version": "0.1.0",
        "dataset": {
            "name": "emodb",
            "labels": list(LABELS),
            "corpus_digest": DIGEST["corpus"],
            "utterances": utterances,
        },
        "methods": [
            {
                "name": method,
                "student": "hybrid-small",
                "loss": "akd" if method == "akd" else "kd",
                "teachers": ["whisper-base"],
                "settings": {
                    "training": {"epochs": 60, "learning_rate": 0.001},
                    "head": {"strengths": [0.001, 0.01]},
                },
            }
            for method in methods
        ],
        "profile": "standard",
        "protocol": {"folds": None, "inner": "units", "seeds": seeds},
        "seeds": list(range(seeds)),
        "outer": [
            {"name": f"outer-{number}", "test_units": list(units)}
            for number, units in enumerate(FOLDS, start=1)
        ],
        "folds_digest": DIGEST["folds"],
        "command": "serbench run " + " ".join(methods) + " --dataset emodb --profile standard",
    }


def certificate() -> Certificate:
    return Certificate(
        schema_version=1,
        corpus="emodb",
        corpus_digest=DIGEST["corpus"],
        unit="speaker",
        utterances=160,
        units=tuple(unit for units in FOLDS for unit in units),
        folds=(),
        fitted=(),
        checks=tuple(
            Check(code=code, leak=leak, outcome="passed", detail="4 outer and 12 inner folds")
            for code, leak in LEAKS.items()
        ),
    )


def fit(method: str, outer: int, inner: int | None, seed: int) -> dict[str, object]:
    place = f"outer-{outer}" + (f"/inner-{inner}" if inner else "")
    return {
        "fit": f"{method}/{place}/candidate-1/seed-{seed}",
        "method": method,
        "outer": outer,
        "inner": inner,
        "candidate": 1,
        "values": {"loss.temperature": 2.0} if method == "akd" else {},
        "seed": seed,
        "epochs": 60,
        "seconds": 61.5,
        "step_seconds": 60.0,
        "parameters": 391_207,
        "history": [{"epoch": 1, "terms": {"total": 1.5}, "validation_ua": None}],
    }


def make_run(
    folder: Path,
    skill: dict[str, float] | None = None,
    seeds: int = 1,
    per_speaker: int = 20,
) -> Path:
    """A finished run in ``folder``."""
    skill = SKILL if skill is None else skill
    methods = [method for method in skill if not method.startswith("teacher:")]
    rows = predictions(skill, seeds, per_speaker)
    store = RunStore(folder)
    store.create(plan(methods, seeds, len(set(rows["utterance"]))))
    store.write_json("environment", environment([]))
    held = certificate()
    store.write_json("certificate", held.model_dump(mode="json") | {"digest": held.digest})
    store.write_json(
        "timing",
        {"wall_s": 3725.0, "fit_s": 3300.0, "step_s": 3200.0, "teacher_s": 42.0, "workers": 2},
    )
    for method in methods:
        for outer in range(1, len(FOLDS) + 1):
            for inner in (None, 1, 2):
                store.write_fit(fit(method, outer, inner, 0))
    store.write_predictions(rows)
    return folder
