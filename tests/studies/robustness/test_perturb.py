"""Utterances under conditions: whose voices, whose seeds, what silence comes to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from tests_support.tables import noise_table

from serbench.api import SerbenchError
from serbench.data.corpus.table import CorpusTable, Utterance
from serbench.protocol.splits.outer import outer_splits
from serbench.studies.robustness.conditions import CLEAN, CONDITIONS, Condition
from serbench.studies.robustness.perturb import TALKERS, draw_talkers, perturb, voices_of
from serbench_runtime.audio.read import read_waveform


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> CorpusTable:
    return noise_table(tmp_path_factory.mktemp("perturb") / "noise", speakers=6, utterances=2)


def utterance(name: str, path: Path, duration_s: float = 1.0, speaker: str = "s0") -> Utterance:
    return Utterance(name, path, speaker, None, "low", None, duration_s, 16_000, 1, "0" * 64)


def test_no_tested_speaker_talks_in_the_babble(table: CorpusTable) -> None:
    for split in outer_splits(table, "loso", 5):
        voices = voices_of(split, table)
        tested = {table.by_id[i].speaker for i in split.test.ids}
        assert len(voices) == 5
        assert not voices.keys() & tested
        assert {u.id for said in voices.values() for u in said} <= set(split.train.ids)
        assert all(u.speaker == name for name, said in voices.items() for u in said)


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda each: each.name)
def test_a_perturbed_utterance_is_as_long_and_the_same_again(
    table: CorpusTable, condition: Condition
) -> None:
    split = outer_splits(table, "loso", 5)[0]
    voices = voices_of(split, table)
    tested = table.by_id[split.test.ids[0]]
    clean = read_waveform(tested.path)
    found = perturb(tested, condition, voices)
    assert found.waveform.shape == clean.shape
    assert found.waveform.dtype == np.float32
    assert np.isfinite(found.waveform).all()
    assert not found.silent
    assert np.array_equal(found.waveform, clean) == (condition == CLEAN)
    np.testing.assert_array_equal(found.waveform, perturb(tested, condition, voices).waveform)


def test_one_utterance_hears_the_same_noise_at_every_level(table: CorpusTable) -> None:
    tested, other = table.utterances[:2]
    clean = read_waveform(tested.path)
    for family in ("white", "pink"):
        loud = perturb(tested, Condition(family, 0.0), {}).waveform - clean
        soft = perturb(tested, Condition(family, 20.0), {}).waveform - clean
        np.testing.assert_allclose(loud, 10 * soft, atol=2e-6)
        another = perturb(other, Condition(family, 0.0), {}).waveform - read_waveform(other.path)
        size = min(len(another), len(loud))
        assert abs(np.corrcoef(loud[:size], another[:size])[0, 1]) < 0.1


def test_clipped_samples_are_counted(tmp_path: Path) -> None:
    x = np.full(16_000, 0.1)
    x[:7] = 0.9
    soundfile.write(tmp_path / "x.wav", x, 16_000)
    loud = perturb(utterance("x", tmp_path / "x.wav"), Condition("gain", 10.0), {})
    assert loud.clipped == 7
    assert loud.waveform.max() == 1.0


def test_noise_leaves_a_silent_utterance_silent_and_says_so(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", np.zeros(16_000), 16_000)
    silent = utterance("x", tmp_path / "x.wav")
    for condition in CONDITIONS:
        found = perturb(silent, condition, {})
        assert not found.waveform.any()
        assert found.silent == condition.is_noise


def test_babble_without_anybody_to_talk_is_refused(table: CorpusTable) -> None:
    with pytest.raises(SerbenchError, match="no babble can be made for s0_high_0: its fold"):
        perturb(table.by_id["s0_high_0"], Condition("babble", 0.0), {})


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 8), st.integers(1, 5), st.floats(0.1, 9), st.integers(0, 2**32 - 1))
def test_talkers_are_different_speakers_who_talk_long_enough(
    speakers: int, each: int, duration_s: float, seed: int
) -> None:
    voices = {
        f"s{s}": [utterance(f"s{s}-{n}", Path("x"), 0.5 + n, f"s{s}") for n in range(each)]
        for s in range(speakers)
    }
    drawn = list(draw_talkers(voices, duration_s, np.random.default_rng(seed)))
    assert len(drawn) == TALKERS
    assert len({said[0].speaker for said in drawn}) == min(TALKERS, speakers)
    for said in drawn:
        assert len({u.speaker for u in said}) == 1
        assert len({u.id for u in said}) == len(said)
        spoken_s = sum(u.duration_s for u in said)
        assert spoken_s >= duration_s or len(said) == each
