"""The teacher ``placeholder``: its name, its card, and how waveforms are embedded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from serbench.api import Params, Teacher, TeacherCard, TeacherError, TeacherFeatures

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from serbench_placeholder.encoder import Encoder

VERSION = 1
"""Raised whenever the embeddings change, so that cached ones are made again."""


class PlaceholderParams(Params):
    """What the registry can set; this teacher has nothing to set."""


class Placeholder(Teacher):
    """Levels of bands of frequencies: a teacher that was trained on nothing."""

    name = "placeholder"
    Params = PlaceholderParams
    params: PlaceholderParams
    _encoder: Encoder | None = None

    @property
    def card(self) -> TeacherCard:
        """What it is, and which corpora it was trained on: a run on one of them stops."""
        return TeacherCard(
            title="Placeholder",
            licence="of the weights; there are none here",
            home="where the weights come from",
            citation="who published it, and where",
            pretrained_on=(),
        )

    @property
    def model_digest(self) -> str:
        """What names the weights: the digest of their file, or here the version of the code."""
        return f"placeholder:{VERSION}"

    @property
    def frame_rate_hz(self) -> float:
        """Frames in a second."""
        return 50.0

    def load(self, device: torch.device) -> None:
        """Make the encoder, frozen, in evaluation mode.

        An encoder whose weights cannot be had raises a ``TeacherError`` that says how to get them.
        """
        from serbench_placeholder.encoder import Encoder

        self._encoder = Encoder().to(device).eval()

    def embed(self, waveforms: Sequence[Tensor]) -> Sequence[TeacherFeatures]:
        """Embed waveforms, each ``(samples,)`` float32 at 16 kHz."""
        if self._encoder is None:
            raise TeacherError("placeholder is not loaded: call load first")
        return [self._encoder(waveform) for waveform in waveforms]
