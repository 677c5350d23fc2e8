"""``verify``: every claim of a run folder, in the order that they build on each other."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from serbench.api import StoreError
from serbench.corpus import CorpusTable, load_corpus, locate
from serbench.harness import Observer, make_folds
from serbench.leakage import Certificate, Seal, near_duplicates
from serbench.plugins import Plugins
from serbench.registry import Registry
from serbench.store import RunStore
from serbench.verify.checks import (
    check_certificate,
    check_corpus,
    check_plan,
    check_predictions,
    check_tables,
)
from serbench.verify.findings import Finding, compared
from serbench.verify.models import check_models
from serbench.verify.rebuild import Stored, fold_source


def verify(
    folder: Path,
    registry: Registry,
    plugins: Plugins,
    *,
    data_dir: Path | None,
    cache: Path,
    watch: Observer,
    models: bool = True,
) -> tuple[Finding, ...]:
    """Recompute a finished run from its corpus and its plan.

    The audio is read again from the corpus's files, whatever a cache says of them; folds,
    windows, checks and tables are made anew; predictions are held against the ledger of readings
    and, with ``models``, against what the stored students predict.

    Args:
        folder: of the run.
        registry: where the dataset's folder may be named.
        plugins: the installed plugins.
        data_dir: the corpus's folder, where it is not where ``locate`` looks.
        cache: for frames and fingerprints, whose addresses are digests of the audio.
        watch: told of progress.
        models: whether to predict again with the stored students.

    Returns:
        What was compared, in order.

    Raises:
        StoreError: the folder holds no finished run, or a file of it cannot be read.
        CorpusError: the corpus cannot be had or read.
        PluginError: a plugin of the run is not installed.
    """
    store = RunStore(folder)
    store.check()
    plan = store.plan()
    if not {"device", "code", "canary", "cards"} <= plan.keys() or "params" not in plan["dataset"]:
        raise StoreError(
            f"{folder} was written by serbench {plan.get('serbench_version')}, whose plan.json "
            "does not hold all that it takes to verify it"
        )
    stored = Stored(plan, plugins)
    certificate, findings = _certificate(store)
    table = _read_corpus(stored, registry, data_dir, cache, watch)
    advance = partial(watch.advance, "near-duplicates")
    near = near_duplicates(table.utterances, cache, advance)
    search = any("/inner-" in fold.name for fold in certificate.folds)
    source = fold_source(plan, folder)
    folds = make_folds(table, source, stored.protocol, near, search)
    openings = Seal(store.seal_path).openings()
    steps: list[Callable[[], Finding]] = [
        partial(check_corpus, store, folds, certificate),
        partial(check_plan, stored, folds),
        partial(check_certificate, stored, store, folds, openings, certificate),
        partial(check_predictions, store, folds, certificate),
    ]
    if models:
        advance = partial(watch.advance, "students")
        steps.append(partial(check_models, stored, store, folds, cache, advance))
    steps.append(partial(check_tables, store))
    return (*findings, *(step() for step in steps))


def _certificate(store: RunStore) -> tuple[Certificate, list[Finding]]:
    """The stored certificate, and whether its digest is its own."""
    content = store.read_json("certificate")
    stated = content.pop("digest", None)
    certificate = Certificate.from_json(json.dumps(content))
    differences = []
    if stated != certificate.digest:
        differences.append("certificate.json was changed after its digest was taken")
    return certificate, [
        compared("digest of the certificate", certificate.digest[:12], differences)
    ]


def _read_corpus(
    stored: Stored, registry: Registry, data_dir: Path | None, cache: Path, watch: Observer
) -> CorpusTable:
    """The corpus, every file of it read anew."""
    corpus = stored.corpus()
    entry = registry.datasets.get(stored.dataset)
    advance = partial(watch.advance, "corpus")
    path = entry.path if entry else None
    folder = locate(corpus, stored.dataset, data_dir, cache, advance, watch.announce, path)
    with tempfile.TemporaryDirectory(prefix="serbench-verify-") as scratch:
        return load_corpus(
            corpus, stored.dataset, folder, Path(scratch), advance, allow_incomplete=True
        )
