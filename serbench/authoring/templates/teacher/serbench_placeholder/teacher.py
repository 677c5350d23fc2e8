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
"""Raise this number whenever the embeddings change, so that cached ones are computed again."""


class PlaceholderParams(Params):
    """Parameters of a registry entry; this teacher has none."""


class Placeholder(Teacher):
    """Levels of frequency bands: a teacher without training."""

    name = "placeholder"
    Params = PlaceholderParams
    params: PlaceholderParams
    _encoder: Encoder | None = None

    @property
    def card(self) -> TeacherCard:
        """Its facts and training corpora: a run on one of these corpora stops."""
        return TeacherCard(
            title="Placeholder",
            licence="the licence of the weights; this teacher has none",
            home="where the weights come from",
            citation="who published the teacher, and where",
            pretrained_on=(),
        )

    @property
    def model_digest(self) -> str:
        """Identifies the weights: the digest of their file, or here the version of the code."""
        return f"placeholder:{VERSION}"

    @property
    def frame_rate_hz(self) -> float:
        """Frames per second."""
        return 50.0

    def load(self, device: torch.device) -> None:
        """Build the encoder, frozen, in evaluation mode.

        If an encoder's weights are not available, raise a ``TeacherError`` that says how to get
        them.
        """
        from serbench_placeholder.encoder import Encoder

        self._encoder = Encoder().to(device).eval()

    def embed(self, waveforms: Sequence[Tensor]) -> Sequence[TeacherFeatures]:
        """Embed waveforms, each ``(samples,)`` float32 at 16 kHz."""
        if self._encoder is None:
            raise TeacherError("placeholder is not loaded: call load first")
        return [self._encoder(waveform) for waveform in waveforms]
