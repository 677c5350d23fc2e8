"""The loss ``focal`` (Lin et al., ICCV 2017): cross-entropy that looks away from easy examples."""

from __future__ import annotations

from pydantic import NonNegativeFloat
from torch import nn

from serbench.api import Batch, Loss, LossShape, LossTerms, Params, StudentOutput


class FocalParams(Params):
    """How far it looks away."""

    gamma: NonNegativeFloat = 2.0


class Focal(Loss):
    """Focal loss, from labels alone."""

    name = "focal"
    Params = FocalParams
    params: FocalParams

    def build(self, shape: LossShape) -> nn.Module:
        """It has no parameters of its own."""
        del shape
        return _Focal(self.params.gamma)


class _Focal(nn.Module):
    def __init__(self, gamma: float) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, batch: Batch, output: StudentOutput) -> LossTerms:
        log_posterior = output.logits.log_softmax(dim=1)
        log_true = log_posterior.gather(1, batch.labels[:, None]).squeeze(1)  # (N,)
        focal = (-((1 - log_true.exp()) ** self.gamma) * log_true).mean()
        return {"focal": focal, "total": focal}
