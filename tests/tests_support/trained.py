"""Trained students to export, whose weights are random, and the posteriors that they must give."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from serbench.api import FrontEnd, Params, Student
from serbench.device.export.deployed import Trained
from serbench.learning.features import Normaliser, student_input
from serbench.learning.front_ends import Extractor, shape_of
from serbench.learning.segments import sliding_windows
from serbench.settings import SegmentSettings
from tests_support.front_ends import LOG_MEL
from tests_support.runs import LinearStudent

LABELS = ("high", "low", "neither")


def trained(
    student: Student | None = None,
    front_end: FrontEnd = LOG_MEL,
    segments: SegmentSettings | None = None,
) -> Trained:
    """A student with random weights and a normaliser that does something."""
    student = student or LinearStudent(Params())
    torch.manual_seed(0)
    network = student.build(shape_of(front_end, len(LABELS))).eval()
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=module.in_features**-0.5)
    width = front_end.width
    normaliser = Normaliser(torch.linspace(-9.0, -7.0, width), torch.linspace(1.0, 2.0, width))
    if front_end.params.normalise == "none":
        normaliser = Normaliser.none(width)
    return Trained(
        name="probe",
        student=student,
        network=network,
        normaliser=normaliser,
        labels=LABELS,
        front_end=front_end,
        segments=segments or SegmentSettings(window_s=0.8, overlap_s=0.2),
        provenance={"trained": "never"},
    )


def expected(model: Trained, waveform: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean posterior of one utterance ``(samples,)``, window by window as runs cut them."""
    frames = torch.from_numpy(Extractor(model.front_end)(waveform))
    assert model.front_end.framing is not None
    rate_hz = 1 / model.front_end.framing.hop_s
    size = round(model.segments.window_s * rate_hz)
    bounds = sliding_windows(
        len(waveform) / 16_000, model.segments.window_s, model.segments.overlap_s
    )
    starts = [min(round(start_s * rate_hz), len(frames) - 1) for start_s, _ in bounds]
    if model.segments.cut == "centre":
        starts = [max(0, len(frames) - size) // 2]
    posteriors = []
    for start in starts:
        window = frames[start:][:size]
        lengths = torch.tensor([len(window)])
        x = student_input(model.normaliser(window[None]), lengths, model.front_end.channels)
        with torch.inference_mode():
            logits = model.network(x, lengths).logits
        posteriors.append(logits[0].double().softmax(dim=0).numpy())
    return np.mean(posteriors, axis=0)


def noise(samples: int, seed: int = 0) -> NDArray[np.float32]:
    """Noise whose colour changes, so that windows differ."""
    x = np.random.default_rng(seed).normal(0, 0.1, samples)
    half = samples // 2
    x[half:] = np.cumsum(x[half:]) * 0.05
    return np.clip(x, -1, 1).astype(np.float32)
