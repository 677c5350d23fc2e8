"""What a suite says of a run: its methods, what is left out, and what was published of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from serbench.running.registry.schema import ClaimSpec
from serbench.running.registry.validate import Values


@dataclass(frozen=True, slots=True)
class Suite:
    """The suite that a run's methods are of.

    Attributes:
        name: in the registry.
        left_out: methods of the suite that are not run, and why.
        claims: on this dataset, of the methods that are run and of those that are left out.
        notes: what a reader of the claims must know.
    """

    name: str
    summary: str
    methods: tuple[str, ...]
    left_out: Mapping[str, str]
    claims: tuple[ClaimSpec, ...]
    notes: tuple[str, ...]

    def describe(self) -> Values:
        """As JSON."""
        claims = [claim.model_dump(mode="json") for claim in self.claims]
        return {**asdict(replace(self, claims=())), "claims": claims}
