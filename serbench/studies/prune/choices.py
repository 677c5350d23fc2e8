"""Options of pruning: kinds of cuts, amounts, and the fine-tuning after a cut."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from serbench.errors import SerbenchError

if TYPE_CHECKING:
    from serbench.settings import MethodSettings

CutKind = Literal["none", "magnitude", "heads", "channels"]
"""``none``: nothing is pruned, but the network is fine-tuned all the same, for comparison."""

KINDS: tuple[CutKind, ...] = ("magnitude", "heads", "channels")

AMOUNTS = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Cut:
    """A way to prune a network.

    Attributes:
        amount: share of the weights, or of the units of each group, to remove; 0 for ``none``.
    """

    kind: CutKind
    amount: float

    @property
    def name(self) -> str:
        """The cut's name, for instance ``heads-0.25``."""
        return self.kind if self.kind == "none" else f"{self.kind}-{self.amount:g}"


UNTOUCHED = Cut("none", 0.0)


def check_amounts(amounts: Iterable[float]) -> tuple[float, ...]:
    """Return each amount once, in ascending order.

    Raises:
        SerbenchError: an amount is not between 0 and 1.
    """
    for amount in amounts:
        if not 0.0 < amount < 1.0:  # also NaN
            raise SerbenchError(
                f"--amount {amount:g}: give the share to prune, a number between 0 and 1, for "
                "instance 0.5"
            )
    return tuple(sorted(set(amounts)))


def check_kinds(kinds: Iterable[str]) -> tuple[CutKind, ...]:
    """Return each kind once, in the order of ``CutKind``.

    Raises:
        SerbenchError: a kind is unknown.
    """
    wanted = set(kinds)
    if unknown := sorted(wanted - set(KINDS)):
        raise SerbenchError(f"--kind {unknown[0]}: unknown kind; choose one of {', '.join(KINDS)}")
    return tuple(kind for kind in KINDS if kind in wanted)


TENTH = 0.1
"""Default learning rate, as a share of the method's own: a trained network needs no more."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """How a pruned student is fine-tuned.

    Attributes:
        epochs: number of epochs over its own outer training side.
        learning_rate: None: a tenth of the method's own.
    """

    epochs: int = 5
    learning_rate: float | None = None

    def __post_init__(self) -> None:
        """
        Raises:
            SerbenchError: ``epochs`` is less than 1, or the learning rate is not valid.
        """
        if self.epochs < 1:
            raise SerbenchError(f"--epochs {self.epochs}: give 1 or more")
        rate = self.learning_rate
        if rate is not None and not (rate > 0.0 and math.isfinite(rate)):
            raise SerbenchError(
                f"--learning-rate {rate:g}: give a number above 0, for instance 0.0001"
            )

    def settings(self, own: MethodSettings) -> MethodSettings:
        """The method's settings with this training, but its own schedule, batches and augmentation.

        The cut student's classifier is trained already, so no linear probe replaces it.
        """
        rate = self.learning_rate or TENTH * own.training.learning_rate
        changes = {
            "epochs": self.epochs, "learning_rate": rate, "early_stopping": False, "probe": False,
        }  # fmt: skip
        return own.model_copy(update={"training": own.training.model_copy(update=changes)})


STANDARD = Tuning()
"""The default."""
