"""A long training that was stopped goes on after its last epoch, with the same bits."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch

from serbench.files.kept import DamageError, kept_bytes, read_kept, write_kept
from serbench.learning.fit.optimise import Optimisation

EVERY_S = 60.0
"""Epochs that end sooner after the last checkpoint are not written down."""


class Stateful(Protocol):
    """What can be written down and set again."""

    def state_dict(self) -> Mapping[str, Any]:
        """Its state, of tensors and plain values."""
        ...

    def load_state_dict(self, state: Any, /) -> object:
        """Take over a state."""
        ...


class Checkpoint:
    """All that the next epoch depends on: weights, optimiser, schedule, and every generator.

    Args:
        path: a file of the cache; None: nothing is written, and nothing is found.
        training: is read, and set by ``resume``.
        generator: draws windows and masks.
        more: what else is kept, by name.
    """

    def __init__(
        self,
        path: Path | None,
        training: Optimisation,
        generator: torch.Generator,
        more: Mapping[str, Stateful] | None = None,
    ) -> None:
        self.path = path
        self.training = training
        self.generator = generator
        self._written = time.monotonic()
        self._parts: dict[str, Stateful] = {
            "student": training.student,
            "loss": training.loss,
            "optimizer": training.optimizer,
            "schedule": training.schedule,
            **(more or {}),
        }

    def resume(self) -> list[dict[str, Any]]:
        """Go on from what was written, if anything was; what was noted of each epoch until then."""
        if self.path is None:
            return []
        state = read_kept(self.path, _read, "checkpoint")
        if state is None:
            return []
        for name, part in self._parts.items():
            part.load_state_dict(state[name])
        self.generator.set_state(state["generator"])
        torch.set_rng_state(state["cpu"])
        if self.training.device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda"], self.training.device)
        return state["history"]

    def save(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Write down how it stands, unless that was done a moment ago.

        Raises:
            StoreError: the file cannot be written.
        """
        if self.path is None or time.monotonic() - self._written < EVERY_S:
            return
        state: dict[str, object] = {name: part.state_dict() for name, part in self._parts.items()}
        state |= {
            "generator": self.generator.get_state(),
            "cpu": torch.get_rng_state(),
            "history": list(history),
        }
        if self.training.device.type == "cuda":
            state["cuda"] = torch.cuda.get_rng_state(self.training.device)
        content = io.BytesIO()
        torch.save(state, content)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_kept(self.path, content.getbuffer())
        self._written = time.monotonic()


def _read(path: Path) -> dict[str, Any]:
    content = kept_bytes(path)
    try:
        return torch.load(io.BytesIO(content), weights_only=True)
    except Exception as error:  # whatever an unpickler raises
        raise DamageError(str(error).splitlines()[0]) from error
