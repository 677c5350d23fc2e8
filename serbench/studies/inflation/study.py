"""``serbench inflation``: the effect of leakage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serbench.studies.study import Shown, Study

if TYPE_CHECKING:
    from serbench.studies.inflation.measure import Inflation
    from serbench.studies.opened import Opened

HELP = """Show how much broken protocols inflate the scores of the same methods.

Give runs of the same command that differ only in --protocol: one speaker-independent run and one
or more leaky ones. No other table combines leaky runs with others. With --output, inflation.md,
.csv, .tex, .html, .png, .pdf and .svg are written, too.

Examples:

  serbench inflation runs/emodb-akd-standard-1a2b3c4d runs/emodb-akd-standard-leaky-random-5e6f7a8b

  serbench inflation PROPER LEAKY-RANDOM LEAKY-NORMALISER --output inflation
"""


@dataclass(frozen=True, slots=True)
class InflationParams:
    """The study has no options."""


class InflationStudy(Study[InflationParams, "Inflation"]):
    """The same methods under the proper protocol and under broken ones."""

    name = "inflation"
    title = "Effect of leakage"
    help = HELP
    params = InflationParams
    several = True
    replays = False

    def measure(self, opened: Opened, params: InflationParams) -> Inflation:  # noqa: ARG002 - none
        """See ``Study``."""
        from serbench.studies.inflation.measure import load_inflation

        return load_inflation(opened.folders)

    def show(self, found: Inflation, params: InflationParams) -> Shown:  # noqa: ARG002 - none
        """See ``Study``."""
        from serbench.studies.inflation.show import show_inflation

        return show_inflation(found)
