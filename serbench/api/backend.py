"""What a backend plugin is: another way to run a trained student."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel
from torch import Tensor, nn

Predictor = Callable[[Tensor, Tensor], Tensor]
"""``predictor(features (N, channels, n_mels, frames), lengths (N,)) -> logits (N, C)``."""


class Backend(Protocol):
    """A deployment backend plugin."""

    name: ClassVar[str]
    Params: ClassVar[type[BaseModel]]
    params: Any

    def __init__(self, params: BaseModel) -> None:
        self.params = params

    def unavailable(self) -> str | None:
        """None where it can run here, else the reason in a few words."""
        return None

    @abstractmethod
    def compile(self, student: nn.Module, features: Tensor, lengths: Tensor) -> Predictor:
        """Make ``student`` ready to run; ``features`` and ``lengths`` are an example batch."""
        ...
