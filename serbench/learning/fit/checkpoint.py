"""Checkpoints: a training that was stopped continues after its last saved epoch, bit by bit the
same.
"""

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
"""No checkpoint is written after an epoch that ends sooner than this after the last one."""


class Stateful(Protocol):
    """An object whose state can be saved and restored."""

    def state_dict(self) -> Mapping[str, Any]:
        """The state, made of tensors and plain values."""
        ...

    def load_state_dict(self, state: Any, /) -> object:
        """Restore a state."""
        ...


class Checkpoint:
    """Everything that the next epoch depends on: weights, optimiser, schedule, all generators.

    Args:
        path: a file of the cache; None: nothing is saved or restored.
        training: the training that is saved, and restored by ``resume``.
        generator: draws windows and masks.
        more: other objects that are saved, by name.
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
        """Restore the last checkpoint, if there is one; returns the records of its epochs."""
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
        """Save the state and the epochs' records, unless the last save was less than ``EVERY_S``
        ago.

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
    except Exception as error:  # an unpickler can raise anything
        raise DamageError(str(error).splitlines()[0]) from error
