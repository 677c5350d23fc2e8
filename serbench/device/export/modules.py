"""A trained student with everything around it, as torch modules."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from serbench.api import RegistryError
from serbench.device.export.frontend import FrontEnd
from serbench.device.windows import WindowPlan
from serbench.learning.features import LOG_FLOOR, LogMel, Normaliser, student_input


class _Normalised(nn.Module):
    """A student and its normaliser."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, student: nn.Module, normaliser: Normaliser) -> None:
        super().__init__()
        self.student = student
        self.register_buffer("mean", normaliser.mean.clone())
        self.register_buffer("deviation", normaliser.deviation.clone())

    def _normalise(self, frames: Tensor) -> Tensor:
        return (frames - self.mean) / self.deviation

    def _posteriors(self, x: Tensor, lengths: Tensor) -> Tensor:
        return self.student(x, lengths).logits.float().softmax(dim=-1)


class Core(_Normalised):
    """Frames in, posteriors out: normalised, with deltas, through the student."""

    def forward(self, frames: Tensor) -> Tensor:
        """``(W, frames, n_mels)``, all of them real, to posteriors ``(W, C)``."""
        lengths = torch.full((frames.shape[0],), frames.shape[1], device=frames.device)
        return self._posteriors(channels(self._normalise(frames)), lengths)


class WaveformModel(_Normalised):
    """``(N, samples)`` at 16 kHz to mean posteriors ``(N, C)``, as a run computes them.

    The front end is torchaudio's, whose FFT is what PyTorch is fastest with.
    """

    def __init__(self, student: nn.Module, normaliser: Normaliser, plan: WindowPlan) -> None:
        super().__init__(student, normaliser)
        self.mel = LogMel(plan.features).transform
        self.plan = plan

    def forward(self, waveforms: Tensor) -> Tensor:
        """See the class."""
        frames = torch.log(self.mel(waveforms) + LOG_FLOOR).transpose(1, 2)
        if self.plan.features.normalise == "utterance":
            frames = frames - frames.mean(dim=1, keepdim=True)
        first = self.plan.first_frames(waveforms.shape[1])
        size = min(self.plan.size, frames.shape[1])
        cut = torch.stack([frames[:, start : start + size] for start in first], dim=1)
        windows = cut.flatten(0, 1)
        lengths = torch.full((len(windows),), size, device=windows.device)
        posteriors = self._posteriors(student_input(self._normalise(windows), lengths), lengths)
        return posteriors.unflatten(0, (-1, len(first))).mean(dim=1)


class WindowModel(_Normalised):
    """``(W, samples)`` and real frames ``(W,)`` to posteriors ``(W, C)``, for fixed shapes.

    Raises:
        RegistryError: a front end that needs a whole utterance.
    """

    def __init__(self, student: nn.Module, normaliser: Normaliser, plan: WindowPlan) -> None:
        super().__init__(student, normaliser)
        if plan.features.normalise == "utterance":
            raise RegistryError(
                'features.normalise = "utterance" takes a mean over the whole utterance, so its '
                "windows cannot be run one by one, as runtimes with fixed shapes do"
            )
        self.frontend = FrontEnd(plan.features)

    def forward(self, windows: Tensor, lengths: Tensor) -> Tensor:
        """See the class; audio beyond the real frames is not heard."""
        frames = self._normalise(self.frontend.frames(windows))
        at = torch.arange(frames.shape[1], device=lengths.device)[None, :]
        last = (lengths - 1)[:, None]
        places = torch.minimum(at, last)[..., None].expand(-1, -1, frames.shape[2])
        return self._posteriors(channels(frames.gather(1, places), lengths), lengths)


def channels(frames: Tensor, lengths: Tensor | None = None) -> Tensor:
    """``features.student_input`` without writing in place, which costs exported graphs dearly.

    Args:
        frames: ``(W, frames, n_mels)``, normalised, the last real frame repeated to the end.
        lengths: ``(W,)`` real frames; None: all.

    Returns:
        ``(W, 3, n_mels, frames)``: static, Δ and ΔΔ, 0 beyond the real frames.
    """
    first = _slope(frames)
    if lengths is None:
        second = _slope(first)
        return torch.stack([frames, 3.0 * first, 6.0 * second], dim=1).transpose(2, 3)
    at = torch.arange(frames.shape[1], device=lengths.device)[None, :]
    places = torch.minimum(at, (lengths - 1)[:, None])[..., None].expand_as(frames)
    second = _slope(first.gather(1, places))
    x = torch.stack([frames, 3.0 * first, 6.0 * second], dim=1).transpose(2, 3)
    return x * (at < lengths[:, None])[:, None, None, :].to(x.dtype)


def _slope(x: Tensor) -> Tensor:
    """``(W, frames, n_mels)``: regression slope over five frames, ends repeated."""
    padded = torch.cat([x[:, :1], x[:, :1], x, x[:, -1:], x[:, -1:]], dim=1)
    return 0.2 * (padded[:, 4:] - padded[:, :-4]) + 0.1 * (padded[:, 3:-1] - padded[:, 1:-3])
