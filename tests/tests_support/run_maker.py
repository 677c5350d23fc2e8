"""Makes a finished run folder with seeded random predictions, as the harness would leave it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from serbench.protocol.guard.canary import CanaryResult
from serbench.protocol.guard.certificate import (
    LEAKS,
    SCHEMA_VERSION,
    Certificate,
    FoldSide,
    FoldSummary,
    LabelReading,
    LeakCheck,
    TeacherRecord,
)
from serbench.protocol.guard.view import FittedRecord
from serbench.running.store.environment import environment
from serbench.running.store.run import RunStore
from serbench.settings import PROPER, ProtocolName

LABELS = ("anger", "boredom", "happiness", "neutral", "sadness")
FOLDS = (("03", "08"), ("09", "10"), ("11", "12"), ("13", "14"))
SKILL = {"akd": 0.72, "vanilla-kd": 0.62, "transformer": 0.45, "teacher:whisper-base": 0.93}
BROKEN: dict[ProtocolName, tuple[str, str]] = {
    "leaky-random": ("L1", "speakers on both sides of outer-1: 8"),
    "leaky-early-stopping": ("L6", "fitted or chosen on what is no training side: 4"),
    "leaky-random-early-stopping": ("L1", "speakers on both sides of outer-1: 8"),
    "leaky-search": ("L6", "fitted or chosen on what is no training side: 4"),
    "leaky-normaliser": ("L6", "fitted on other utterances than the training side's own: 4"),
}
CLEAN = TeacherRecord(
    teacher="whisper-base", status="declared", trained_on=("LibriSpeech", "FLEURS")
)
UNDECLARED = TeacherRecord(teacher="whisper-base", status="undeclared", trained_on=())
DIGEST = {"run": "a" * 64, "folds": "b" * 64, "corpus": "c" * 64}


def predictions(
    skill: dict[str, float],
    seeds: int = 1,
    per_speaker: int = 20,
    protocol: ProtocolName = PROPER,
) -> pd.DataFrame:
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
                        dealt = number % len(FOLDS) + 1 if protocol == "leaky-random" else outer
                        rows.append(
                            {
                                "method": method,
                                "seed": seed,
                                "outer": dealt,
                                "utterance": f"{speaker}a{number:02d}",
                                "speaker": speaker,
                                "label": label,
                                "predicted": predicted,
                            }
                            | dict(zip((f"p_{each}" for each in LABELS), posterior, strict=True))
                        )
    return pd.DataFrame(rows)


def fold_units(protocol: ProtocolName) -> tuple[tuple[str, ...], ...]:
    """Test speakers of each outer fold: all of them where folds are dealt by chance."""
    everyone = tuple(unit for units in FOLDS for unit in units)
    return tuple(everyone if protocol == "leaky-random" else units for units in FOLDS)


def run_digest(protocol: ProtocolName) -> str:
    return DIGEST["run"] if protocol == PROPER else f"{list(BROKEN).index(protocol):064x}"


def plan(
    methods: list[str], seeds: int, utterances: int, protocol: ProtocolName = PROPER
) -> dict[str, object]:
    return {
        "digest": run_digest(protocol),
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
        "folds": "pairs",
        "protocol": {
            "name": protocol,
            "folds": None,
            "inner": "units",
            "seeds": seeds,
            "canary": 0,
        },
        "seeds": list(range(seeds)),
        "outer": [
            {"name": f"outer-{number}", "test_units": list(units)}
            for number, units in enumerate(fold_units(protocol), start=1)
        ],
        "folds_digest": DIGEST["folds"] if protocol != "leaky-random" else "d" * 64,
        "model_digests": {"whisper-base": "e" * 64},
        "device": "cpu",
        "code": {"fit": "f" * 64},
        "command": "serbench run " + " ".join(methods) + " --dataset emodb --profile standard",
    }


def certificate(
    protocol: ProtocolName = PROPER,
    teachers: tuple[TeacherRecord, ...] = (CLEAN,),
    canary: bool = False,
) -> Certificate:
    code, found = BROKEN.get(protocol, ("", ""))
    return Certificate(
        schema_version=SCHEMA_VERSION,
        plan_digest=run_digest(protocol),
        protocol=protocol,
        corpus="emodb",
        corpus_digest=DIGEST["corpus"],
        unit="speaker",
        utterances=160,
        units=tuple(unit for units in FOLDS for unit in units),
        folds=tuple(fold_summaries(protocol)),
        fitted=tuple(
            FittedRecord(what=what, partition=f"outer-{n}/train", utterances=120, digest="7" * 64)
            for n in range(1, len(FOLDS) + 1)
            for what in ("head of whisper-base", "normaliser", "student of akd")
        ),
        teachers=teachers,
        readings=tuple(
            LabelReading(method="akd", outer=n, seed=0, predictions_digest="8" * 64)
            for n in range(1, len(FOLDS) + 1)
        ),
        canary=(CanaryResult(method="akd", repeats=5, ua=0.19, low=0.15, high=0.23, chance=0.2),)
        * canary,
        checks=tuple(
            LeakCheck(
                code=each,
                leak=leak,
                outcome=_outcome(
                    each, f"broken on purpose: {found}" if each == code else "", teachers
                ),
                detail="4 outer and 12 inner folds",
            )
            for each, leak in LEAKS.items()
        ),
    )


def _outcome(code: str, broken: str, teachers: tuple[TeacherRecord, ...]) -> str:
    if code == "L7":
        outcomes = {"overlap": "allowed", "undeclared": "undeclared", "undisclosed": "undisclosed"}
        for status, outcome in outcomes.items():
            if named := [each.teacher for each in teachers if each.status == status]:
                return f"{outcome}: {', '.join(named)}"
    return broken or "passed"


def fold_summaries(protocol: ProtocolName) -> list[FoldSummary]:
    """Each outer fold, and its three inner ones."""
    everyone = [unit for units in FOLDS for unit in units]
    found = []
    for number, units in enumerate(fold_units(protocol), start=1):
        rest = [unit for unit in everyone if unit not in units] or everyone
        train = FoldSide(units=tuple(rest), utterances=120, digest="1" * 64)
        test = FoldSide(units=units, utterances=40, digest="2" * 64)
        found.append(FoldSummary(name=f"outer-{number}", train=train, test=test))
        found += [
            FoldSummary(name=f"outer-{number}/inner-{inner}", train=train, test=train)
            for inner in (1, 2, 3)
        ]
    return found


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
        "flops": 10_000_000 * len(method),
        "history": [{"epoch": 1, "terms": {"total": 1.5}, "validation_ua": None}],
    }


def make_run(
    folder: Path,
    skill: dict[str, float] | None = None,
    seeds: int = 1,
    per_speaker: int = 20,
    protocol: ProtocolName = PROPER,
    teachers: tuple[TeacherRecord, ...] = (CLEAN,),
    canary: bool = False,
) -> Path:
    """A finished run in ``folder``, under a leaky protocol or with doubtful teachers if wanted."""
    skill = SKILL if skill is None else skill
    methods = [method for method in skill if not method.startswith("teacher:")]
    rows = predictions(skill, seeds, per_speaker, protocol)
    store = RunStore(folder)
    store.create(plan(methods, seeds, len(set(rows["utterance"])), protocol))
    store.write_json("environment", environment([]))
    held = certificate(protocol, teachers, canary)
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
