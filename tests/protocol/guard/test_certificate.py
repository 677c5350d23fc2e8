from __future__ import annotations

import json
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from serbench.api import LeakageError, StoreError
from serbench.learning.segments import Cutting, segment_partition
from serbench.protocol.guard.canary import CanaryResult
from serbench.protocol.guard.certificate import AudioRecord, Certificate, LeakCheck
from serbench.protocol.guard.certify import certify
from serbench.protocol.guard.evidence import Evidence
from serbench.protocol.guard.near.search import NearPair
from serbench.protocol.guard.seal import Seal
from serbench.protocol.guard.view import FittedRecord, PartitionView, id_set_digest
from serbench.protocol.splits.outer import outer_splits, random_splits

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
            view.record("head 1", view.ids)
            fitted += view.fitted
        seal.open("akd", number, 0, f"predictions {number}", toy.table, top.test)
    segments = [(s.test, segment_partition(toy.table, s.test, Cutting(1.5, 0.5))) for s in outer]
    evidence = Evidence(segments=segments, fitted=fitted, openings=seal.openings())
    return certify(toy.table, outer, inner, evidence)


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


def test_names_that_are_declared_different_are_told(toy, tmp_path: Path) -> None:
    card = replace(toy.table.card, different={"text": ("a", "A")})
    told = copy(toy)
    told.table = replace(toy.table, card=card)
    (units,) = (each for each in whole_run(told, tmp_path).checks if each.code == "L1")
    assert units.outcome == "passed"
    assert units.detail.endswith("by speaker; 'a', 'A' are different, as the card declares")


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
    assert (certificate.schema_version, certificate.utterances) == (3, 54)


def test_before_a_run_the_rest_is_said_not_to_have_run(toy) -> None:
    found = outcomes(certify(toy.table, toy.outer()))
    assert found["L3"] == "not run: no segments were given"
    assert found["L6"] == "not run: nothing was fitted"
    assert found["L8"] == "not run: no outer test labels were read"


def test_names_in_two_spellings_are_no_certificate(toy) -> None:
    for field, spelling, code in (("speaker", "S1", "L1"), ("text", "A ", "L9")):
        table = toy.changed("s1-a-joy", **{field: spelling})
        outer = outer_splits(table, "loso", 3)
        with pytest.raises(LeakageError, match=f"^leakage {code}: .* whose names differ only in"):
            certify(table, outer)


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

    def digest(*fitted: FittedRecord, folds: str = "pairs") -> str:
        return certify(toy.table, toy.outer(folds), (), Evidence(fitted=fitted)).digest

    assert digest(*records) == digest(*reversed(records), records[0])
    assert digest(*records) != digest(*records[1:])
    assert digest() != digest(folds="loso")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema_version": 2}', "null"])
def test_what_is_no_certificate_is_refused(text: str) -> None:
    with pytest.raises(StoreError, match="not a certificate of schema version 3"):
        Certificate.from_json(text)


def test_an_unknown_field_or_version_is_refused(toy) -> None:
    content = json.loads(certify(toy.table, toy.outer()).to_json())
    with pytest.raises(StoreError, match="schema_version"):
        Certificate.from_json(json.dumps({**content, "schema_version": 2}))
    with pytest.raises(StoreError, match="extra"):
        Certificate.from_json(json.dumps({**content, "extra": 1}))


def test_an_outcome_is_a_known_one_with_its_reason() -> None:
    for outcome in ("failed", "not run", "not run: ", "undeclared", "broken on purpose: "):
        with pytest.raises(ValidationError):
            LeakCheck(code="L1", leak="", outcome=outcome)


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
    test_segments = segment_partition(table, split.test, Cutting(1.5, 0.5))
    near = NearPair("s1-a-joy", "s3-b-joy", 0.97, 0.0)
    heard = NearPair("s1-a-joy", "unlabelled/a.ogg", 0.9, 0.1)
    singing = CanaryResult(method="akd", repeats=5, ua=0.5, low=0.4, high=0.6, chance=1 / 3)
    wrong = FittedRecord(what="normaliser", partition="outer-1/test", utterances=1, digest="")
    other_ids = FittedRecord(what="head", partition="outer-1/train", utterances=36, digest="")
    too_many = FittedRecord(what="head", partition="outer-1/train", utterances=37, digest="")
    part = PartitionView(split.train, table).record("head", split.train.ids[1:])
    seal = Seal(tmp_path)
    seal.open("akd", 1, 0, "digest", table, toy.outer("loso")[0].test)

    def shown(**evidence: Any) -> Certificate:
        return certify(table, outer, (), Evidence(**evidence))

    leaks = [
        ("L1", lambda: certify(table, (speaker_moved, *outer[1:]))),
        ("L1", lambda: certify(table, outer, [(speaker_moved,), (), ()])),
        ("L2", lambda: certify(table, (*outer[:2], twice))),
        ("L3", lambda: shown(segments=[(outer[1].test, test_segments)])),
        ("L4", lambda: certify(copied, outer)),
        ("L5", lambda: shown(near=[near])),
        ("L5", lambda: shown(near=[], audio=AUDIO, copied=[heard])),
        ("L6", lambda: certify(table, outer, [inner[1], inner[0], inner[2]])),
        ("L6", lambda: shown(fitted=[wrong])),
        ("L6", lambda: shown(fitted=[other_ids])),
        ("L6", lambda: shown(fitted=[too_many])),
        ("L6", lambda: shown(fitted=[part])),
        ("L8", lambda: shown(openings=seal.openings())),
        ("L10", lambda: shown(canary=[singing])),
    ]
    for number, (code, leak) in enumerate(leaks):
        with pytest.raises(LeakageError) as caught:
            leak()
        assert (number, caught.value.code) == (number, code)


# ── unlabelled audio ─────────────────────────────────────────────────────────────────────────────


AUDIO = AudioRecord(recordings=7, duration_s=3600, digest="a" * 64)


def test_unlabelled_audio_is_in_the_certificate_and_in_its_digest(toy) -> None:
    plain = certify(toy.table, toy.outer(), (), Evidence(near=[]))
    heard = certify(toy.table, toy.outer(), (), Evidence(near=[], audio=AUDIO))
    assert plain.audio is None
    assert heard.audio == AUDIO
    assert check_of(heard, "L5").outcome == "passed"
    said = check_of(plain, "L5").detail
    assert check_of(heard, "L5").detail == f"{said}; no copy of any in 7 unlabelled recordings"
    again = Certificate.from_json(heard.to_json())
    assert again == heard
    other = AUDIO.model_copy(update={"digest": "b" * 64})
    digests = {
        certify(toy.table, toy.outer(), (), Evidence(near=[], audio=audio)).digest
        for audio in (None, AUDIO, other)
    }
    assert len(digests) == 3
    assert again.digest in digests


def test_audio_that_was_not_compared_is_not_said_to_be_clean(toy) -> None:
    certificate = certify(toy.table, toy.outer(), (), Evidence(audio=AUDIO))
    assert check_of(certificate, "L5").outcome == "not run: the recordings were not compared"


def test_a_copy_in_the_audio_stops_a_leaky_run_too(toy) -> None:
    pair = NearPair("s1-a-joy", "unlabelled/a.ogg", 0.9, 0.1)
    evidence = Evidence(protocol="leaky-random", near=[], audio=AUDIO, copied=[pair])
    with pytest.raises(
        LeakageError, match=r"L5: .*s1-a-joy ~ unlabelled/a\.ogg \(0\.90\).*--pretr"
    ):
        certify(toy.table, toy.outer(), (), evidence)


# ── deliberately broken protocols ────────────────────────────────────────────────────────────────


def check_of(certificate: Certificate, code: str) -> LeakCheck:
    return next(check for check in certificate.checks if check.code == code)


def test_a_leak_on_purpose_is_written_down_and_warned_of(toy) -> None:
    outer = random_splits(toy.table, 3, 1)
    certificate = certify(toy.table, outer, (), Evidence(protocol="leaky-random"))
    check = check_of(certificate, "L1")
    assert check.outcome == "broken on purpose: speakers on both sides of outer-1: 6"
    assert check.detail == "s1, s2, s3, s4, s5, s6"
    assert certificate.leaky
    assert certificate.warnings == (f"L1 {check.outcome}",)
    with pytest.raises(LeakageError, match="L1"):
        certify(toy.table, outer)


def test_a_leaky_protocol_may_leak_in_no_other_way(toy) -> None:
    copied = toy.changed("s3-a-joy", pcm_sha256="pcm of s1-b-joy")
    random = Evidence(protocol="leaky-random")
    with pytest.raises(LeakageError, match="L4"):
        certify(copied, toy.outer(), (), random)
    record = FittedRecord(what="normaliser", partition="outer-1/train", utterances=54, digest="")
    with pytest.raises(LeakageError, match="L6"):
        certify(toy.table, toy.outer(), (), replace(random, fitted=[record]))


def test_a_fit_on_the_test_side_is_named(toy) -> None:
    split = toy.outer()[0]
    record = FittedRecord(
        what="choice of the epoch", partition=split.test.name, utterances=18,
        digest=id_set_digest(split.test.ids),
    )  # fmt: skip
    evidence = Evidence(protocol="leaky-early-stopping", fitted=[record])
    check = check_of(certify(toy.table, toy.outer(), (), evidence), "L6")
    assert check.outcome.startswith(
        "broken on purpose: fitted or chosen on what is no training side"
    )
    assert check.detail == "choice of the epoch on outer-1/test (18 utterances)"


def test_a_protocol_that_claims_to_leak_and_does_not_passes(toy) -> None:
    certificate = certify(toy.table, toy.outer(), (), Evidence(protocol="leaky-random"))
    assert check_of(certificate, "L1").outcome == "passed"
    assert certificate.leaky
