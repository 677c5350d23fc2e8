"""What ``serbench deploy`` leaves in a run's folder, made up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def timed(seconds: float) -> dict[str, Any]:
    """A round of a backend that takes so long for a window."""
    stages = {"python": 0.1, "import": 0.2, "open": 0.1, "first call": 0.1}
    return {
        "latency_s": {"1": [seconds, seconds, 2 * seconds]},
        "batch_s": {},
        "stages_s": stages,
        "idle_bytes": None,
        "peak_bytes": None,
    }


def backend(name: str, seconds: float, verdict: str, size_bytes: int = 2_000_000) -> dict[str, Any]:
    """A backend that was measured."""
    same = {"delta_ua": None, "delta_ua_low": None, "delta_ua_high": None}
    score = {"ua": 0.7, "ua_low": 0.6, "ua_high": 0.8, "changed": 0, "posterior_difference": 0.0}
    return {
        "name": name,
        "plugin": name,
        "params": {},
        "precision": "fp32",
        "device": "cpu",
        "outcome": "measured",
        "reason": None,
        "size_bytes": size_bytes,
        "accuracy": {**score, **same, "verdict": verdict},
        "rounds": [timed(seconds)],
    }


def write_measured(folder: Path, certificate: str, method: str) -> Path:
    """``deploy/results.json``: torch at 4 ms, a good backend at 2 ms, a worse one at 1 ms."""
    content = {
        "kind": "serbench deploy",
        "schema_version": 1,
        "run": {
            "name": "made-up",
            "plan_digest": json.loads((folder / "plan.json").read_text())["digest"],
            "certificate_digest": certificate,
            "dataset": "two",
            "method": method,
            "seed": 0,
            "model": f"{method}/seed-0/outer-1",
            "weights_sha256": "1" * 64,
        },
        "machine": {
            "name": "Test board",
            "cpu": "none",
            "cores": 1,
            "usable_cores": 1,
            "memory_bytes": None,
            "system": "none",
            "python": "none",
            "packages": {},
            "governor": None,
            "load_start": None,
            "load_end": None,
            "pinned": False,
            "date": "2026-01-02",
        },
        "settings": {
            "threads": 1,
            "rounds": 1,
            "effort": {
                "lengths_s": [1.0],
                "window_s": 1.0,
                "batches": [],
                "warm_up_calls": 1,
                "warm_up_s": 0.0,
                "budget_s": 0.0,
                "least_calls": 3,
                "most_calls": 3,
            },
        },
        "reference": "torch",
        "rows": [
            backend("torch", 0.004, "reference", 4_000_000),
            backend("good", 0.002, "no significant difference"),
            backend("fast", 0.001, "significantly worse", 1_000_000),
        ],
    }
    path = folder / "deploy" / "results.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))
    return path
