"""The front end, and what becomes of a batch between the corpus's frames and the student."""

from __future__ import annotations

import numpy as np
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from serbench.api import SAMPLE_RATE_HZ, Batch
from serbench.data.corpus.table import CorpusTable
from serbench.learning.features import (
    Frames,
    Normaliser,
    TrainingFrames,
    student_input,
)
from serbench.learning.fit.augment import spec_augment
from serbench.learning.front_ends import Extractor
from serbench_front_ends.log_mel import LogMel, LogMelParams


def test_log_mel_of_three_seconds(benchmark: BenchmarkFixture) -> None:
    waveform = np.random.default_rng(0).normal(0, 0.1, 3 * SAMPLE_RATE_HZ).astype(np.float32)
    frames = benchmark(Extractor(LogMel(LogMelParams())), waveform)
    assert frames.shape == (301, 40)


def test_normaliser_of_a_corpus(
    benchmark: BenchmarkFixture, frames: Frames, table: CorpusTable
) -> None:
    normaliser = benchmark(Normaliser.fit, TrainingFrames(frames, table.ids))
    assert normaliser.mean.shape == (40,)


def test_windows_of_a_batch(
    benchmark: BenchmarkFixture, frames: Frames, table: CorpusTable
) -> None:
    reader = frames.evaluation(table.ids)
    rows = torch.arange(0, len(reader), len(reader) // 32)[:32]
    windows, _ = benchmark(reader.windows, rows, torch.zeros(32, dtype=torch.int64), 300)
    assert windows.shape == (32, 300, 40)


def test_masks_of_a_batch(benchmark: BenchmarkFixture, batch: Batch) -> None:
    frames = batch.features[:, 0].transpose(1, 2).contiguous()
    generator = torch.Generator().manual_seed(0)
    masked = benchmark(
        spec_augment, frames, batch.lengths, generator,
        time_masks=2, time_mask_frames=30, mel_masks=2, mel_mask_bins=6,
    )  # fmt: skip
    assert masked.shape == frames.shape


def test_deltas_of_a_batch(benchmark: BenchmarkFixture, batch: Batch) -> None:
    frames = batch.features[:, 0].transpose(1, 2).contiguous()
    features = benchmark(student_input, frames, batch.lengths)
    assert features.shape == batch.features.shape
