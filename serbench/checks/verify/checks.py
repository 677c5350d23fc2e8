"""Comparisons of a run folder's content with recomputed values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import ValidationError

from serbench.api import StoreError
from serbench.api.json_text import first_problem
from serbench.checks.finding import Finding, Unit
from serbench.data.corpus.derive import TRAIN
from serbench.data.corpus.table import CorpusTable
from serbench.data.corpus.unlabelled import UnlabelledAudio
from serbench.errors import listed, numbered
from serbench.files.digests import shown_digest
from serbench.protocol.guard.certificate import AudioRecord, Certificate
from serbench.protocol.guard.seal import predictions_digest
from serbench.protocol.splits.records import Split
from serbench.results.report import kept
from serbench.results.report.build import report_texts
from serbench.results.report.same import QUOTED, same_content, same_numbers
from serbench.running.harness.describe import outer_entry, run_digest
from serbench.running.harness.folds import Folds
from serbench.running.harness.prepare import audio_record
from serbench.running.replay.stored import StoredPlan
from serbench.running.store.run import RunStore
from serbench.running.store.tables import TEST_SET
from serbench.studies.ablation.output import addition


def compared(check: str, detail: str, differences: Sequence[Unit], remedy: str = "") -> Finding:
    """A finding on a comparison; its message is ``detail`` if nothing differs."""
    if not differences:
        return Finding(check, "passed", detail)
    return Finding(
        check, "failed", numbered(len(differences), "difference"), remedy, tuple(differences)
    )


def check_plan(stored: StoredPlan, folds: Folds) -> Finding:
    """Check that the plan's digest fits its content, this corpus and these folds."""
    plan = stored.plan
    differences = []
    if plan["dataset"]["corpus_digest"] != folds.table.digest:
        differences.append(Unit("corpus_digest", "not the digest of this corpus"))
    if plan["folds_digest"] != folds.digest:
        differences.append(Unit("folds_digest", "not the digest of the recomputed folds"))
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
        differences.append(Unit("digest", "not the digest of its content: a setting was changed"))
    if plan["outer"] != [outer_entry(split) for split in folds.outer]:
        differences.append(Unit("outer", "other test units or test sets than recomputed"))
    return compared("plan.json", f"digest {shown_digest(digest)}", differences)


def check_corpus(store: RunStore, folds: Folds, certificate: Certificate) -> Finding:
    """Check that every utterance has the stored speaker, label, text, audio and fold."""
    table = folds.table
    fold_of = {i: split.name for split in folds.outer for i in split.test.ids}
    set_of = {i: name for split in folds.outer for i, name in split.set_of.items()}
    kept = store.utterances()
    differences = [Unit(i, "missing now") for i in kept if i not in table.by_id]
    differences += [Unit(i, "new") for i in table.ids if i not in kept]
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
            **({TEST_SET: set_of.get(utterance.id, "")} if set_of else {}),
        }
        changed = [name for name, value in facts.items() if row.get(name) != value]
        if changed:
            said = ", ".join("audio" if name == "pcm_sha256" else name for name in changed)
            differences.append(Unit(utterance.id, f"{said} differs"))
    if not differences and certificate.corpus_digest != table.digest:
        differences.append(Unit("certificate", "for another corpus"))
    count = len(table.utterances)
    detail = f"{count} utterances read again, audio and labels"
    remedy = "Give the run's corpus with --data-dir."
    return compared("corpus", detail, differences, remedy)


def check_predictions(store: RunStore, folds: Folds, certificate: Certificate) -> Finding:
    """Check that predictions are those that labels were read for, with the corpus's labels."""
    predictions = store.predictions()
    table = folds.table
    columns = [f"p_{label}" for label in table.labels]
    readings = {(r.method, r.outer, r.seed): r.predictions_digest for r in certificate.readings}
    found = {}
    faults: list[Unit] = []
    for key, rows in predictions.groupby(["method", "outer", "seed"], sort=False):
        method, outer, seed = str(key[0]), int(key[1]), int(key[2])  # pyright: ignore[reportIndexIssue]
        place = f"{method}, outer fold {outer}, seed {seed}"
        ids = [str(i) for i in rows["utterance"]]
        posteriors = rows[columns].to_numpy(dtype=np.float32)
        found[method, outer, seed] = predictions_digest(ids, posteriors)
        if outer > len(folds.outer) or tuple(ids) != folds.outer[outer - 1].test.ids:
            faults.append(Unit(place, "not the utterances that the fold tests"))
            continue
        expected = _expected(folds.outer[outer - 1], posteriors, table)
        faults += [Unit(place, fault) for fault in _row_faults(rows, expected)]
    swapped = [
        Unit(
            f"{method}, outer fold {outer}, seed {seed}",
            "not the predictions that the labels were read for",
        )
        for method, outer, seed in sorted(readings.keys() | found.keys())
        if readings.get((method, outer, seed)) != found.get((method, outer, seed))
    ]
    differences = [*faults[:4], *swapped, *faults[4:]]  # some of each are shown
    return compared("predictions", f"{len(predictions)} rows of {len(found)} readings", differences)


def _expected(split: Split, posteriors: np.ndarray, table: CorpusTable) -> dict[str, list[str]]:
    """Expected columns of a fold's test utterances, from the corpus and the posteriors."""
    utterances = [table.by_id[i] for i in split.test.ids]
    names, set_of = np.array(table.labels), split.set_of
    return {
        "label": [u.label for u in utterances],
        "speaker": [u.speaker for u in utterances],
        "predicted": names[posteriors.argmax(axis=1)].tolist(),
        **({TEST_SET: [set_of[u.id] for u in utterances]} if set_of else {}),
    }


def _row_faults(rows: pd.DataFrame, expected: Mapping[str, Sequence[str]]) -> list[str]:
    """Columns that contradict the corpus or the posteriors."""
    faults = []
    for column, values in expected.items():
        wrong = [
            str(utterance)
            for utterance, said, true in zip(rows["utterance"], rows[column], values, strict=True)
            if said != true
        ]
        if wrong:
            faults.append(f"wrong {column} of {listed(wrong, 3)}")
    return faults


def check_unlabelled(stored: StoredPlan, audio: UnlabelledAudio | None) -> list[Finding]:
    """Compare the unlabelled audio with the plan; nothing if the students were not pretrained on
    any.

    Raises:
        StoreError: audio is given, but the run had none.
    """
    stated, given = stated_audio(stored), audio_record(audio)
    if stated is None and given is None:
        return []
    if stated is None:
        raise StoreError(
            "the run's students were not pretrained on unlabelled audio; leave --pretrain-audio out"
        )
    if given is None:
        reason = "not compared: give its folder with --pretrain-audio"
        return [Finding("unlabelled audio", "not run", reason)]
    old, new = stated.model_dump(), given.model_dump()
    differences = [
        Unit(key, f"{old[key]} in the plan, {new[key]} here") for key in old if old[key] != new[key]
    ]
    detail = f"{given.recordings} recordings read again, and compared with the corpus"
    return [compared("unlabelled audio", detail, differences)]


def stated_audio(stored: StoredPlan) -> AudioRecord | None:
    """The plan's record of the unlabelled audio.

    Raises:
        StoreError: the record does not fit its schema.
    """
    content = stored.plan["pretrain_audio"]
    try:
        return None if content is None else AudioRecord.model_validate(content)
    except ValidationError as error:
        raise StoreError(f"plan.json: pretrain_audio.{first_problem(error)}") from error


def _numeric(path: Path) -> bool:
    """Whether a stored file is a CSV whose numbers depend on the run alone."""
    return path.suffix == ".csv" and path.name not in QUOTED and path.is_file()


def check_tables(store: RunStore) -> Finding:
    """Compare the stored tables with tables made from these predictions.

    For tables of another version of serbench, only the numbers are compared: it may word and
    arrange them differently.
    """
    folder: Path = store.folder
    if not (folder / "tables").is_dir():
        reason = "the run has no tables yet; serbench report makes them"
        return Finding("tables", "not run", reason)
    differences = []
    try:
        texts = report_texts(folder, addition)
    except StoreError as error:  # files of the folder do not fit together
        return Finding("tables", "failed", str(error))
    remedy = "`serbench report` writes them again."
    if not kept.written_by_this_code(folder):
        stored = {name: folder / name for name in texts if _numeric(folder / name)}
        differences = [
            Unit(name, "differs") for name, path in stored.items()
            if not same_numbers(path, texts[name])
        ]  # fmt: skip
        detail = f"numbers of {len(stored)} tables; another version of serbench wrote them"
        return compared("tables", detail, differences, remedy)
    for name, text in texts.items():
        path = folder / name
        if not path.is_file():
            differences.append(Unit(name, "missing"))
        elif not same_content(path, text):
            differences.append(Unit(name, "differs"))
    detail = f"{len(texts)} files of tables, compared with what the predictions give"
    return compared("tables", detail, differences, remedy)
