"""What a page can show besides a run's own scores: histories, studies, deployments; bad names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from serbench.results.compare.records import Estimate
from serbench.results.figure.figure import Axis, Figure, Line, Lines, Panel
from serbench.results.figure.palette import style_of
from serbench.results.record import KIND, NAME, SCHEMA_VERSION, Fact, StudyRecord, write_record
from serbench.results.table.columns import Column, make_table
from serbench.results.table.formats import SCORE
from serbench.running.store.run import RunStore

HOSTILE = {
    "method": "</script><script>alert(1)</script>",
    "label": "\"><img src=x onerror='alert(2)'>",
    "speaker": "</td></table><svg onload=alert(3)>",
    "command": "serbench run '$(alert 4)' <b>&amp;</b> \"</pre><script>alert(5)</script>\"",
    "term": "<i>kl</i>",
}


def write_history(folder: Path) -> None:
    """Five epochs of two loss terms in every fit, and validation UA in the inner ones."""
    for path in (folder / "fits").glob("*.json"):
        fit = json.loads(path.read_text())
        inner = fit["inner"] is not None
        fit["history"] = [
            {
                "epoch": epoch,
                "terms": {"total": 3 / epoch + fit["outer"] / 10, HOSTILE["term"]: 1 / epoch},
                "validation_ua": 0.1 * epoch if inner else None,
            }
            for epoch in range(1, 6)
        ]
        path.write_text(json.dumps(fit))


def write_study(folder: Path, title: str = "A further look") -> Path:
    """What a study leaves: a table, a figure and a sentence, all with a name of an attacker."""
    columns: list[Column[tuple[str, Estimate]]] = [
        Column("Method", lambda row: row[0]),
        Column("UA", lambda row: row[1], SCORE),
    ]
    hostile = HOSTILE["method"]
    table = make_table("looked", hostile, columns, [(hostile, Estimate(0.81, 0.77, 0.84))])
    line = Line(hostile, style_of(0), (0.0, 1.0), (81.0, 80.0), (77.0, 76.0), (84.0, 83.0))
    plot = Lines((line,), Axis(hostile, ticks=((0.0, hostile),)), Axis("UA in %"))
    record = StudyRecord(
        kind=KIND,
        schema_version=SCHEMA_VERSION,
        study="looked",
        title=title,
        version="0",
        params={},
        runs=(folder.name,),
        certificates=(RunStore(folder).read_json("certificate")["digest"],),
        lines=(hostile,),
        tables=(table,),
        figures=(Figure("looked", hostile, (Panel(plot, hostile, hostile),)),),
        facts=(Fact("akd", "Latency, ms", "2.50", 2.5, "ratio 0.25"),),
        facts_note="Latency: of the fastest backend.",
    )
    path = folder / "looked" / NAME
    write_record(record, path)
    return path


def deploy_results(folder: Path, **changes: object) -> dict[str, Any]:
    """A ``results.json`` of the run: a reference, a quicker backend, one that could not run."""
    store = RunStore(folder)
    calls = {"torch": 0.004, "quick": 0.001}

    def row(name: str, outcome: str, delta: float | None) -> dict[str, Any]:
        measured = outcome == "measured"
        ua = 0.8 + (delta or 0.0)
        return {
            "name": name, "plugin": name, "params": {}, "precision": "fp32", "device": "cpu",
            "outcome": outcome, "reason": None if measured else "it is <not> installed",
            "size_bytes": round(1e9 * calls[name]) if measured else None,
            "accuracy": {
                "ua": ua, "ua_low": ua - 0.05, "ua_high": ua + 0.05, "delta_ua": delta,
                "delta_ua_low": None if delta is None else delta - 0.01,
                "delta_ua_high": None if delta is None else delta + 0.02,
                "verdict": "reference" if delta is None else "no significant difference",
                "changed": 0, "posterior_difference": 0.0,
            } if measured else None,
            "rounds": [{
                "latency_s": {"1": [calls[name]] * 5}, "batch_s": {"2": [2 * calls[name]] * 5},
                "stages_s": {"python": 0.1, "import": 0.1, "open": 0.1, "first call": 0.1},
                "idle_bytes": 10**7, "peak_bytes": 10**8,
            }] if measured else [],
        }  # fmt: skip

    return {
        "kind": "serbench deploy", "schema_version": 1,
        "run": {
            "name": folder.name, "plan_digest": store.plan()["digest"],
            "certificate_digest": store.read_json("certificate")["digest"], "dataset": "emodb",
            "method": "akd", "seed": 0, "model": "akd/seed-0/outer-1", "weights_sha256": "9" * 64,
            **changes,
        },
        "machine": {
            "name": "a laptop", "cpu": "a CPU", "cores": 4, "usable_cores": 2,
            "memory_bytes": 8 * 2**30, "system": "Linux", "python": "CPython 3.11",
            "packages": {"torch": "2.8"}, "governor": None, "load_start": None, "load_end": None,
            "pinned": True, "date": "2026-01-01",
        },
        "settings": {"threads": 1, "rounds": 1, "effort": {
            "lengths_s": [1.0], "window_s": 1.0, "batches": [2], "warm_up_calls": 1,
            "warm_up_s": 0.0, "budget_s": 0.0, "least_calls": 5, "most_calls": 5,
        }},
        "reference": "torch",
        "rows": [row("torch", "measured", None), row("quick", "measured", 0.01),
                 row("missing", "unavailable", None)],
    }  # fmt: skip
