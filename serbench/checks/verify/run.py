"""``verify``: checks every claim of a run folder; a claim comes after those it depends on."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from serbench.checks.finding import Finding, Findings, Stopwatch, Unit
from serbench.checks.verify.certificate import check_certificate
from serbench.checks.verify.checks import (
    check_corpus,
    check_plan,
    check_predictions,
    check_tables,
    check_unlabelled,
    compared,
)
from serbench.checks.verify.models import check_models
from serbench.data.corpus.unlabelled import UnlabelledAudio, load_unlabelled
from serbench.files.digests import shown_digest
from serbench.protocol.guard.certificate import Certificate
from serbench.protocol.guard.near.search import near_duplicates
from serbench.protocol.guard.seal import Seal
from serbench.running.harness.folds import copies_in_audio, make_folds
from serbench.running.harness.observer import Observer
from serbench.running.plugins import Plugins
from serbench.running.registry.lookup import Registry
from serbench.running.replay.stored import StoredPlan, fold_source, read_corpus
from serbench.running.store.run import RunStore

ABOUT = {
    "digest": "the certificate has not changed since its digest was taken",
    "unlabelled audio": "the students' unlabelled audio is that of the plan",
    "corpus": "every utterance has the stored speaker, label, text, audio and fold",
    "plan.json": "the plan's digest fits its content, this corpus and these folds",
    "certificate": "it is the same when it is recomputed from corpus, plan and ledger",
    "predictions": "the labels were read for these predictions, which have the corpus's labels",
    "students": "the stored students predict the stored posteriors",
    "tables": "the stored tables are those that the predictions give",
}
"""The claim that each check proves."""


def verify(
    folder: Path,
    registry: Registry,
    plugins: Plugins,
    *,
    data_dir: Path | None,
    cache: Path,
    watch: Observer,
    models: bool = True,
    pretrain_audio: Path | None = None,
) -> Findings:
    """Recompute a finished run from its corpus and its plan, and compare everything, in order.

    The audio is read again from the corpus's files, without any cache; folds, windows, checks and
    tables are recomputed; predictions are compared with the ledger of readings and, with
    ``models``, with what the stored students predict.

    Args:
        folder: folder of the run.
        registry: the registry, which has the corpus's location.
        plugins: the installed plugins.
        data_dir: the corpus's folder, if ``locate`` does not find it.
        cache: cache for frames and fingerprints, whose addresses are digests of the audio.
        watch: receives progress.
        models: whether to predict again with the stored students.
        pretrain_audio: folder of unlabelled audio, to compare it with the corpus again.

    Raises:
        StoreError: the folder has no finished run, or one of its files cannot be read; or audio is
            given for a run without any.
        CorpusError: the corpus or the audio is not available or cannot be read.
        PluginError: a plugin of the run is not installed.
    """
    store = RunStore(folder)
    stored = StoredPlan.read(store, plugins, registry)
    clock = Stopwatch()
    certificate, digest = _certificate(store)
    findings = [clock.lap(digest)]
    with tempfile.TemporaryDirectory(prefix="serbench-verify-") as scratch:
        audio = _audio(pretrain_audio, Path(scratch), watch)
        findings += clock.laps(check_unlabelled(stored, audio))
        table = read_corpus(stored, data_dir, cache, watch, Path(scratch))
    advance = partial(watch.advance, "near-duplicates")
    near = near_duplicates(table.utterances, cache, advance)
    copied = copies_in_audio(table, audio, cache, advance) if audio else ()
    search = any("/inner-" in fold.name for fold in certificate.folds)
    folds = make_folds(table, fold_source(stored.plan, folder), stored.protocol, near, search)
    openings = Seal(store.seal_path).openings()
    predict = partial(check_models, stored, store, folds, cache, partial(watch.advance, "students"))
    steps: list[Callable[[], Finding]] = [
        partial(check_corpus, store, folds, certificate),
        partial(check_plan, stored, folds),
        partial(check_certificate, stored, store, folds, openings, certificate, copied),
        partial(check_predictions, store, folds, certificate),
        *([predict] if models else []),
        partial(check_tables, store),
    ]
    return _findings(folder, certificate, (*findings, *clock.laps(step() for step in steps)))


def _findings(folder: Path, certificate: Certificate, found: tuple[Finding, ...]) -> Findings:
    return Findings(
        command="verify",
        subject=folder.resolve().name,
        found=found,
        if_passed="the run agrees with its corpus and its plan",
        if_failed="the run does not agree with its corpus and its plan",
        facts={"run": str(folder), "certificate": certificate.digest},
        about=ABOUT,
    )


def _audio(folder: Path | None, cache: Path, watch: Observer) -> UnlabelledAudio | None:
    if folder is None:
        return None
    return load_unlabelled(folder, cache, partial(watch.advance, "unlabelled audio"))


def _certificate(store: RunStore) -> tuple[Certificate, Finding]:
    """The stored certificate, and a finding on whether its digest fits its content."""
    content = store.read_json("certificate")
    stated = content.pop("digest", None)
    certificate = Certificate.from_json(json.dumps(content))
    differences = []
    if stated != certificate.digest:
        differences.append(Unit("certificate.json", "changed after its digest was taken"))
    return certificate, compared("digest", shown_digest(certificate.digest), differences)
