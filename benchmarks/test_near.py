"""What looking for near-duplicates costs, stage by stage; near_duplicates.py gives it by size."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from tests_support.copies import (  # pyright: ignore[reportMissingImports]
    Waveform,
    speech_like,
)

from serbench.api import SAMPLE_RATE_HZ
from serbench.protocol.guard.near.fingerprints import fingerprint
from serbench.protocol.guard.near.index import candidates
from serbench.protocol.guard.near.verify import compare, prepare
from serbench_runtime.audio.read import read_waveform

RECORDINGS = 200


@pytest.fixture(scope="module")
def recordings() -> list[Waveform]:
    """Real speech where SERBENCH_TEST_SHARED has some, else voices that say nothing."""
    named = os.environ.get("SERBENCH_TEST_SHARED")
    folder = Path(named) / "audio" / "unlabelled-speech" if named else None
    if folder and folder.is_dir():
        return [read_waveform(path) for path in sorted(folder.glob("*.opus"))[:RECORDINGS]]
    draw = np.random.default_rng(0)
    return [speech_like(draw, float(draw.uniform(1, 4))) for _ in range(RECORDINGS)]


def test_fingerprint_of_three_seconds(
    benchmark: BenchmarkFixture, recordings: list[Waveform]
) -> None:
    three_s = np.resize(np.concatenate(recordings[:3]), 3 * SAMPLE_RATE_HZ)
    words = benchmark(fingerprint, three_s)
    assert len(words) == pytest.approx(282, abs=2)


def test_candidates_among_recordings_and_a_copy(
    benchmark: BenchmarkFixture, recordings: list[Waveform]
) -> None:
    """The inverted index alone: 200 recordings, and one of them again without its start."""
    fingerprints = [fingerprint(waveform) for waveform in recordings]
    fingerprints.append(fingerprint(recordings[10][1_000:]))
    found = benchmark(candidates, fingerprints)
    assert [10, RECORDINGS] in found.tolist()


def test_comparison_of_two_waveforms(
    benchmark: BenchmarkFixture, recordings: list[Waveform]
) -> None:
    """Both made ready, and correlated over all lags."""

    def compared() -> float:
        return compare(prepare(recordings[0]), prepare(recordings[0][1_000:])).similarity

    assert benchmark(compared) > 0.95
