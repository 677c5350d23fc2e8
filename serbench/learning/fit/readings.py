"""A loss's readings for each training utterance, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


class Readings:
    """Collects the per-segment values that a loss module keeps in ``readings``; see ``api.Loss``.

    Args:
        utterances: N of the training partition.
        epochs: number of epochs of the fit.
    """

    def __init__(self, utterances: int, epochs: int) -> None:
        self._shape = (epochs, utterances)
        self._values: dict[str, Tensor] = {}
        self._epochs = 0

    def take(self, loss: nn.Module, epoch: int, rows: Tensor) -> None:
        """Collect the readings of ``loss`` for its last batch.

        Args:
            loss: module that a loss plugin has built.
            epoch: number of the epoch, from 1.
            rows: ``(B,)``, the batch's utterances.
        """
        self._epochs = epoch
        for name, value in getattr(loss, "readings", {}).items():
            if name not in self._values:
                empty = torch.full((*self._shape, *value.shape[1:]), torch.nan)
                self._values[name] = empty.to(value.device)
            self._values[name][epoch - 1, rows] = value.detach().float()

    def state_dict(self) -> Mapping[str, Any]:
        """See ``checkpoint.Stateful``."""
        return {"values": self._values, "epochs": self._epochs}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See ``checkpoint.Stateful``."""
        self._values, self._epochs = dict(state["values"]), state["epochs"]

    def arrays(self) -> Mapping[str, NDArray[np.float32]]:
        """``(E, N)`` or ``(E, N, k)`` by name, NaN if an utterance did not occur in an epoch."""
        return {name: value[: self._epochs].cpu().numpy() for name, value in self._values.items()}
