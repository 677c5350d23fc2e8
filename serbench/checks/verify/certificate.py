"""The certificate, recomputed from corpus, plan and ledger, compared with the stored one."""

from __future__ import annotations

from collections.abc import Sequence

from serbench.api import LeakageError, StoreError
from serbench.checks.finding import Finding, Unit
from serbench.checks.verify.checks import compared, stated_audio
from serbench.errors import listed
from serbench.files.digests import shown_digest
from serbench.learning.fit.probe import PROBE_OF
from serbench.learning.segments import Segment, segment_partition
from serbench.protocol.guard.certificate import Certificate, SearchRecord
from serbench.protocol.guard.certify import certify
from serbench.protocol.guard.evidence import Evidence
from serbench.protocol.guard.near.search import NearPair
from serbench.protocol.guard.pretraining import (
    check_inheritance,
    check_listening,
    check_pretraining,
)
from serbench.protocol.guard.seal import Opening
from serbench.protocol.guard.view import FittedRecord, id_set_digest
from serbench.protocol.splits.records import Partition
from serbench.running.harness.canary import canary_results
from serbench.running.harness.choice import search_record, search_seed
from serbench.running.harness.folds import Folds
from serbench.running.harness.leaky import choosing_folds
from serbench.running.harness.search import Search
from serbench.running.plan.records import Candidate
from serbench.running.replay.stored import StoredPlan
from serbench.running.store.run import RunStore


def check_certificate(
    stored: StoredPlan,
    store: RunStore,
    folds: Folds,
    openings: Sequence[Opening],
    kept: Certificate,
    copied: Sequence[NearPair] = (),
) -> Finding:
    """Compare the stored certificate with one recomputed from corpus, plan and ledger.

    ``copied``: utterances with a copy in the unlabelled audio, if that is available.
    """
    protocol = stored.protocol
    repeats = kept.canary[0].repeats if kept.canary else 0
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
            students=check_inheritance(
                stored.inherited(),
                stored.evaluated,
                folds.table.card,
                allow=protocol.allow_pretraining_overlap,
            ),
            front_ends=check_listening(
                stored.heard(),
                stored.evaluated,
                folds.table.card,
                allow=protocol.allow_pretraining_overlap,
            ),
            canary=canary_results(store.folder, repeats, folds.table.labels),
            dropped=folds.dropped,
            audio=stated_audio(stored),
            copied=copied,
            trained_only=folds.trained_only,
            searches=repeated_searches(stored, store, folds),
        )
        again = certify(folds.table, folds.outer, folds.inner, evidence)
    except (LeakageError, StoreError) as error:
        return Finding("certificate", "failed", str(error))
    old, new = kept.model_dump(), again.model_dump()
    differences = [
        _difference(key, old.get(key, ()), new.get(key, ()))
        for key in dict.fromkeys((*new, *old))
        if old.get(key) != new.get(key)
    ]
    return compared("certificate", f"recomputed, digest {shown_digest(again.digest)}", differences)


def _difference(key: str, old: object, new: object) -> Unit:
    if not isinstance(old, tuple | list) or not isinstance(new, tuple | list):
        return Unit(key, f"{old}, but {new} when recomputed")
    names = [
        str(entry.get("name") or entry.get("code") or entry.get("what") or entry.get("method"))
        for side, other in ((old, new), (new, old))
        for entry in side
        if isinstance(entry, dict) and entry not in other
    ]
    return Unit(key, "differ" + (f": {listed(dict.fromkeys(names))}" if names else ""))


def _segments(stored: StoredPlan, folds: Folds) -> list[tuple[Partition, tuple[Segment, ...]]]:
    """Windows of every outer test side, cut as for each candidate."""
    cuttings = dict.fromkeys(
        stored.candidate(method, values).cutting
        for method in stored.plan["methods"]
        for values in method["candidates"]
    )
    return [
        (s.test, segment_partition(folds.table, s.test, each))
        for s in folds.outer
        for each in cuttings
    ]


def expected_fits(stored: StoredPlan, store: RunStore, folds: Folds) -> list[FittedRecord]:
    """Fits of the plan with their training sides, under a protocol without leaks."""
    outer = [split.train for split in folds.outer]
    inner = [split.train for below in folds.inner for split in below]
    teachers = list(stored.plan["teachers"])
    fits = store.fits()
    refits = [fit for fit in fits if fit["inner"] is None]
    records, taught_search = [], False
    for method in stored.plan["methods"]:
        name = str(method["name"])
        candidates = [stored.candidate(method, values) for values in method["candidates"]]
        search = len(candidates) > 1 or any(
            each.settings.training.early_stopping for each in candidates
        )
        own = not method["pretrained"]
        taught_search |= search and any(each.needs for each in candidates)
        if stored.protocol.strategy != "grid":
            for fit in fits:
                if fit["method"] == name and fit["inner"] is not None:
                    train = folds.inner[fit["outer"] - 1][fit["inner"] - 1].train
                    candidate = stored.candidate(method, fit["values"])
                    records += _of_fit(name, candidate, teachers, train, own)
            candidates = []
        for candidate in candidates if search else []:
            records += [
                r for train in inner for r in _of_fit(name, candidate, teachers, train, own)
            ]
        for fit in refits:
            if fit["method"] == name:
                candidate = stored.candidate(method, fit["values"])
                records += _of_fit(name, candidate, teachers, outer[fit["outer"] - 1], own)
    for teacher in teachers:
        for train in [*outer, *(inner if taught_search else [])]:
            records.append(_record(f"head of {teacher}", train))
    return records


def repeated_searches(stored: StoredPlan, store: RunStore, folds: Folds) -> list[SearchRecord]:
    """Searches other than whole grids, repeated with the scores of the run's inner fits.

    Raises:
        StoreError: the search that the plan names would have made a fit that the run lacks.
        SerbenchError: Optuna is not installed.
    """
    protocol = stored.protocol
    if protocol.strategy == "grid":
        return []
    scores: dict[tuple[str, int, int], dict[tuple[int, int], float]] = {}
    for fit in store.fits():
        if fit["inner"] is not None:
            place = fit["candidate"] - 1, fit["inner"] - 1
            own = scores.setdefault((fit["method"], fit["seed"], fit["outer"]), {})
            own[place] = fit["validation_ua"]
    records = []
    for method in stored.plan["methods"]:
        values, trials = method["candidates"], method.get("trials", len(method["candidates"]))
        for seed in stored.plan["seeds"]:
            for number, split in enumerate(folds.outer, start=1):
                known = scores.get((str(method["name"]), seed, number))
                if known is None:
                    continue
                below = choosing_folds(protocol.name, split, folds.inner[number - 1])
                seeded = search_seed(folds.table, split, seed)
                search = Search(protocol.strategy, values, len(below), trials, seeded)
                while stage := search.next():
                    for fit in stage:
                        if fit not in known:
                            raise StoreError(
                                f"{store.folder}: {split.name} of {method['name']} has no inner "
                                f"fit of candidate {fit[0] + 1} on fold {fit[1] + 1}, which "
                                f"{protocol.search} would have made"
                            )
                        search.take(fit, known[fit])
                records.append(search_record(search, str(method["name"]), seed, number))
    return records


def _of_fit(
    method: str, candidate: Candidate, teachers: Sequence[str], train: Partition, own: bool
) -> list[FittedRecord]:
    """Everything that one fit fits; ``own``: a student that inherits is itself fitted in the
    partition.
    """
    needs = candidate.needs
    whats = ["normaliser", f"student of {method}"]
    whats += [f"inheritance of {method}"] if own and candidate.inherits else []
    whats += [f"{PROBE_OF}{method}"] if candidate.settings.training.probe else []
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
