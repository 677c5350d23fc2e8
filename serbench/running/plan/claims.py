"""A suite's part in a run: its methods, those left out, and their published figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from serbench.running.registry.schema import ClaimSpec
from serbench.running.registry.validate import Values


@dataclass(frozen=True, slots=True)
class Suite:
    """The suite of a run's methods.

    Attributes:
        name: its name in the registry.
        left_out: methods of the suite that are not run, and why.
        claims: published figures on this dataset, for methods that are run and for those left out.
        notes: remarks that readers of the claims need.
    """

    name: str
    summary: str
    methods: tuple[str, ...]
    left_out: Mapping[str, str]
    claims: tuple[ClaimSpec, ...]
    notes: tuple[str, ...]

    def describe(self) -> Values:
        """The suite as JSON."""
        claims = [claim.model_dump(mode="json") for claim in self.claims]
        return {**asdict(replace(self, claims=())), "claims": claims}
