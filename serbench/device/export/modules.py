"""Torch modules of a trained student with its normaliser, front end and windows."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from serbench.api import SAMPLE_RATE_HZ, FrontEnd, RegistryError
from serbench.device.windows import WHOLE, WindowPlan
from serbench.learning.features import Normaliser, student_input
from serbench.learning.front_ends import whole_module


def no_windows(front_end: FrontEnd, plan: WindowPlan) -> str:
    """Why windows cannot be processed one by one, in one line; empty: they can."""
    if front_end.params.normalise == "utterance":
        return (
            'front_end.normalise = "utterance" takes a mean over the whole utterance, so its '
            "windows cannot be run one by one, as runtimes with fixed shapes need"
        )
    return f"front end {front_end.name} {WHOLE}" if plan.whole else ""


def check_exportable(front_end: FrontEnd, plan: WindowPlan) -> None:
    """
    Raises:
        RegistryError: the front end cannot be exported, or windows would be cut from frames of
            audio at another rate than 16 kHz.
    """
    if reason := front_end.not_exported:
        raise RegistryError(f"front end {front_end.name} cannot be exported: {reason}")
    framing = plan.framing
    if framing is not None and not plan.whole and framing.rate_hz != SAMPLE_RATE_HZ:
        raise RegistryError(
            f"front end {front_end.name} cannot be exported: it resamples to {framing.rate_hz} Hz"
        )


class _Normalised(nn.Module):
    """A student with its normaliser and the channels of its input."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, student: nn.Module, normaliser: Normaliser, front_end: FrontEnd) -> None:
        super().__init__()
        self.student = student
        self.channels = front_end.channels
        self.raw = front_end.params.normalise == "none"
        self.register_buffer("mean", normaliser.mean.clone())
        self.register_buffer("deviation", normaliser.deviation.clone())

    def _normalise(self, frames: Tensor) -> Tensor:
        return frames if self.raw else (frames - self.mean) / self.deviation

    def _posteriors(self, x: Tensor, lengths: Tensor) -> Tensor:
        return self.student(x, lengths).logits.float().softmax(dim=-1)


class Core(_Normalised):
    """Computes posteriors from frames: normalises them, adds deltas if needed, applies the
    student.
    """

    def forward(self, frames: Tensor) -> Tensor:
        """Compute posteriors ``(W, C)`` from ``(W, frames, d)``; all frames are real."""
        number, size = frames.shape[:2]
        # The type is given because PyTorch 2.8 exports a size without a type as a float.
        lengths = torch.full((number,), size, dtype=torch.int64, device=frames.device)
        return self._posteriors(channels(self._normalise(frames), self.channels), lengths)


class WaveformModel(_Normalised):
    """Computes mean posteriors ``(N, C)`` from ``(N, samples)`` at 16 kHz, as a run does.

    The front end is that of training, because its FFT is fastest in PyTorch.
    """

    def __init__(
        self, student: nn.Module, normaliser: Normaliser, front_end: FrontEnd, plan: WindowPlan
    ) -> None:
        super().__init__(student, normaliser, front_end)
        self.front_end = whole_module(front_end, front_end.build())
        self.plan = plan

    def forward(self, waveforms: Tensor) -> Tensor:
        """See the class."""
        frames = self.front_end(waveforms)
        first = self.plan.first_frames(waveforms.shape[1])
        size = min(self.plan.size, frames.shape[1])
        cut = torch.stack([frames[:, start : start + size] for start in first], dim=1)
        windows = cut.flatten(0, 1)
        lengths = torch.full((len(windows),), size, device=windows.device)
        x = student_input(self._normalise(windows), lengths, self.channels)
        posteriors = self._posteriors(x, lengths)
        return posteriors.unflatten(0, (-1, len(first))).mean(dim=1)


class WindowModel(_Normalised):
    """Computes posteriors ``(W, C)`` from ``(W, samples)`` and numbers of real frames ``(W,)``.

    All shapes are fixed.

    Raises:
        RegistryError: the front end needs a whole utterance.
    """

    def __init__(
        self, student: nn.Module, normaliser: Normaliser, front_end: FrontEnd, plan: WindowPlan
    ) -> None:
        super().__init__(student, normaliser, front_end)
        if reason := no_windows(front_end, plan):
            raise RegistryError(reason)
        check_exportable(front_end, plan)
        self.frontend = front_end.exported()

    def forward(self, windows: Tensor, lengths: Tensor) -> Tensor:
        """See the class; audio after the real frames is ignored."""
        frames = self._normalise(self.frontend.frames(windows))  # pyright: ignore[reportCallIssue]
        at = torch.arange(frames.shape[1], device=lengths.device)[None, :]
        last = (lengths - 1)[:, None]
        places = torch.minimum(at, last)[..., None].expand(-1, -1, frames.shape[2])
        x = channels(frames.gather(1, places), self.channels, lengths)
        return self._posteriors(x, lengths)


def channels(frames: Tensor, count: int, lengths: Tensor | None = None) -> Tensor:
    """``features.student_input`` without writing in place, which is slow in exported graphs.

    Args:
        frames: ``(W, frames, d)``, normalised, the last real frame repeated to the end.
        count: number of channels, 3 or 1.
        lengths: ``(W,)``, numbers of real frames; None: all are real.

    Returns:
        ``(W, count, d, frames)``: static, Δ and ΔΔ, or only static; 0 after the real frames.
    """
    if count == 1:
        if lengths is not None:
            return student_input(frames, lengths, 1)
        return frames.transpose(1, 2)[:, None]
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
    """Regression slope over five frames of ``(W, frames, d)``, with the ends repeated."""
    padded = torch.cat([x[:, :1], x[:, :1], x, x[:, -1:], x[:, -1:]], dim=1)
    return 0.2 * (padded[:, 4:] - padded[:, :-4]) + 0.1 * (padded[:, 3:-1] - padded[:, 1:-3])
