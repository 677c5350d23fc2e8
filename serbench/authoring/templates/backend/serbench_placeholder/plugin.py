"""The entry point ``placeholder`` for serbench."""

from __future__ import annotations

from collections.abc import Sequence

from serbench.api import Backend, hookimpl

from serbench_placeholder.backend import Placeholder

SERBENCH_API = ">=1.0,<2"
"""Versions of the contract that this plugin works with; read before any of its code runs."""


@hookimpl
def serbench_backends() -> Sequence[type[Backend]]:
    """``placeholder``."""
    return [Placeholder]
