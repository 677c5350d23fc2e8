"""Whether an exported graph gives the same posteriors as the student in PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from serbench.api import SAMPLE_RATE_HZ
from serbench.device.export.deployed import Trained
from serbench.learning.fit.predict import predict
from serbench.learning.segments import Cutting, Segment, segment_utterance
from serbench.running.replay.run import Replay
from serbench_runtime import load
from serbench_runtime.audio.read import read_waveform

PARITY = 1e-4
"""Greatest difference of a posterior that is allowed for the exported fp32 graph."""


@dataclass(frozen=True, slots=True)
class Parity:
    """A comparison of an exported model with the student in PyTorch.

    Attributes:
        utterances: number of utterances that were compared.
        greatest: greatest difference of a posterior.
        worst: the utterance with this difference.
        changed: number of utterances whose most likely class differs.
    """

    utterances: int
    greatest: float
    worst: str
    changed: int

    @property
    def holds(self) -> bool:
        """Whether both are the same model, except for differences of arithmetic."""
        return self.greatest <= PARITY


def check_parity(replay: Replay, trained: Trained, path: Path) -> Parity:
    """Compare an exported model with the student in PyTorch on every utterance of the corpus.

    No label is read.

    Raises:
        CorpusError: an audio file can no longer be read.
        ModelError: the exported model cannot be loaded.
    """
    model = load(path)
    table = replay.table
    heard: list[NDArray[np.float32]] = []
    segments: list[Segment] = []
    cutting = Cutting.of(trained.segments, trained.front_end.framing)
    advance = partial(replay.watch.advance, "parity")
    for number, utterance in enumerate(table.utterances, start=1):
        waveform = read_waveform(utterance.path)
        heard.append(model.posteriors(waveform[None])[0])
        duration_s = len(waveform) / SAMPLE_RATE_HZ
        segments += segment_utterance(utterance, cutting.bounds(duration_s))
        advance(number, len(table.utterances))
    network = trained.network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    ids, expected = predict(
        network, trained.normaliser, replay.frames(trained.front_end), segments, trained.segments,
        replay.stored.backend(), torch.device("cpu"),
    )  # fmt: skip
    found = np.stack(heard)
    gaps = np.abs(found - expected).max(axis=1)
    changed = found.argmax(axis=1) != expected.argmax(axis=1)
    worst = int(gaps.argmax())
    return Parity(len(ids), float(gaps[worst]), ids[worst], int(changed.sum()))
