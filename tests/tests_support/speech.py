"""A teacher and a front end that other processes can load, and what their passes leave."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from serbench.api import FrontEnd, FrontEndParams, Params, Teacher, TeacherCard, TeacherFeatures
from serbench.data.corpus.table import Speech
from serbench.learning.blocks import Spread, here
from serbench.learning.extract import speech_frames
from serbench.learning.teach.embed import embed_corpus
from serbench.learning.teach.embeddings import TeacherEmbeddings
from tests_support.front_ends import LOG_MEL

CARD = TeacherCard("chunks", "x", "x", "x", ())


class ChunksParams(Params):
    """``mark``: a file; while it is not there, the last batch ends its process by force."""

    mark: Path | None = None


class Chunks(Teacher):
    """Two layers of chunks of 160 samples; pooled are the number of threads and of the process."""

    name: ClassVar[str] = "chunks"
    Params: ClassVar[type[Params]] = ChunksParams
    card = CARD

    def __init__(self, params: ChunksParams | None = None) -> None:
        self.params: Any = params or ChunksParams()
        self.loaded = False

    @property
    def model_digest(self) -> str:
        return "chunks-1"

    @property
    def frame_rate_hz(self) -> float:
        assert self.loaded
        return 100.0

    def load(self, device: torch.device) -> None:
        assert device.type == "cpu"
        self.loaded = True

    def embed(self, waveforms: Sequence[Tensor]) -> Sequence[TeacherFeatures]:
        assert self.loaded
        mark = self.params.mark
        if mark and len(waveforms) == 1 and not mark.exists():
            mark.write_text("killed")
            os.kill(os.getpid(), 9)
        return [self._features(waveform) for waveform in waveforms]

    def _features(self, waveform: Tensor) -> TeacherFeatures:
        frames = waveform[: len(waveform) // 160 * 160].reshape(-1, 160)[:, :3]
        pooled = torch.tensor([[torch.get_num_threads()], [len(waveform)]])
        return TeacherFeatures(pooled.float(), torch.stack([frames, 2 * frames]))


class Halved(FrontEnd):
    """Two numbers of each 160 samples, computed by a model."""

    name = "halved"
    Params = FrontEndParams
    width, framing, half, card, model_digest = 2, None, True, CARD, "halved-1"

    def build(self) -> nn.Module:
        return _Halves()


class _Halves(nn.Module):
    def forward(self, waveforms: Tensor) -> Tensor:
        threads = torch.full((1,), float(torch.get_num_threads()))
        return torch.cat([waveforms.square().mean(-1, keepdim=True), threads])[None, :]


def embed(
    speech: Speech, cache: Path, spread: Spread = here, mark: Path | None = None,
    advance: Callable[[int, int], None] = lambda *_: None,
) -> TeacherEmbeddings:  # fmt: skip
    """A pass of ``Chunks``."""
    teacher = Chunks(ChunksParams(mark=mark))
    return embed_corpus(teacher, "chunks", speech, cache, torch.device("cpu"), advance, spread)


def pass_over(speech: Speech, cache: Path, spread: Spread = here) -> dict[str, bytes]:
    """Files of the cache after passes of a teacher and of front ends with and without a model."""
    embed(speech, cache, spread)
    for front_end in (LOG_MEL, Halved(FrontEndParams())):
        speech_frames(speech, front_end, cache, lambda *_: None, spread)
    return cache_files(cache)


def cache_files(cache: Path) -> dict[str, bytes]:
    """All files of a cache but locks, by their path in it."""
    return {
        str(path.relative_to(cache)): path.read_bytes()
        for path in sorted(cache.rglob("*"))
        if path.is_file() and path.suffix != ".lock"
    }
