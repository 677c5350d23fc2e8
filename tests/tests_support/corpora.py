"""Finished runs of several corpora, from ``run_maker``'s."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from serbench.protocol.guard.certificate import Certificate
from serbench.running.store.run import RunStore
from tests_support.run_maker import make_run


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def make_corpus_run(
    folder: Path, corpus: str, skill: dict[str, float], folds: str = "folds", **made: Any
) -> Path:
    """A run of ``corpus``, with digests of its own."""
    make_run(folder, skill, **made)
    own = {"corpus": corpus, "corpus_digest": digest(corpus), "plan_digest": digest(str(folder))}
    change_plan(
        folder,
        digest=own["plan_digest"],
        dataset={"name": corpus, "corpus_digest": own["corpus_digest"]},
        folds_digest=digest(corpus + folds),
    )
    change_certificate(folder, **own)
    return folder


def change_plan(folder: Path, **changes: Any) -> None:
    """Entries of ``plan.json``; mappings are merged."""
    store = RunStore(folder)
    plan = store.plan()
    for key, value in changes.items():
        plan[key] = plan[key] | value if isinstance(value, dict) else value
    store.write_json("plan", plan)


def change_certificate(folder: Path, **changes: Any) -> None:
    """Entries of the certificate, whose digest follows."""
    store = RunStore(folder)
    content = store.read_json("certificate")
    del content["digest"]
    held = Certificate.from_json(json.dumps(content | changes))
    store.write_json("certificate", held.model_dump(mode="json") | {"digest": held.digest})
