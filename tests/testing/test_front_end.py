"""The contract of front ends finds what breaks it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from serbench.api import Framing, FrontEnd, FrontEndParams, Params
from serbench.testing import check_front_end

FRAMING = Framing(window=320, hop=320, centred=False)


class Blocks(nn.Module):
    def forward(self, waveforms: Tensor) -> Tensor:
        filled = nn.functional.pad(waveforms, (0, -waveforms.shape[-1] % 320))
        return filled.unflatten(-1, (-1, 320)).square().mean(-1, keepdim=True)

    def frames(self, windows: Tensor) -> Tensor:
        return self(windows)


class Energy(FrontEnd):
    name = "energy"
    Params = FrontEndParams

    @property
    def width(self) -> int:
        return 1

    @property
    def framing(self) -> Framing | None:
        return FRAMING

    def build(self) -> nn.Module:
        return Blocks()

    def exported(self) -> nn.Module:
        return Blocks()


class Middle(nn.Module):
    """Of half a second, or zeros around less."""

    def forward(self, waveforms: Tensor) -> Tensor:
        more = 8000 - waveforms.shape[-1]
        return Blocks()(nn.functional.pad(waveforms, (more // 2, more - more // 2)))


class OfOneLength(Energy):
    length_s = 0.5  # pyright: ignore[reportIncompatibleMethodOverride, reportAssignmentType]
    not_exported = "it takes the middle"  # pyright: ignore[reportIncompatibleMethodOverride, reportAssignmentType]

    @property
    def framing(self) -> Framing:
        return Framing(window=320, hop=320, centred=False, length=8000)

    def build(self) -> nn.Module:
        return Middle()


class OneTooMany(Blocks):
    def forward(self, waveforms: Tensor) -> Tensor:
        return nn.functional.pad(super().forward(waveforms), (0, 0, 0, 1))


class Relative(Blocks):
    """By the loudest of the batch."""

    def forward(self, waveforms: Tensor) -> Tensor:
        frames = super().forward(waveforms)
        return frames / frames.max().clamp_min(1e-9)


class Logarithm(Blocks):
    def forward(self, waveforms: Tensor) -> Tensor:
        return super().forward(waveforms).log()


class Drawn(Blocks):
    def forward(self, waveforms: Tensor) -> Tensor:
        return super().forward(waveforms) + torch.rand(())


class Louder(Blocks):
    def forward(self, waveforms: Tensor) -> Tensor:
        return super().forward(2 * waveforms)


class Late(Blocks):
    def frames(self, windows: Tensor) -> Tensor:
        return self(windows.roll(320, dims=-1))


class OtherParams(Params):
    pass


def test_one_that_keeps_it_passes() -> None:
    assert check_front_end(Energy) is None
    assert check_front_end(OfOneLength) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"build": lambda self: OneTooMany()}, r"must give \(1, 1\), not \(2, 1\)"),
        ({"build": lambda self: Relative()}, "a batch must give the same frames"),
        ({"build": lambda self: Logarithm()}, "must be finite"),
        ({"build": lambda self: Drawn()}, "the same frames each time"),
        ({"exported": lambda self: Louder()}, "exported, 1600 samples give other frames"),
        ({"exported": lambda self: Late()}, r"frames\(windows\) must give the same"),
        ({"framing": None}, r"must give \(1, 1\), not \(5, 1\)"),
        ({"length_s": 0.5}, "framing.length must be set if and only if length_s is set"),
        ({"gain": [1.0, 2.0]}, "gain must be None, 'scale' or 1 numbers"),
        ({"model_digest": "abc"}, "model_digest must be empty if and only if card is None"),
        ({"Params": OtherParams}, "must be a subclass of serbench.api.FrontEndParams"),
        ({"__eq__": lambda self, other: self is other}, "two instances with the same parameters"),
    ],
)
def test_one_that_does_not_is_told(change: dict[str, object], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_front_end(type("Changed", (Energy,), change))
