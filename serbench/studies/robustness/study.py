"""``serbench robustness``: a run's students and teachers in noise, in rooms, over a telephone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serbench.studies.robustness.conditions import choose_conditions
from serbench.studies.study import Shown, Study, option

if TYPE_CHECKING:
    from serbench.studies.opened import Opened
    from serbench.studies.robustness.measure import Robustness

HELP = """Measure UA of a run's students and teachers in noise, at other levels and in rooms.

The conditions are white, pink and babble noise at 20 to 0 dB SNR, gain, an 8 kHz band, and rooms.
Nothing is trained again, and the scores must not be used to choose anything. Finished work is kept:
a stopped command continues.

Examples:

  serbench robustness

  serbench robustness runs/emodb-akd --condition babble --condition room

  serbench robustness emodb-akd --condition white@10 --method akd --output noise
"""


@dataclass(frozen=True, slots=True)
class RobustnessParams:
    """Options of ``serbench robustness``."""

    condition: tuple[str, ...] = option(
        (), "Only this condition: white, babble@10, gain, 8khz, room, …. Repeatable. Default: all."
    )
    method: tuple[str, ...] = option(
        (), ("Score only this method's students. Repeatable."), flag="-m"
    )

    def __post_init__(self) -> None:
        """
        Raises:
            SerbenchError: a condition is unknown.
        """
        choose_conditions(self.condition)


class RobustnessStudy(Study[RobustnessParams, "Robustness"]):
    """Noise, level, band and rooms."""

    name = "robustness"
    title = "Noise, level, band and rooms"
    help = HELP
    params = RobustnessParams

    def measure(self, opened: Opened, params: RobustnessParams) -> Robustness:
        """See ``Study``."""
        from serbench.studies.robustness.measure import measure_robustness

        conditions = choose_conditions(params.condition)
        return measure_robustness(opened.replay, conditions, params.method, opened.executor)

    def show(self, found: Robustness, params: RobustnessParams) -> Shown:  # noqa: ARG002 - all is found
        """See ``Study``."""
        from serbench.studies.robustness.show import show_robustness

        return show_robustness(found)
