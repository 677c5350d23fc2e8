from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tests_support.tables import Noise, noise_table, write_noise

from serbench.api import LeakageError, Params, SplitError
from serbench.data.corpus.load import load_corpus
from serbench.data.corpus.table import CorpusTable
from serbench.protocol.guard.certify import certify
from serbench.protocol.guard.evidence import Evidence
from serbench.protocol.guard.near.search import NearPair, near_duplicates
from serbench.running.harness.folds import make_folds
from serbench.settings import ProtocolSettings


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> CorpusTable:
    return noise_table(tmp_path_factory.mktemp("folds") / "noise", speakers=4, utterances=2)


COPIES = (NearPair("s0_high_0", "s2_high_1", 0.99, 0.0),)


def protocol(**settings: object) -> ProtocolSettings:
    return ProtocolSettings.model_validate(settings)


def test_copies_are_an_error_unless_told_otherwise(table: CorpusTable) -> None:
    folds = make_folds(table, "loso", protocol(), COPIES, search=False)
    assert folds.dropped == ()
    with pytest.raises(LeakageError, match=r"L5: .*s2_high_1 ~ s0_high_0 \(0.99\).*duplicates="):
        certify(folds.table, folds.outer, (), Evidence(near=folds.near))


def test_dropped_copies_are_gone_from_the_corpus_and_named(table: CorpusTable) -> None:
    folds = make_folds(table, "loso", protocol(duplicates="drop"), COPIES, search=True)
    assert folds.dropped == ("s2_high_1",)
    assert "s2_high_1" not in folds.table.ids
    assert folds.table.digest != table.digest
    evidence = Evidence(near=folds.near, dropped=folds.dropped)
    certificate = certify(folds.table, folds.outer, folds.inner, evidence)
    assert certificate.dropped == ("s2_high_1",)
    assert certificate.utterances == len(table.ids) - 1


def test_of_a_chain_of_copies_the_first_stays(table: CorpusTable) -> None:
    chain = (*COPIES, NearPair("s2_high_1", "s3_low_0", 0.9, 0.0))
    folds = make_folds(table, "loso", protocol(duplicates="drop"), chain, search=False)
    assert folds.dropped == ("s2_high_1", "s3_low_0")


@pytest.mark.parametrize(("folds", "count"), [("loso", 3), ("kfold", 2)])
def test_grouped_copies_keep_their_speakers_together(
    table: CorpusTable, folds: str, count: int
) -> None:
    made = make_folds(table, folds, protocol(duplicates="group", kfold=2), COPIES, search=False)
    assert len(made.outer) == count
    together = [split for split in made.outer if "s0" in split.test.units]
    assert [set(split.test.units) >= {"s0", "s2"} for split in together] == [True]
    certify(made.table, made.outer, (), Evidence(near=made.near))


def test_more_folds_than_groups_of_speakers_are_refused(table: CorpusTable) -> None:
    with pytest.raises(SplitError, match="4 speakers in 3 groups that share audio"):
        make_folds(table, "kfold", protocol(duplicates="group", kfold=4), COPIES, search=False)


def test_text_folds_share_neither_speaker_nor_sentence(table: CorpusTable) -> None:
    made = make_folds(table, "loso", protocol(group_by="text"), (), search=True)
    assert len(made.outer) == 8  # 4 speakers, 2 groups of one sentence each
    for split, below in zip(made.outer, made.inner, strict=True):
        for side in (split, *below):
            tested = {table.by_id[i].speaker for i in side.test.ids}
            assert tested.isdisjoint(table.by_id[i].speaker for i in side.train.ids)
        heard = {table.by_id[i].text for i in split.train.ids}
        assert heard.isdisjoint(table.by_id[i].text for i in split.test.ids)
    certificate = certify(made.table, made.outer, made.inner)
    found = {check.code: check for check in certificate.checks}
    assert found["L2"].outcome == "passed"
    assert found["L9"].detail.startswith("0 of 16 test utterances")


def test_text_folds_need_known_sentences(table: CorpusTable) -> None:
    mute = replace(table, utterances=tuple(replace(u, text=None) for u in table.utterances))
    with pytest.raises(SplitError, match="the sentence is not known"):
        make_folds(mute, "loso", protocol(group_by="text"), (), search=False)
    with pytest.raises(SplitError, match="text_groups = 3: noise has only 2 sentences"):
        make_folds(table, "loso", protocol(group_by="text", text_groups=3), (), search=False)


def test_random_folds_are_even_deterministic_and_leak_speakers(table: CorpusTable) -> None:
    made = make_folds(table, "loso", protocol(name="leaky-random"), (), search=False)
    again = make_folds(table, "loso", protocol(name="leaky-random"), (), search=False)
    assert made.outer == again.outer
    assert [len(split.test.ids) for split in made.outer] == [4, 4, 4, 4]
    with pytest.raises(LeakageError, match="L1"):
        certify(made.table, made.outer)


def test_planted_near_duplicates_stop_the_certificate(tmp_path: Path) -> None:
    """L5 with the real fingerprints: a louder copy with silence in front, under another speaker."""
    folder = tmp_path / "noise"
    write_noise(folder, speakers=3, utterances=2)
    x, rate = soundfile.read(folder / "s0_high_0.wav", dtype="float32")
    copy = np.concatenate([np.zeros(rate // 10, np.float32), 0.5 * x])
    soundfile.write(folder / "s1_high_7.wav", copy, rate)
    table = load_corpus(Noise(Params()), "noise", folder, tmp_path / "audio", lambda *_: None)
    near = near_duplicates(table.utterances, tmp_path / "near", lambda *_: None)
    assert [(pair.one, pair.other) for pair in near] == [("s0_high_0", "s1_high_7")]
    folds = make_folds(table, "loso", protocol(), near, search=False)
    with pytest.raises(LeakageError, match=r"L5.*s0_high_0"):
        certify(folds.table, folds.outer, (), Evidence(near=near))


def official(table: CorpusTable, tested: str) -> CorpusTable:
    """A split of the corpus's own that tests these speakers."""
    utterances = tuple(
        replace(u, official="test" if u.speaker in tested.split() else "train")
        for u in table.utterances
    )
    return replace(table, utterances=utterances)


def test_what_is_for_training_only_is_told_of_and_never_tested(table: CorpusTable) -> None:
    folds = make_folds(official(table, "s2 s3"), "official", protocol(), (), search=True)
    assert {u.speaker for u in folds.tested} == {"s2", "s3"}
    assert {folds.table.by_id[i].speaker for i in folds.trained_only} == {"s0", "s1"}
    assert len(folds.inner[0]) == 2
    evidence = Evidence(near=(), trained_only=folds.trained_only)
    certificate = certify(folds.table, folds.outer, folds.inner, evidence)
    (coverage,) = [check for check in certificate.checks if check.code == "L2"]
    assert coverage.detail == (
        "1 outer and 2 inner folds; each of 8 utterances is tested once, 8 others are for training "
        "only"
    )
    with pytest.raises(LeakageError, match="L2"):
        certify(folds.table, folds.outer, folds.inner, Evidence(near=()))


def test_a_single_test_speaker_is_refused_before_anything_is_fitted(table: CorpusTable) -> None:
    with pytest.raises(SplitError, match=r"test a single speaker \(s3\)"):
        make_folds(official(table, "s3"), "official", protocol(), (), search=False)


def with_sides(table: CorpusTable, sides: dict[str, str]) -> CorpusTable:
    utterances = tuple(replace(u, official=sides[u.speaker]) for u in table.utterances)
    return replace(table, utterances=utterances)


def test_a_test_set_with_a_single_speaker_is_refused(table: CorpusTable) -> None:
    sides = {"s0": "train", "s1": "test", "s2": "test", "s3": "test2"}
    with pytest.raises(SplitError, match=r"test set test2 has a single speaker \(s3\)"):
        make_folds(with_sides(table, sides), "official", protocol(), (), search=False)


def test_the_digest_of_folds_covers_their_test_sets(tmp_path: Path) -> None:
    table = noise_table(tmp_path / "noise", speakers=5, utterances=2)
    several = {"s0": "train", "s1": "test", "s2": "test", "s3": "test2", "s4": "test2"}
    swapped = {**several, "s1": "test2", "s3": "test"}
    together = {name: side[:4].replace("trai", "train") for name, side in several.items()}
    made = [
        make_folds(with_sides(table, sides), "official", protocol(), (), search=False)
        for sides in (several, swapped, together)
    ]
    assert len({folds.outer[0].test.ids for folds in made}) == 1
    assert len({folds.digest for folds in made}) == 3
    assert {u.speaker for u in made[0].tested} == {"s1", "s2", "s3", "s4"}
    assert {u.speaker for u in made[0].headline.tested} == {"s1", "s2"}


def test_random_folds_need_folds_that_test_everything(table: CorpusTable) -> None:
    with pytest.raises(SplitError, match="leaky-random assigns all utterances"):
        make_folds(
            official(table, "s2 s3"), "official", protocol(name="leaky-random"), (), search=False
        )
