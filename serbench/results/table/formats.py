"""Formats of values: as text for people, as numbers for the CSV."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar

NOTHING = "–"
"""Shown if there is no value."""

Tone = Literal["", "better", "worse", "unclear"]
"""The meaning by which a cell is coloured."""

V = TypeVar("V")


class Interval(Protocol):
    """A value with its 95 % interval."""

    @property
    def value(self) -> float:
        """The value."""
        ...

    @property
    def low(self) -> float:
        """Lower end of the interval."""
        ...

    @property
    def high(self) -> float:
        """Upper end of the interval."""
        ...


class MeanAndDeviation(Protocol):
    """A mean, and the standard deviation, which a single value does not have."""

    @property
    def mean(self) -> float:
        """The mean."""
        ...

    @property
    def sd(self) -> float | None:
        """The deviation."""
        ...


def percent(value: float) -> str:
    """A share as per cent with one decimal."""
    return f"{100 * value:.1f}"


def signed(value: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    text = f"{100 * value:+.1f}".replace("-", "−")
    return "0.0" if text in ("+0.0", "−0.0") else text


def p_value(p: float) -> str:
    """Text of a p, for instance ``0.031``, ``0.24``, ``< 0.001``."""
    if p < 0.001:
        return "< 0.001"
    return f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def bounds_text(found: Interval, show: Callable[[float], str] = percent) -> str:
    """The interval as text, for instance ``[68.1, 77.2]``."""
    return f"[{show(found.low)}, {show(found.high)}]"


def interval_text(found: Interval) -> str:
    """A score, for instance ``73.0 [68.1, 77.2]``."""
    return SCORE.whole(found)


def difference_text(found: Interval) -> str:
    """A difference in percentage points, for instance ``+1.2 [−0.3, +2.7]``."""
    return DIFFERENCE.whole(found)


def spread_text(spread: MeanAndDeviation) -> str:
    """For instance ``72.4 ± 4.0``; for a single fold, only its score."""
    mean = percent(spread.mean)
    return mean if spread.sd is None else f"{mean} ± {percent(spread.sd)}"


def parameter_count(parameters: tuple[int, int]) -> str:
    """For instance ``0.39 M``; below a thousand the number itself, ``623``; a range if folds chose
    students of different sizes.
    """
    if max(parameters) < 1000:
        low, high = map(str, parameters)
        return low if low == high else f"{low}–{high}"
    low, high = (f"{count / 1e6:.3g}" for count in parameters)
    return f"{low} M" if low == high else f"{low}–{high} M"


def _nothing(_: object) -> str:
    return ""


def _alone(value: object) -> tuple[object, ...]:
    return (value,)


def _no_tone(_: object) -> Tone:
    return ""


def _no_shade(_: object) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Format(Generic[V]):
    """The format of one kind of values, in text and in the CSV.

    Attributes:
        text: text of a value, such as ``73.0``.
        detail: an addition such as ``[68.1, 77.2]``: in the same line of a file, in smaller print
            on a page, in its own line on the console.
        numbers: numbers of a value for the CSV; as many as ``suffixes``.
        suffixes: suffixes of the CSV's columns, added to the name of the column.
        right: whether values are aligned to the right, as numbers are.
        tone: the colour of a value.
        code: whether the text is set as code.
        shade: how dark a value's cell is on pages, 0 … 1; None: not shaded.
    """

    text: Callable[[V], str]
    detail: Callable[[V], str] = _nothing
    numbers: Callable[[V], tuple[object, ...]] = _alone
    suffixes: tuple[str, ...] = ("",)
    right: bool = True
    tone: Callable[[V], Tone] = _no_tone
    code: bool = False
    shade: Callable[[V], float | None] = _no_shade

    def whole(self, value: V) -> str:
        """Text and detail in one line."""
        return f"{self.text(value)} {self.detail(value)}".rstrip()


def number(spec: str, factor: float = 1.0) -> Format[float]:
    """Format of numbers, multiplied by ``factor``, with a ``spec`` of Python's ``format``."""

    def text(value: float) -> str:
        written = format(factor * value, spec)
        return f"−{written[1:]}" if written.startswith("-") else written

    return Format(text)


def ranged(show: Callable[[float], str]) -> Format[Interval]:
    """Format of values with their intervals, with every number as ``show`` returns it."""
    return Format(
        text=lambda found: show(found.value),
        detail=lambda found: bounds_text(found, show),
        numbers=lambda found: (found.value, found.low, found.high),
        suffixes=("", "_low", "_high"),
    )


def _verdict_tone(verdict: str) -> Tone:
    tones: dict[str, Tone] = {
        "significantly better": "better",
        "significantly worse": "worse",
        "no significant difference": "unclear",
    }
    return tones.get(verdict, "")


TEXT: Format[str] = Format(str, right=False)
PLAIN: Format[object] = Format(str)
CODE: Format[str] = Format(str, right=False, code=True)
COUNT: Format[int] = Format(str)
PERCENT: Format[float] = Format(percent)
POINTS: Format[float] = Format(signed)
P_VALUE: Format[float] = Format(p_value)
VERDICT: Format[str] = Format(str, right=False, tone=_verdict_tone)
SCORE = ranged(percent)
DIFFERENCE = ranged(signed)
SPREAD: Format[MeanAndDeviation] = Format(
    spread_text, numbers=lambda spread: (spread.mean, spread.sd), suffixes=("_mean", "_sd")
)
PARAMETERS: Format[tuple[int, int]] = Format(
    parameter_count, numbers=lambda pair: pair, suffixes=("_min", "_max")
)
