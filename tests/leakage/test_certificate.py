from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from serbench.api import LeakageError, StoreError
from serbench.leakage import (
    Certificate,
    Check,
    FittedRecord,
    PartitionView,
    Seal,
    certify,
    id_set_digest,
)
from serbench.segments import segment_partition

CODES = ["L1", "L2", "L3", "L4", "L5", "L6", "L7", "L8", "L9", "L10"]


def whole_run(toy, folder: Path) -> Certificate:
    """The certificate of a run with everything in it."""
    outer = toy.outer()
    inner = toy.inner(outer)
    seal = Seal(folder)
    fitted = []
    for number, (top, below) in enumerate(zip(outer, inner, strict=True), start=1):
        for split in (top, *below):
            view = PartitionView(split.train, toy.table)
            view.record("normaliser", view.ids)
            view.record("head 1", view.ids[: len(view) // 2])
            fitted += view.fitted
        seal.open("akd", number, 0, f"predictions {number}", toy.table, top.test)
    segments = [(s.test, segment_partition(toy.table, s.test, 1.5, 0.5)) for s in outer]
    return certify(toy.table, outer, inner, segments=segments, fitted=fitted, seal=seal)


def outcomes(certificate: Certificate) -> dict[str, str]:
    return {check.code: check.outcome for check in certificate.checks}


def test_a_whole_run_is_certified(toy, tmp_path: Path) -> None:
    certificate = whole_run(toy, tmp_path)
    found = outcomes(certificate)
    assert list(found) == CODES
    assert {code for code, outcome in found.items() if outcome == "passed"} == {
        "L1", "L2", "L3", "L4", "L6", "L8",
    }  # fmt: skip
    assert found["L9"] == "measured"
    assert all(found[code].startswith("not run: ") for code in ("L5", "L7", "L10"))
    details = {check.code: check.detail for check in certificate.checks}
    assert details["L1"] == "3 outer and 6 inner folds, grouped by speaker"
    assert details["L2"].endswith("each of 54 utterances is tested once")
    assert details["L3"] == "216 segments of 3 partitions"
    assert details["L4"].endswith("54 distinct recordings among 54 utterances")
    assert details["L6"] == "18 fitted things on 9 training partitions"
    assert details["L8"] == "3 readings of 1 methods, one per fold and seed"
    assert details["L9"].startswith("54 of 54 test utterances (100.0 %)")


def test_its_folds_are_by_unit_with_counts_and_digests(toy) -> None:
    outer = toy.outer()
    certificate = certify(toy.table, outer, toy.inner(outer))
    assert [f.name for f in certificate.folds[:4]] == [
        "outer-1", "outer-1/inner-1", "outer-1/inner-2", "outer-2",
    ]  # fmt: skip
    first = certificate.folds[0]
    assert (first.test.units, first.test.utterances) == (("s1", "s2"), 18)
    assert first.test.digest == id_set_digest(outer[0].test.ids)
    assert (first.train.units, first.train.utterances) == (("s3", "s4", "s5", "s6"), 36)
    assert certificate.corpus_digest == toy.table.digest
    assert certificate.units == ("s1", "s2", "s3", "s4", "s5", "s6")
    assert (certificate.schema_version, certificate.utterances) == (1, 54)


def test_before_a_run_the_rest_is_said_not_to_have_run(toy) -> None:
    found = outcomes(certify(toy.table, toy.outer()))
    assert found["L3"] == "not run: no segments were given"
    assert found["L6"] == "not run: nothing was fitted"
    assert found["L8"] == "not run: no outer test labels were read"


def test_an_unscripted_corpus_has_no_l9(toy) -> None:
    table = replace(
        toy.table, utterances=tuple(replace(u, text=None) for u in toy.table.utterances)
    )
    assert outcomes(certify(table, toy.outer()))["L9"].startswith("not run: the corpus does not")


def test_it_survives_json_with_the_same_digest(toy, tmp_path: Path) -> None:
    certificate = whole_run(toy, tmp_path)
    text = certificate.to_json()
    again = Certificate.from_json(text)
    assert again == certificate
    assert again.digest == certificate.digest
    assert len(certificate.digest) == 64
    assert Certificate.from_json(json.dumps(json.loads(text))).digest == certificate.digest


def test_its_digest_is_that_of_the_run_not_of_the_hour_or_the_order(toy, tmp_path: Path) -> None:
    one = whole_run(toy, tmp_path / "one")
    other = whole_run(toy, tmp_path / "other")
    assert one.digest == other.digest
    views = [PartitionView(s.train, toy.table) for s in toy.outer()]
    records = [v.record("normaliser", v.ids) for v in views]
    forwards = certify(toy.table, toy.outer(), fitted=records)
    backwards = certify(toy.table, toy.outer(), fitted=[*reversed(records), records[0]])
    assert forwards.digest == backwards.digest
    assert forwards.digest != certify(toy.table, toy.outer(), fitted=records[1:]).digest
    assert forwards.digest != certify(toy.table, toy.outer("loso"), fitted=()).digest


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema_version": 2}', "null"])
def test_what_is_no_certificate_is_refused(text: str) -> None:
    with pytest.raises(StoreError, match="not a certificate of schema version 1"):
        Certificate.from_json(text)


def test_an_unknown_field_or_version_is_refused(toy) -> None:
    content = json.loads(certify(toy.table, toy.outer()).to_json())
    with pytest.raises(StoreError, match="schema_version"):
        Certificate.from_json(json.dumps({**content, "schema_version": 2}))
    with pytest.raises(StoreError, match="extra"):
        Certificate.from_json(json.dumps({**content, "extra": 1}))


def test_an_outcome_is_one_of_three() -> None:
    for outcome in ("failed", "not run", "not run: "):
        with pytest.raises(ValidationError):
            Check(code="L1", leak="", outcome=outcome)


def test_every_leak_stops_the_certificate(toy, tmp_path: Path) -> None:
    """What each check does is tested elsewhere; here, that certify calls them all."""
    table, outer = toy.table, toy.outer()
    inner = toy.inner(outer)
    split = outer[0]
    speaker_moved = replace(
        split,
        train=replace(split.train, ids=(*split.train.ids, "s1-a-joy"), units=("s1",)),
        test=replace(split.test, ids=tuple(i for i in split.test.ids if i != "s1-a-joy")),
    )
    twice = replace(outer[2], test=split.test, train=split.train)
    copied = toy.changed("s3-a-joy", pcm_sha256="pcm of s1-b-joy")
    test_segments = segment_partition(table, split.test, 1.5, 0.5)
    wrong = FittedRecord(what="normaliser", partition="outer-1/test", utterances=1, digest="")
    other_ids = FittedRecord(what="head", partition="outer-1/train", utterances=36, digest="")
    too_many = FittedRecord(what="head", partition="outer-1/train", utterances=37, digest="")
    seal = Seal(tmp_path)
    seal.open("akd", 1, 0, "digest", table, toy.outer("loso")[0].test)
    leaks = [
        ("L1", lambda: certify(table, (speaker_moved, *outer[1:]))),
        ("L1", lambda: certify(table, outer, [(speaker_moved,), (), ()])),
        ("L2", lambda: certify(table, (*outer[:2], twice))),
        ("L3", lambda: certify(table, outer, segments=[(outer[1].test, test_segments)])),
        ("L4", lambda: certify(copied, outer)),
        ("L6", lambda: certify(table, outer, [inner[1], inner[0], inner[2]])),
        ("L6", lambda: certify(table, outer, fitted=[wrong])),
        ("L6", lambda: certify(table, outer, fitted=[other_ids])),
        ("L6", lambda: certify(table, outer, fitted=[too_many])),
        ("L8", lambda: certify(table, outer, seal=seal)),
    ]
    for number, (code, leak) in enumerate(leaks):
        with pytest.raises(LeakageError) as caught:
            leak()
        assert (number, caught.value.code) == (number, code)
