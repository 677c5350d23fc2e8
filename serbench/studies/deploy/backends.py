"""Chooses the backends to measure, and says why others are not measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from serbench.api import Backend, PluginError
from serbench.running.registry.lookup import Registry

REFERENCE = "torch"
"""The backend that every other is compared with: PyTorch, eager, fp32."""


@dataclass(frozen=True)
class TriedBackend:
    """A backend of the registry.

    Attributes:
        name: the name of its registry entry.
        unavailable: why it cannot run here; None if it can.
    """

    name: str
    backend: Backend
    unavailable: str | None

    @property
    def precision(self) -> str:
        """Precision of weights and arithmetic."""
        return self.backend.precision

    @property
    def device(self) -> str:
        """``cpu`` or ``cuda``."""
        return self.backend.device


def choose_backends(registry: Registry, named: Iterable[str] = ()) -> tuple[TriedBackend, ...]:
    """Return the reference, then the named backends, or all of the registry if none is named.

    Args:
        registry: the registry that has the backends.
        named: names of backends; one string may have several, separated by commas.

    Raises:
        RegistryError: an unknown name.
        PluginError: a backend that was named, or the reference, cannot run here; the message has
            every reason.
    """
    asked = [name for text in named for name in map(str.strip, text.split(",")) if name]
    names = tuple(dict.fromkeys((REFERENCE, *(asked or registry.backends))))
    candidates = tuple(_candidate(registry, name) for name in names)
    needed = {REFERENCE, *asked}
    missing = [each for each in candidates if each.unavailable and each.name in needed]
    if missing:
        reasons = "; ".join(f"{each.name}: {each.unavailable}" for each in missing)
        raise PluginError(
            f"cannot run here: {reasons}. Leave them out of --backends; without --backends, "
            "serbench measures all that can run and lists the others"
        )
    return candidates


def _candidate(registry: Registry, name: str) -> TriedBackend:
    backend = registry.make("backends", name)
    return TriedBackend(name, backend, backend.unavailable())


def runnable(candidates: Sequence[TriedBackend]) -> tuple[TriedBackend, ...]:
    """The backends that can run here."""
    return tuple(each for each in candidates if each.unavailable is None)
