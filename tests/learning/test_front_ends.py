"""How the core keeps what a front end gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tests_support.front_ends import LOG_MEL, front_end
from tests_support.tables import noise_table
from torch import Tensor, nn

from serbench.api import Framing, FrontEnd, FrontEndParams, StudentShape, TeacherCard
from serbench.learning.extract import speech_frames
from serbench.learning.features import middle, window_size
from serbench.learning.front_ends import Extractor, frames_of, shape_of
from serbench.settings import SegmentSettings


def noise(samples: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(0, 0.1, samples).astype(np.float32)


class Level(nn.Module):
    """Mean and mean square of an utterance."""

    def forward(self, waveforms: Tensor) -> Tensor:
        return torch.stack([waveforms.mean(-1), waveforms.square().mean(-1)], dim=-1)[..., None, :]


class Levels(FrontEnd):
    """Two numbers of a whole utterance, in float16."""

    name = "levels"
    Params = FrontEndParams
    width, framing, half = 2, None, True
    weights = ""

    @property
    def card(self) -> TeacherCard | None:
        return TeacherCard("t", "l", "h", "c") if self.weights else None

    @property
    def model_digest(self) -> str:
        return self.weights

    def build(self) -> nn.Module:
        return Level()


@pytest.mark.parametrize("name", ["log-mel", "whisper"])
def test_utterance_normalisation_takes_each_values_mean_off(name: str) -> None:
    frames = Extractor(front_end(name, normalise="utterance"))(noise(8000))
    np.testing.assert_allclose(frames.mean(axis=0), 0.0, atol=1e-5)
    plain = Extractor(front_end(name))(noise(8000))
    np.testing.assert_allclose(frames, plain - plain.mean(axis=0), atol=1e-5)


def test_one_row_of_an_utterance_is_one_window_of_half_precision(tmp_path) -> None:
    table = noise_table(tmp_path / "corpus", speakers=2, utterances=2)
    levels = Levels(FrontEndParams())
    frames = speech_frames(table, levels, tmp_path / "cache", lambda *_: None)
    assert frames.values.dtype == np.float16
    assert frames.values.shape == (len(table.ids), 2)
    assert (frames.count == 1).all()
    assert frames.whole
    assert window_size(frames, SegmentSettings()) == 1
    assert shape_of(levels, 7) == StudentShape(7, 1, 2, rows=True)
    assert frames_of(levels, 3.0) == 1


class Threads(Level):
    """How many threads compute an utterance."""

    def forward(self, waveforms: Tensor) -> Tensor:
        return waveforms.new_full((len(waveforms), 1, 2), torch.get_num_threads())


class Counted(Levels):
    def build(self) -> nn.Module:
        return Threads()


@pytest.mark.parametrize("weights", ["", "w"])
def test_one_thread_computes_an_utterance(weights: str, tmp_path: Path) -> None:
    """A Fourier transform's last digits depend on how many do."""
    counted = Counted(FrontEndParams())
    counted.weights = weights
    table = noise_table(tmp_path / "noise", speakers=2, utterances=2)
    torch.set_num_threads(2)
    try:
        frames = speech_frames(table, counted, tmp_path / "cache", lambda *_: None)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    assert np.unique(frames.values).tolist() == [1.0]


def test_what_a_partition_or_deltas_change_is_not_computed_again(tmp_path) -> None:
    table = noise_table(tmp_path / "corpus", speakers=2, utterances=1)

    def digest(heard: FrontEnd) -> str:
        return speech_frames(table, heard, tmp_path / "cache", lambda *_: None).digest

    base = digest(LOG_MEL)
    assert digest(front_end(deltas=False)) == digest(front_end(normalise="none")) == base
    assert digest(front_end(normalise="utterance")) != base
    assert digest(front_end(n_mels=20)) != base
    one = Levels(FrontEndParams())
    other = type("Other", (Levels,), {"weights": "0" * 8})(FrontEndParams())
    assert digest(one) != digest(other)


def test_frames_of_a_window() -> None:
    assert frames_of(LOG_MEL, 3.0) == 300
    fixed = type("Fixed", (Levels,), {"framing": Framing(400, 160, length=32_000)})
    assert frames_of(fixed(FrontEndParams()), 3.0) == 201


def test_the_middle() -> None:
    assert middle(torch.tensor([1, 10, 11, 12]), 10).tolist() == [0, 0, 0, 1]
