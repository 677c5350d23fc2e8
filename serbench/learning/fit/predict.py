"""Posteriors of utterances from a trained student: windows in, their mean posterior out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from serbench.api import Backend
from serbench.api.fitted import EstimatorNetwork
from serbench.learning.evaluate import utterance_posteriors
from serbench.learning.features import Frames, Normaliser, middle, student_input, window_size
from serbench.learning.fit.task import FloatArray
from serbench.learning.segments import Segment
from serbench.settings import SegmentSettings

WINDOWS_AT_ONCE = 64


@torch.inference_mode()
def predict(
    student: nn.Module,
    normaliser: Normaliser,
    features: Frames,
    segments: Sequence[Segment],
    settings: SegmentSettings,
    backend: Backend,
    device: torch.device,
) -> tuple[tuple[str, ...], FloatArray]:
    """Utterance ids in order of appearance and their posteriors ``(U, C)`` float32."""
    if isinstance(student, EstimatorNetwork):
        features = replace(features, whole=True)
    ids = tuple(dict.fromkeys(segment.utt_id for segment in segments))
    place = {utterance: n for n, utterance in enumerate(ids)}
    reader = features.evaluation(ids).place(device)
    rows = torch.tensor([place[segment.utt_id] for segment in segments], device=device)
    # No window is longer than the longest utterance: padding costs time and memory.
    size = min(window_size(features, settings), int(reader.count.max()))
    first = torch.tensor(
        [round(segment.t_start_s * features.rate_hz) for segment in segments], device=device
    )
    first = torch.minimum(first, reader.count[rows] - 1)
    if settings.cut == "centre":
        first = middle(reader.count[rows], size)
    student.eval()
    predictor = None
    posteriors = []
    for start in range(0, len(segments), WINDOWS_AT_ONCE):
        chosen = slice(start, start + WINDOWS_AT_ONCE)
        frames, lengths = reader.windows(rows[chosen], first[chosen], size)
        x = student_input(normaliser(frames.float()), lengths, features.channels)
        if predictor is None:
            predictor = backend.compile(student, x, lengths)
        posteriors.append(predictor(x, lengths).float().softmax(dim=-1).cpu().numpy())
    mean = utterance_posteriors(np.concatenate(posteriors), rows.cpu().numpy(), len(ids))
    return ids, mean.astype(np.float32)
