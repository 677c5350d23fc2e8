"""A tiny hybrid student with random weights, exported, for backends to convert."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from serbench.api import Backend, StudentShape, WaveformPredictor, Waveforms
from serbench.device.export.deployed import Deployed, Trained
from serbench.learning.features import Normaliser
from serbench.settings import SegmentSettings
from serbench_akd.hybrid import Hybrid, HybridParams
from tests_support.front_ends import LOG_MEL

LABELS = ("anger", "fear", "joy")


def tiny_model(folder: Path) -> Deployed:
    """With windows of 0.5 s that overlap by 0.1 s."""
    torch.manual_seed(0)
    params = HybridParams(
        stem_channels=(4, 8), blocks=1, time_blocks=1, heads=2, fused_dim=16, expansion=1
    )
    student = Hybrid(params)
    network = student.build(StudentShape(len(LABELS)))
    for module in network.modules():
        if isinstance(module, torch.nn.Linear):  # posteriors that are far from even
            torch.nn.init.normal_(module.weight, std=0.5)
    return Trained(
        name="tiny",
        student=student,
        network=network.eval(),
        normaliser=Normaliser(torch.randn(40) - 5.0, torch.rand(40) + 1.0),
        labels=LABELS,
        front_end=LOG_MEL,
        segments=SegmentSettings(window_s=0.5, overlap_s=0.1),
        provenance={},
    ).write(folder)


def utterances(count: int, duration_s: float) -> Waveforms:
    """``(count, samples)`` of noise."""
    shape = (count, round(duration_s * 16_000))
    return np.random.default_rng(count).normal(0.0, 0.1, shape).astype(np.float32)


def opened(backend: Backend, model: Deployed, folder: Path) -> WaveformPredictor:
    """Converted and opened with one thread; skips where the runtime is not installed."""
    if reason := backend.unavailable():
        pytest.skip(reason)
    backend.convert(model, folder)
    return backend.open(model, folder, threads=1)


def farthest(predict: WaveformPredictor, model: Deployed) -> float:
    """The greatest difference of a posterior to PyTorch's, over several lengths."""
    reference, worst = model.module(), 0.0
    for count, duration_s in ((1, 0.1), (2, 0.37), (1, 0.5), (2, 1.63)):
        waveforms = utterances(count, duration_s)
        posteriors = predict(waveforms)
        assert posteriors.dtype == np.float32
        assert posteriors.shape == (count, len(LABELS))
        np.testing.assert_allclose(posteriors.sum(axis=1), 1.0, atol=1e-3)
        np.testing.assert_array_equal(predict(waveforms), posteriors)
        with torch.no_grad():
            expected = reference(torch.from_numpy(waveforms)).numpy()
        worst = max(worst, float(np.abs(posteriors - expected).max()))
    return worst
