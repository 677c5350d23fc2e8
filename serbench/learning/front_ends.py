"""How the core runs a front end plugin."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from serbench.api import FrontEnd, StudentShape
from serbench.files.source import package_digest

if TYPE_CHECKING:
    from jaxtyping import Float, Float32


class Extractor:
    """Runs a front end on NumPy arrays, and gives frames as the cache stores them."""

    def __init__(self, front_end: FrontEnd) -> None:
        self.module = whole_module(front_end, front_end.build())
        self.half = front_end.half

    @torch.inference_mode()
    def __call__(
        self, waveform: Float32[NDArray[np.float32], " samples"]
    ) -> Float[NDArray[np.floating], "frames d"]:
        """Frames of a waveform at 16 kHz."""
        frames = self.module(torch.from_numpy(waveform)).contiguous()
        return (frames.half() if self.half else frames).numpy()


class Centred(nn.Module):
    """A module whose output is another module's, minus the utterance's mean of each value."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, waveforms: Float[Tensor, "*N samples"]) -> Float[Tensor, "*N frames d"]:
        """See the class."""
        frames = self.module(waveforms)
        return frames - frames.mean(dim=-2, keepdim=True)


def whole_module(front_end: FrontEnd, module: nn.Module) -> nn.Module:
    """A front end's ``module`` for whole utterances, centred if ``normalise`` is "utterance"."""
    return Centred(module) if front_end.params.normalise == "utterance" else module


def shape_of(front_end: FrontEnd, num_classes: int) -> StudentShape:
    """The shape of a student whose input comes from this front end."""
    rows = front_end.framing is None
    return StudentShape(num_classes, front_end.channels, front_end.width, rows)


def frames_of(front_end: FrontEnd, duration_s: float) -> int:
    """Frames of a window of so many seconds; all frames if the front end reads whole utterances."""
    framing = front_end.framing
    if framing is None:
        return 1
    return framing.frames(1) if framing.length else round(duration_s / framing.hop_s)


def identity_of(front_end: FrontEnd) -> dict[str, object]:
    """Everything that determines a front end's frames; deltas and normalisation over a partition
    are applied later.
    """
    params = front_end.params.model_dump(mode="json")
    own = {key: value for key, value in params.items() if key not in {"normalise", "deltas"}}
    return {
        "name": front_end.name,
        "params": own,
        "centred": front_end.params.normalise == "utterance",
        "model": front_end.model_digest,
        "code": package_digest(type(front_end)),
        "torch": torch.__version__,
        **({"transformers": version("transformers")} if front_end.card else {}),
    }
