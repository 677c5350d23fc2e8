"""Resolves ``protocol.search``: which grid is searched, and by which strategy."""

from __future__ import annotations

from collections.abc import Collection

from serbench.api import RegistryError
from serbench.errors import did_you_mean
from serbench.running.registry.lookup import Registry
from serbench.running.registry.schema import MethodSpec, ProfileSpec
from serbench.settings import SAMPLERS, STRATEGIES, ProtocolSettings


def resolve_search(
    registry: Registry, profile: ProfileSpec, protocol: ProtocolSettings
) -> ProtocolSettings:
    """The protocol's settings, with the grid and the strategy that ``search`` names, such as
    ``small`` or ``halving:small``.

    If ``search`` names only a strategy, it searches the profile's grid.

    Raises:
        RegistryError: an unknown strategy or grid, a strategy without a grid, or ``trials`` without
            a sampler.
    """
    search = protocol.search
    if search in STRATEGIES:
        grid = ProtocolSettings.model_validate(dict(profile.protocol)).grid
        if not grid:
            raise RegistryError(
                f"protocol.search = {search}: the profile has no grid; name one, as in "
                f"{search}:small"
            )
        protocol = protocol.model_copy(update={"search": f"{search}:{grid}"})
    elif search:
        strategy, colon, _ = search.rpartition(":")
        if colon and strategy not in STRATEGIES:
            raise RegistryError(
                f"protocol.search = {search}: no search is called {strategy!r}"
                f"{did_you_mean(strategy, STRATEGIES)}"
            )
    grids = {grid for method in registry.methods.values() for grid in method.grids}
    if protocol.grid and protocol.grid not in grids:
        known = grids if ":" in (search or "") else grids | set(STRATEGIES)
        raise RegistryError(
            f"protocol.search = {search}: no method has a grid called {protocol.grid!r}"
            f"{did_you_mean(protocol.grid, known)}"
        )
    if protocol.trials is not None and protocol.strategy not in SAMPLERS:
        raise RegistryError(
            f"protocol.trials = {protocol.trials}: only {' and '.join(SAMPLERS)} count trials; "
            "set protocol.search to one of them, or leave it out"
        )
    return protocol


def trials_of(
    name: str,
    spec: MethodSpec,
    profile: ProfileSpec,
    protocol: ProtocolSettings,
    candidates: int,
    decided: Collection[str],
) -> int:
    """Number of a method's candidates that a sampler may try; for other strategies, all candidates.

    By default it is the number of candidates of the profile's own grid, so that a larger space
    costs no more.

    Raises:
        RegistryError: the method has no such grid, and ``protocol.trials`` is not set.
    """
    if protocol.strategy not in SAMPLERS or candidates == 1:
        return candidates
    if protocol.trials is not None:
        return min(protocol.trials, candidates)
    own = ProtocolSettings.model_validate(dict(profile.protocol)).grid or ""
    if own not in spec.grids:
        raise RegistryError(
            f"{name} has no grid of this profile, whose size would be the number of trials: "
            "give protocol.trials"
        )
    points = 1
    for path, values in spec.grids[own].items():
        points *= 1 if path in decided else len(values)
    return min(points, candidates)
