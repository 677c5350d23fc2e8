"""On real speech: transforms of a sample of EmoDB, second takes of a sentence, rooms that hum."""

from __future__ import annotations

import itertools
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from tests_support.copies import PARTS, TRANSFORMS, Waveform, part

from serbench.protocol.guard.near.fingerprints import fingerprint
from serbench.protocol.guard.near.search import THRESHOLD, similar
from serbench.protocol.guard.near.verify import compare, prepare
from serbench_runtime.audio.read import read_waveform

pytestmark = pytest.mark.real

SAMPLE = 40
FOUND = {**TRANSFORMS, **{name: PARTS[name] for name in ("a part of 1.0 s", "a part of 0.7 s")}}


@pytest.fixture(scope="module")
def recordings(emodb: Path) -> dict[str, Waveform]:
    return {path.stem: read_waveform(path) for path in sorted(emodb.rglob("*.wav"))}


@pytest.fixture(scope="module")
def sample(recordings: dict[str, Waveform]) -> list[Waveform]:
    chosen = np.random.default_rng(0).choice(sorted(recordings), SAMPLE, replace=False)
    return [recordings[name] for name in chosen]


@pytest.mark.parametrize("name", FOUND)
def test_every_copy_is_found_and_nothing_else(name: str, sample: list[Waveform]) -> None:
    draw = np.random.default_rng(1)
    every = [*sample, *(FOUND[name](waveform, draw) for waveform in sample)]
    pairs = similar([fingerprint(waveform) for waveform in every], every.__getitem__)
    assert [(one, other) for one, other, _, _ in pairs] == [(n, n + SAMPLE) for n in range(SAMPLE)]
    assert min(similarity for _, _, similarity, _ in pairs) > THRESHOLD + 0.1


def test_the_whole_corpus_has_no_pair(recordings: dict[str, Waveform]) -> None:
    waveforms = list(recordings.values())
    assert similar([fingerprint(x) for x in waveforms], waveforms.__getitem__) == []


def test_no_second_take_of_a_sentence_by_one_speaker_is_a_copy(
    recordings: dict[str, Waveform],
) -> None:
    """Compared directly, though the index would have stopped most of them."""
    takes: defaultdict[str, list[str]] = defaultdict(list)
    for name in recordings:
        takes[name[:5]].append(name)
    pairs = [pair for names in takes.values() for pair in itertools.combinations(names, 2)]
    assert len(pairs) > 1_000
    draw = np.random.default_rng(2)
    whole = {name: prepare(waveform) for name, waveform in recordings.items()}
    parts = {name: prepare(part(waveform, draw, 0.7)) for name, waveform in recordings.items()}
    assert max(compare(whole[a], whole[b]).similarity for a, b in pairs) < THRESHOLD - 0.2
    assert max(compare(whole[a], parts[b]).similarity for a, b in pairs[::3]) < THRESHOLD


def test_takes_that_share_mains_hum_are_no_copies(ravdess: Path) -> None:
    """Four actors whose room tone alone once made seven pairs; one take is there twice."""
    files = [path for n in (7, 13, 17, 23) for path in sorted(ravdess.glob(f"Actor_{n:02}/*"))]
    waveforms = [read_waveform(path) for path in files]
    pairs = similar([fingerprint(x) for x in waveforms], waveforms.__getitem__)
    names = [(files[one].stem, files[other].stem) for one, other, _, _ in pairs]
    assert names == [("03-01-03-01-02-01-07", "03-01-03-01-02-02-07")]
