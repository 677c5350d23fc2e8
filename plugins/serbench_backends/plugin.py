"""Deployment backends, as the entry point ``backends``."""

from __future__ import annotations

from collections.abc import Sequence

from serbench.api import Backend, hookimpl
from serbench_backends.torch import TorchBackend


@hookimpl
def serbench_backends() -> Sequence[type[Backend]]:
    """PyTorch in eager mode."""
    return [TorchBackend]
