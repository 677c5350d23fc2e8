"""The figure of an explanation: γ, β, other readings, weights, and where the gate closes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from serbench.results.report.figures import CHANCE_COLOUR, LEAKY_COLOUR
from serbench.results.report.marks import warning_lines
from serbench.studies.explain.cases import MEAN, Tally, part_of, tally
from serbench.studies.explain.load import Explanation
from serbench.studies.explain.readings import (
    BETA,
    GAMMA,
    POSTERIOR,
    RELIABLE,
    WEIGHTS,
    is_fixed,
    quartiles_by_epoch,
)
from serbench.studies.explain.tables import title

RIGHT, WRONG, NEUTRAL = "#0072B2", "#D55E00", "#555555"
TEACHERS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's palette, told apart by colour-blind readers."""

LINES = ("-", "--", ":", "-.")

SYMBOLS = {
    GAMMA: ("γ", "γ = 1 − teacher's posterior of the true class"),
    BETA: ("β", "β, weight of the task term"),
}
"""Of a reading, in titles and along its axis."""

BINS = 20

Panel = Callable[[Axes], None]


def explanation_figure(explanation: Explanation) -> Figure:
    """Panels for what the readings hold, two in a row."""
    panels = _panels(explanation)
    rows = -(-len(panels) // 2)
    figure = Figure(figsize=(11.0, 1.1 + 3.7 * rows), layout="constrained")
    grid = figure.add_gridspec(rows, 2)
    for number, panel in enumerate(panels):
        row, column = divmod(number, 2)
        alone = number == len(panels) - 1 and column == 0
        axes = figure.add_subplot(grid[row, :] if alone else grid[row, column])
        panel(axes)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_axisbelow(True)
    certificate = explanation.run.certificate
    figure.suptitle(
        fill(title(explanation), 90),
        fontsize=13,
        color=LEAKY_COLOUR if certificate.leaky else "black",
    )
    foot = ("A case is one training utterance in one refit.", *warning_lines([certificate]))
    lines = [fill(line, 150) for line in foot]
    figure.supxlabel("\n".join(lines), fontsize=8.5, color=CHANCE_COLOUR)
    return figure


def _panels(explanation: Explanation) -> list[Panel]:
    panels: list[Panel] = []
    for name in sorted(explanation.fits[0].scalars, key=lambda n: (n != GAMMA, n != BETA, n)):
        draw = _histogram if is_fixed(explanation.fits, name) else _curve
        panels.append(lambda axes, draw=draw, name=name: draw(axes, explanation, name))
    if explanation.has(WEIGHTS) and len(explanation.teachers) > 1:
        panels.append(lambda axes: _weights(axes, explanation))
    if explanation.has(RELIABLE):
        panels.append(lambda axes: _closed(axes, explanation))
    elif explanation.has(POSTERIOR):
        panels.append(lambda axes: _wrong(axes, explanation))
    return panels


def _symbol(name: str) -> tuple[str, str]:
    return SYMBOLS.get(name, (name, name))


def _histogram(axes: Axes, explanation: Explanation, name: str) -> None:
    """A reading that no epoch changes: its distribution over cases."""
    symbol, along = _symbol(name)
    cases = explanation.cases
    values = cases[MEAN + name].to_numpy(dtype=np.float64)
    there = np.isfinite(values)
    low, high = (0.0, 1.0) if name in SYMBOLS else (values[there].min(), values[there].max())
    edges = np.linspace(low, high if high > low else low + 1.0, BINS + 1)
    width = edges[1] - edges[0]
    groups = {"all": (values[there], NEUTRAL)}
    if "wrong" in cases:
        wrong = cases["wrong"].to_numpy(dtype=bool)
        groups = {
            "teacher right": (values[there & ~wrong], RIGHT),
            "teacher wrong": (values[there & wrong], WRONG),
        }
    for place, (group, (part, colour)) in enumerate(groups.items()):
        heights, _ = np.histogram(part, edges)
        axes.bar(
            edges[:-1] + place * width / len(groups),
            heights,
            0.92 * width / len(groups),
            align="edge",
            color=colour,
            label=f"{group} ({len(part)} cases)",
        )
    axes.set_yscale("log")
    axes.set_ylim(bottom=0.7)
    axes.set_xlim(edges[0], edges[-1])
    axes.yaxis.set_major_formatter("{x:.0f}")
    axes.grid(axis="y", color="#e5e5e5", linewidth=0.8)
    axes.set_xlabel(along)
    axes.set_ylabel("Cases (log scale)")
    axes.set_title(f"{symbol} does not change over epochs: its distribution", loc="left")
    axes.legend(frameon=False, fontsize=9)


def _curve(axes: Axes, explanation: Explanation, name: str) -> None:
    """A reading over epochs: median and quartiles over cases, of all and where the teacher errs."""
    symbol, along = _symbol(name)
    _band(axes, *quartiles_by_epoch(explanation.fits, name), NEUTRAL, "-", "all cases")
    if "wrong" in explanation.cases:
        drawn = quartiles_by_epoch(explanation.fits, name, chosen=_wrong_of_fits(explanation))
        if drawn[0].size:
            _band(axes, *drawn, WRONG, "--", "teacher wrong")
        axes.legend(frameon=False, fontsize=9)
    if name in SYMBOLS:
        axes.set_ylim(-0.02, 1.02)
    axes.set_ylabel(along)
    axes.set_title(f"{symbol} over training: median and quartiles over cases", loc="left")


def _wrong_of_fits(explanation: Explanation) -> list[NDArray[np.bool_]]:
    """``(N,)`` for each fit: on which of its utterances the teacher is wrong."""
    wrong = explanation.cases.loc[explanation.cases["wrong"]]
    held = set(zip(wrong["fold"], wrong["seed"], wrong["utterance"], strict=True))
    return [
        np.array([(fit.fold, fit.seed, each) in held for each in fit.ids])
        for fit in explanation.fits
    ]


def _weights(axes: Axes, explanation: Explanation) -> None:
    """Each teacher's weight over epochs."""
    equal = 1 / len(explanation.teachers)
    axes.axhline(equal, color=CHANCE_COLOUR, linestyle=(0, (1, 3)), label="equal weights")
    for index, teacher in enumerate(explanation.teachers):
        colour, line = TEACHERS[index % len(TEACHERS)], LINES[index % len(LINES)]
        epochs, quartiles = quartiles_by_epoch(explanation.fits, WEIGHTS, index)
        _band(axes, epochs, quartiles, colour, line, teacher, mean=_means(explanation, index))
    axes.set_ylim(bottom=0.0)
    axes.set_ylabel("Weight w")
    axes.set_title("Weight of each teacher over training: mean and quartiles", loc="left")
    axes.legend(frameon=False, fontsize=9)


def _means(explanation: Explanation, index: int) -> NDArray[np.float64]:
    """Mean weight of a teacher in each epoch that any utterance came up in."""
    sums: dict[int, NDArray[np.float64]] = {}
    for fit in explanation.fits:
        for epoch, values in zip(fit.epochs.tolist(), fit.arrays[WEIGHTS][..., index], strict=True):
            there = values[np.isfinite(values)]
            own = np.array([there.sum(dtype=np.float64), there.size])
            sums[epoch] = sums.get(epoch, np.zeros(2)) + own
    return np.array([sums[e][0] / sums[e][1] for e in sorted(sums) if sums[e][1]])


def _band(
    axes: Axes,
    epochs: NDArray[np.int64],
    quartiles: NDArray[np.float64],
    colour: str,
    line: str,
    label: str,
    mean: NDArray[np.float64] | None = None,
) -> None:
    middle = quartiles[:, 1] if mean is None else mean
    marker = "o" if len(epochs) < 12 else ""
    axes.plot(epochs, middle, line, marker=marker, markersize=4, color=colour, label=label)
    axes.fill_between(epochs, quartiles[:, 0], quartiles[:, 2], color=colour, alpha=0.18, lw=0)
    axes.set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(color="#e5e5e5", linewidth=0.8)
    axes.set_xlabel("Epoch")


def _closed(axes: Axes, explanation: Explanation) -> None:
    """The share of each class's cases in which the gate closes, wrong answers and right ones."""
    counts = _by_class(explanation)
    closed = [n.closed for n in counts.values()]
    if explanation.has(POSTERIOR):
        wrong = [n.closed_wrong for n in counts.values()]
        _bars(axes, counts, wrong, color=WRONG, label="teacher wrong")
        right = [n.closed_right for n in counts.values()]
        _bars(axes, counts, right, wrong, color=RIGHT, label="teacher right, but unsure")
    else:
        _bars(axes, counts, closed, color=NEUTRAL)
    _label_bars(axes, counts, closed)
    if explanation.has(POSTERIOR):
        axes.set_ylim(len(counts) + 0.3, -0.6)  # a row for the legend
        axes.legend(frameon=False, fontsize=9, ncols=2, loc="lower right", borderaxespad=0.1)
    axes.set_xlabel("Cases with the gate closed, in % of the class's")
    axes.set_title("Where the gate closes, by true class", loc="left")


def _wrong(axes: Axes, explanation: Explanation) -> None:
    """The share of each class's cases in which the teacher is wrong, of a loss without a gate."""
    counts = _by_class(explanation)
    wrong = [n.wrong for n in counts.values()]
    _bars(axes, counts, wrong, color=WRONG)
    _label_bars(axes, counts, wrong)
    axes.set_xlabel("Cases with a wrong teacher, in % of the class's")
    axes.set_title("Where the teacher is wrong, by true class", loc="left")


def _by_class(explanation: Explanation) -> dict[str, Tally]:
    cases = explanation.cases
    parts = {label: tally(part_of(cases, "label", label)) for label in explanation.labels}
    return {label: counts for label, counts in parts.items() if counts.cases}


def _bars(
    axes: Axes,
    counts: Mapping[str, Tally],
    part: Sequence[int],
    left: Sequence[int] | None = None,
    **style: Any,
) -> None:
    cases = np.array([n.cases for n in counts.values()])
    start = 100 * np.array(left) / cases if left else 0.0
    axes.barh(range(len(counts)), 100 * np.array(part) / cases, left=start, **style)


def _label_bars(axes: Axes, counts: Mapping[str, Tally], part: Sequence[int]) -> None:
    longest = 0.0
    for place, (number, n) in enumerate(zip(part, counts.values(), strict=True)):
        end = 100 * number / n.cases
        longest = max(longest, end)
        axes.annotate(
            f"{number} of {n.cases}",
            (end, place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
        )
    axes.set_yticks(range(len(counts)), list(counts))
    axes.set_ylim(len(counts) - 0.4, -0.6)
    axes.set_xlim(0, max(1.0, 1.3 * longest))
    axes.grid(axis="x", color="#e5e5e5", linewidth=0.8)
