"""Comparisons of what a run folder says with what was recomputed."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import ValidationError

from serbench.api import LeakageError, StoreError
from serbench.checks.verify.findings import Finding, compared
from serbench.data.corpus.derive import TRAIN
from serbench.data.corpus.table import CorpusTable
from serbench.data.corpus.unlabelled import UnlabelledAudio
from serbench.learning.segments import Segment, segment_partition
from serbench.protocol.guard.canary import CanaryResult, canary_result
from serbench.protocol.guard.certificate import AudioRecord, Certificate
from serbench.protocol.guard.certify import Evidence, certify
from serbench.protocol.guard.near.search import NearPair
from serbench.protocol.guard.pretraining import check_pretraining
from serbench.protocol.guard.seal import Opening, predictions_digest
from serbench.protocol.guard.view import FittedRecord, id_set_digest
from serbench.protocol.splits.records import Partition
from serbench.results.report.build import report_texts
from serbench.running.harness.canary import pooled_ua
from serbench.running.harness.folds import Folds
from serbench.running.harness.run import audio_record, run_digest
from serbench.running.plan.records import Candidate, digest_of
from serbench.running.replay.stored import Stored
from serbench.running.store.run import RunStore


def check_plan(stored: Stored, folds: Folds) -> Finding:
    """The plan's digest is that of what it says, this corpus and these folds."""
    plan = stored.plan
    folds_digest = digest_of([[split.name, list(split.test.ids)] for split in folds.outer])
    differences = []
    if plan["dataset"]["corpus_digest"] != folds.table.digest:
        differences.append("it is of another corpus than this")
    if plan["folds_digest"] != folds_digest:
        differences.append("folds_digest is not that of the recomputed folds")
    digest = run_digest(
        stored.description(),
        plan["dataset"]["corpus_digest"],
        plan["folds_digest"],
        plan["model_digests"],
        plan["device"],
        plan["code"],
        plan.get("arithmetic", {}),
        plan["serbench_version"],
    )
    if plan["digest"] != digest:
        differences.append("the digest is not that of its content: a setting was changed")
    units = [list(split.test.units) for split in folds.outer]
    if [fold["test_units"] for fold in plan["outer"]] != units:
        differences.append("the test units of outer folds are not the recomputed ones")
    return compared("plan.json", f"digest {digest[:12]}", differences)


def check_corpus(store: RunStore, folds: Folds, certificate: Certificate) -> Finding:
    """Every utterance has the speaker, label, text, audio and fold that it had."""
    table = folds.table
    fold_of = {i: split.name for split in folds.outer for i in split.test.ids}
    text = (store.folder / "utterances.csv").read_text(encoding="utf-8")
    kept = {row["utterance"]: row for row in csv.DictReader(io.StringIO(text))}
    differences = [f"{i} is no longer there" for i in kept if i not in table.by_id]
    differences += [f"{i} was not there" for i in table.ids if i not in kept]
    for utterance in table.utterances:
        row = kept.get(utterance.id)
        if row is None:
            continue
        facts = {
            "fold": fold_of.get(utterance.id, TRAIN),
            "speaker": utterance.speaker,
            "session": utterance.session or "",
            "label": utterance.label,
            "text": utterance.text or "",
            "pcm_sha256": utterance.pcm_sha256,
        }
        changed = [name for name, value in facts.items() if row.get(name) != value]
        if changed:
            said = ", ".join("audio" if name == "pcm_sha256" else name for name in changed)
            differences.append(f"{utterance.id}: another {said}")
    if not differences and certificate.corpus_digest != table.digest:
        differences.append("the certificate is of another corpus")
    count = len(table.utterances)
    return compared("corpus", f"{count} utterances read again, audio and labels", differences)


def check_predictions(store: RunStore, folds: Folds, certificate: Certificate) -> Finding:
    """Predictions are those that the labels were read for, with the corpus's own labels."""
    predictions = store.predictions()
    table = folds.table
    columns = [f"p_{label}" for label in table.labels]
    readings = {(r.method, r.outer, r.seed): r.predictions_digest for r in certificate.readings}
    found = {}
    faults: list[str] = []
    for key, rows in predictions.groupby(["method", "outer", "seed"], sort=False):
        method, outer, seed = str(key[0]), int(key[1]), int(key[2])  # pyright: ignore[reportIndexIssue]
        place = f"{method}, outer fold {outer}, seed {seed}"
        ids = [str(i) for i in rows["utterance"]]
        posteriors = rows[columns].to_numpy(dtype=np.float32)
        found[method, outer, seed] = predictions_digest(ids, posteriors)
        if outer > len(folds.outer) or tuple(ids) != folds.outer[outer - 1].test.ids:
            faults.append(f"{place}: other utterances than the fold tests")
            continue
        faults += [f"{place}: {fault}" for fault in _row_faults(rows, posteriors, table)]
    swapped = [
        f"{method}, outer fold {outer}, seed {seed}: not the predictions that the labels were "
        "read for"
        for method, outer, seed in sorted(readings.keys() | found.keys())
        if readings.get((method, outer, seed)) != found.get((method, outer, seed))
    ]
    differences = [*faults[:4], *swapped, *faults[4:]]  # some of each are shown
    return compared("predictions", f"{len(predictions)} rows of {len(found)} readings", differences)


def _row_faults(rows: pd.DataFrame, posteriors: np.ndarray, table: CorpusTable) -> list[str]:
    """Labels, speakers and predicted classes that do not follow from corpus and posteriors."""
    utterances = [table.by_id[str(i)] for i in rows["utterance"]]
    names = np.array(table.labels)
    expected = {
        "label": [u.label for u in utterances],
        "speaker": [u.speaker for u in utterances],
        "predicted": names[posteriors.argmax(axis=1)].tolist(),
    }
    faults = []
    for column, values in expected.items():
        wrong = [
            u.id
            for u, said, true in zip(utterances, rows[column], values, strict=True)
            if said != true
        ]
        if wrong:
            faults.append(f"wrong {column} of {', '.join(wrong[:3])}")
    return faults


def check_certificate(
    stored: Stored,
    store: RunStore,
    folds: Folds,
    openings: Sequence[Opening],
    kept: Certificate,
    copied: Sequence[NearPair] = (),
) -> Finding:
    """The certificate, made anew from corpus, plan and ledger, is the stored one.

    ``copied``: utterances with a copy in the unlabelled audio, where that is at hand.
    """
    protocol = stored.protocol
    try:
        evidence = Evidence(
            plan_digest=str(stored.plan["digest"]),
            protocol=protocol.name,
            segments=_segments(stored, folds),
            fitted=kept.fitted if protocol.leaky else expected_fits(stored, store, folds),
            openings=openings,
            near=folds.near,
            teachers=check_pretraining(
                stored.cards(),
                stored.evaluated,
                folds.table.card,
                allow=protocol.allow_pretraining_overlap,
            ),
            canary=canary_results(store, folds.table, kept),
            dropped=folds.dropped,
            audio=stated_audio(stored),
            copied=copied,
            trained_only=folds.trained_only,
        )
        again = certify(folds.table, folds.outer, folds.inner, evidence)
    except LeakageError as error:
        return compared("certificate", "", [str(error)])
    old, new = kept.model_dump(), again.model_dump()
    differences = [
        _difference(key, old.get(key, ()), new.get(key, ()))
        for key in dict.fromkeys((*new, *old))
        if old.get(key) != new.get(key)
    ]
    return compared("certificate", f"made anew, digest {again.digest[:12]}", differences)


def check_unlabelled(stored: Stored, audio: UnlabelledAudio | None) -> list[Finding]:
    """The unlabelled audio is that of the plan; nothing where students heard none.

    Raises:
        StoreError: audio is given, and the run was made without.
    """
    stated, given = stated_audio(stored), audio_record(audio)
    if stated is None and given is None:
        return []
    if stated is None:
        raise StoreError(
            "the run's students were not pretrained on unlabelled audio; leave --pretrain-audio out"
        )
    if given is None:
        reason = "not compared again: --pretrain-audio names its folder"
        return [Finding("unlabelled audio", skipped=reason)]
    old, new = stated.model_dump(), given.model_dump()
    differences = [f"{key} is {old[key]}, here {new[key]}" for key in old if old[key] != new[key]]
    detail = f"{given.recordings} recordings read again, and compared with the corpus"
    return [compared("unlabelled audio", detail, differences)]


def stated_audio(stored: Stored) -> AudioRecord | None:
    """What the plan says of the unlabelled audio.

    Raises:
        StoreError: it says something else than it should.
    """
    content = stored.plan["pretrain_audio"]
    try:
        return None if content is None else AudioRecord.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(("pretrain_audio", *map(str, first["loc"])))
        raise StoreError(f"plan.json: {where}: {first['msg']}") from error


def _difference(key: str, old: object, new: object) -> str:
    if not isinstance(old, tuple | list) or not isinstance(new, tuple | list):
        return f"{key} is {old}, recomputed {new}"
    named = [
        str(entry.get("name") or entry.get("code") or entry.get("what") or entry.get("method"))
        for side, other in ((old, new), (new, old))
        for entry in side
        if isinstance(entry, dict) and entry not in other
    ]
    return f"{key} differ" + (f": {', '.join(dict.fromkeys(named[:4]))}" if named else "")


def _segments(stored: Stored, folds: Folds) -> list[tuple[Partition, tuple[Segment, ...]]]:
    """Windows of every outer test side, as every candidate cuts them."""
    windows = dict.fromkeys(
        stored.candidate(method, values).settings.segments
        for method in stored.plan["methods"]
        for values in method["candidates"]
    )
    return [
        (s.test, segment_partition(folds.table, s.test, each.window_s, each.overlap_s))
        for s in folds.outer
        for each in windows
    ]


def expected_fits(stored: Stored, store: RunStore, folds: Folds) -> list[FittedRecord]:
    """What the plan fits, and on which training sides, under a protocol that leaks nothing."""
    outer = [split.train for split in folds.outer]
    inner = [split.train for below in folds.inner for split in below]
    teachers = list(stored.plan["teachers"])
    refits = [fit for fit in store.fits() if fit["inner"] is None]
    records, taught_search = [], False
    for method in stored.plan["methods"]:
        name = str(method["name"])
        candidates = [stored.candidate(method, values) for values in method["candidates"]]
        search = len(candidates) > 1 or any(
            each.settings.training.early_stopping for each in candidates
        )
        taught_search |= search and any(each.loss.needs for each in candidates)
        for candidate in candidates if search else []:
            records += [r for train in inner for r in _of_fit(name, candidate, teachers, train)]
        for fit in refits:
            if fit["method"] == name:
                candidate = stored.candidate(method, fit["values"])
                records += _of_fit(name, candidate, teachers, outer[fit["outer"] - 1])
    for teacher in teachers:
        for train in [*outer, *(inner if taught_search else [])]:
            records.append(_record(f"head of {teacher}", train))
    return records


def _of_fit(
    method: str, candidate: Candidate, teachers: Sequence[str], train: Partition
) -> list[FittedRecord]:
    """What one fit fits."""
    needs = candidate.loss.needs
    whats = ["normaliser", f"student of {method}"]
    whats += [f"scale of {each}'s embeddings" for each in teachers if "pooled" in needs]
    whats += [f"hints of {each}" for each in teachers if "frames" in needs]
    return [_record(what, train) for what in whats]


def _record(what: str, train: Partition) -> FittedRecord:
    return FittedRecord(
        what=what,
        partition=train.name,
        utterances=len(train.ids),
        digest=id_set_digest(train.ids),
    )


def canary_results(
    store: RunStore, table: CorpusTable, kept: Certificate
) -> tuple[CanaryResult, ...]:
    """The canary's results from its stored predictions."""
    if not kept.canary:
        return ()
    scores: dict[str, list[float]] = {}
    for repeat in range(1, kept.canary[0].repeats + 1):
        rows = pd.read_parquet(store.folder / "canary" / f"repeat-{repeat}" / "predictions.parquet")
        for method, ua in pooled_ua(rows, table.labels).items():
            scores.setdefault(method, []).append(ua)
    return tuple(canary_result(name, uas, len(table.labels)) for name, uas in scores.items())


def check_tables(store: RunStore) -> Finding:
    """The stored tables are what these predictions give."""
    folder: Path = store.folder
    if not (folder / "tables").is_dir():
        return Finding("tables", skipped="the run has no tables yet: serbench report makes them")
    differences = []
    try:
        texts = report_texts(folder)
    except StoreError as error:  # the folder's own parts do not fit each other
        return compared("tables", "", [str(error)])
    for name, text in texts.items():
        path = folder / name
        if not path.is_file():
            differences.append(f"{name} is missing")
        elif path.read_text(encoding="utf-8") != text:
            differences.append(f"{name} differs")
    return compared("tables", f"{len(texts)} files of tables made anew", differences)
