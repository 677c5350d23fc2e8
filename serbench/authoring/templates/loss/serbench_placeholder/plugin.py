"""The entry point ``placeholder`` for serbench."""

from __future__ import annotations

from collections.abc import Sequence

from serbench.api import Loss, hookimpl

from serbench_placeholder.loss import Placeholder

SERBENCH_API = ">=1.0,<2"
"""Versions of the contract that this plugin works with; read before any of its code runs."""


@hookimpl
def serbench_losses() -> Sequence[type[Loss]]:
    """``placeholder``."""
    return [Placeholder]
