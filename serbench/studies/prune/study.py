"""``serbench prune``: makes a run's students smaller, and measures the loss of accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serbench.studies.prune.choices import AMOUNTS, Tuning, check_amounts, check_kinds
from serbench.studies.study import Shown, Study, option

if TYPE_CHECKING:
    from serbench.studies.opened import Opened
    from serbench.studies.prune.measure import Pruning

HELP = """Measure how small a run's students can become, and the UA that remains.

Each outer fold's student is pruned, fine-tuned for a few epochs on its own training side, and
scored on its test side: the smallest weights set to 0 (magnitude), or attention heads, or
channels and hidden units removed. Finished work is kept: a stopped command continues.

Examples:

  serbench prune

  serbench prune runs/emodb-akd --kind heads --kind channels --amount 0.5

  serbench prune emodb-akd --method akd --epochs 10 --output small
"""


@dataclass(frozen=True, slots=True)
class PruneParams:
    """Options of ``serbench prune``."""

    method: str | None = option(
        None, "Method whose students are pruned. Default: the run's first.", flag="-m"
    )
    kind: tuple[str, ...] = option(
        (), "magnitude, heads or channels. Repeatable. Default: all that the student allows."
    )
    amount: tuple[float, ...] = option(
        AMOUNTS,
        "Share to prune, 0 … 1. Repeatable. Default: 0.25, 0.5 and 0.75.",
        metavar="SHARE",
    )
    epochs: int = option(5, "Epochs of fine-tuning after the cut.")
    learning_rate: float | None = option(
        None,
        "Learning rate of the fine-tuning. Default: a tenth of the method's own.",
        metavar="RATE",
    )
    seed: tuple[int, ...] = option(
        (), "Students of this seed of the run. Repeatable. Default: the first."
    )

    def __post_init__(self) -> None:
        """
        Raises:
            SerbenchError: a kind is unknown, an amount is outside 0 … 1, there is no epoch, or the
                learning rate is not valid.
        """
        check_kinds(self.kind)
        check_amounts(self.amount)
        Tuning(self.epochs, self.learning_rate)


class PruneStudy(Study[PruneParams, "Pruning"]):
    """A run's students made smaller."""

    name = "prune"
    title = "Pruning"
    help = HELP
    params = PruneParams

    def measure(self, opened: Opened, params: PruneParams) -> Pruning:
        """See ``Study``."""
        from serbench.studies.prune.measure import measure_pruning

        return measure_pruning(
            opened.replay,
            params.method,
            check_kinds(params.kind),
            check_amounts(params.amount),
            Tuning(params.epochs, params.learning_rate),
            params.seed,
            opened.executor,
        )

    def show(self, found: Pruning, params: PruneParams) -> Shown:  # noqa: ARG002 - all is found
        """See ``Study``."""
        from serbench.studies.prune.show import show_pruning

        return show_pruning(found)
