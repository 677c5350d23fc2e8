"""The figure of an explanation: γ, β, other readings, weights, and where the gate closes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from serbench.results.figure.figure import (
    Axis,
    Bar,
    BarGroup,
    Bars,
    Counted,
    Figure,
    Histogram,
    Key,
    Line,
    Lines,
    Panel,
    ReferenceLine,
)
from serbench.results.figure.palette import NEUTRAL, Style, style_of
from serbench.results.table.columns import Column, make_table
from serbench.results.table.formats import number, percent
from serbench.results.table.table import Table
from serbench.studies.explain.cases import MEAN, part_of, tally
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
from serbench.studies.explain.statements import title

RIGHT, WRONG = style_of(0), style_of(1)
ALL, TEACHER_RIGHT, TEACHER_WRONG = "all cases", "teacher right", "teacher wrong"

SYMBOLS = {
    GAMMA: ("γ", "γ = 1 − teacher's posterior of the true class"),
    BETA: ("β", "β, weight of the task term"),
}
"""How readings are called in titles and along axes."""

BINS = 20

FLAT = 0.01
"""If γ or β differ by less than this, the number is given and nothing is drawn."""

EPOCH = Axis("Epoch", whole=True)

QUARTILES: list[Column[tuple[float, ...]]] = [
    Column("Epoch", lambda row: row[0], number(".0f")),
    Column("Lower", lambda row: row[1], number(".3f")),
    Column("Middle", lambda row: row[2], number(".3f")),
    Column("Upper", lambda row: row[3], number(".3f")),
]


def explanation_figure(found: Explanation) -> Figure:
    """A panel for each reading of one number, then panels for the gate and for the weights."""
    names = sorted(found.fits[0].scalars, key=lambda name: (name != GAMMA, name != BETA, name))
    flat = {name: said for name in names if (said := _flat(found, name))}
    panels = [
        _distribution(found, n) if is_fixed(found.fits, n) else _curve(found, n)
        for n in names
        if n not in flat
    ]
    if found.has(WEIGHTS) and len(found.teachers) > 1:
        panels.append(_weights(found))
    if found.has(RELIABLE) and not is_fixed(found.fits, RELIABLE):
        panels.append(_gate(found))
    if found.has(RELIABLE) or found.has(POSTERIOR):
        panels.append(_by_class(found))
    if not panels:
        panels = [_curve(found, name) for name in names]
    return Figure(
        name="explain",
        caption=title(found),
        panels=tuple(panels),
        legend=tuple(_legend(found, panels)),
        notes=(*flat.values(), "A case is one training utterance in one refit."),
        numbers=_numbers(panels),
    )


def _flat(found: Explanation, name: str) -> str:
    """γ or β as a sentence with its number, if it hardly changes over epochs and is the same for
    cases in which the teacher is wrong. Otherwise empty. It is also empty for other readings,
    because their scale is not known.
    """
    if name not in SYMBOLS:
        return ""
    symbol = SYMBOLS[name][0]
    if is_fixed(found.fits, name):
        values = found.cases[MEAN + name].to_numpy(dtype=np.float64)
        values = values[np.isfinite(values)]
        same = values.size and np.ptp(values) < FLAT
        return f"{symbol} is {values.mean():.3g} for all cases, in every epoch." if same else ""
    _, quartiles = quartiles_by_epoch(found.fits, name)
    drawn = [quartiles]
    if "wrong" in found.cases:
        drawn.append(quartiles_by_epoch(found.fits, name, chosen=_wrong(found))[1])
    if np.ptp(np.vstack(drawn), axis=0).max() >= FLAT:
        return ""
    low, middle, high = quartiles.mean(axis=0)
    return (
        f"{symbol} hardly changes over training: median {middle:.3g}, quartiles {low:.3g} to "
        f"{high:.3g}."
    )


def _legend(found: Explanation, panels: list[Panel]) -> Iterator[Key]:
    """Keys that all panels share, and a key for each teacher."""
    if any(isinstance(panel.plot, Lines) for panel in panels):
        yield Key(ALL, NEUTRAL, "line")
    if found.has(POSTERIOR):
        yield Key(TEACHER_RIGHT, RIGHT, "bar")
        yield Key(TEACHER_WRONG, WRONG, "bar")
    if found.has(WEIGHTS) and len(found.teachers) > 1:
        yield from (
            Key(teacher, _style(place), "line") for place, teacher in enumerate(found.teachers)
        )


def _style(teacher: int) -> Style:
    """The style of a teacher, which differs from those of right and wrong answers."""
    return style_of(2 + teacher)


def _distribution(found: Explanation, name: str) -> Panel:
    """The panel of a reading that is the same in all epochs: how often it has which value."""
    symbol, along = SYMBOLS.get(name, (name, name))
    values = found.cases[MEAN + name].to_numpy(dtype=np.float64)
    there = np.isfinite(values)
    groups = {ALL: (there, NEUTRAL)}
    if "wrong" in found.cases:
        wrong = found.cases["wrong"].to_numpy(dtype=bool)
        groups = {TEACHER_RIGHT: (there & ~wrong, RIGHT), TEACHER_WRONG: (there & wrong, WRONG)}
    low, high = (0.0, 1.0) if name in SYMBOLS else (values[there].min(), values[there].max())
    edges = np.linspace(low, high if high > low else low + 1.0, BINS + 1)
    counted = tuple(
        Counted(text, style, tuple(np.histogram(values[chosen], edges)[0].tolist()))
        for text, (chosen, style) in groups.items()
    )
    return Panel(
        Histogram(tuple(edges.tolist()), counted, Axis(along), Axis("Cases (log scale)", log=True)),
        f"{symbol} does not change over epochs: its distribution",
        ", ".join(f"{text}: {np.count_nonzero(of)} cases" for text, (of, _) in groups.items())
        + ".",
    )


def _curve(found: Explanation, name: str) -> Panel:
    """The panel of a reading over epochs: median and quartiles over all cases, and over those in
    which the teacher is wrong.
    """
    symbol, along = SYMBOLS.get(name, (name, name))
    lines = [_band(ALL, NEUTRAL, *quartiles_by_epoch(found.fits, name))]
    if "wrong" in found.cases:
        epochs, quartiles = quartiles_by_epoch(found.fits, name, chosen=_wrong(found))
        if epochs.size:
            lines.append(_band(TEACHER_WRONG, WRONG, epochs, quartiles))
    middle = lines[0].middle
    return Panel(
        Lines(tuple(lines), EPOCH, Axis(along, 0, 1) if name in SYMBOLS else Axis(along)),
        f"{symbol} over training: median and quartiles over cases",
        f"Median of all cases from {middle[0]:.3g} to {middle[-1]:.3g}.",
    )


def _wrong(found: Explanation) -> list[NDArray[np.bool_]]:
    """Masks ``(N,)``, one for each fit: on which of its utterances the teacher is wrong."""
    wrong = found.cases.loc[found.cases["wrong"]]
    held = set(zip(wrong["fold"], wrong["seed"], wrong["utterance"], strict=True))
    return [
        np.array([(fit.fold, fit.seed, each) in held for each in fit.ids]) for fit in found.fits
    ]


def _band(
    text: str,
    style: Style,
    epochs: NDArray[np.int64],
    quartiles: NDArray[np.float64],
    mean: NDArray[np.float64] | None = None,
) -> Line:
    """A line of the median, or of ``mean``, with a band from ``quartiles (E, 3)``."""
    return Line(
        text=text,
        style=style,
        x=tuple(epochs.astype(float).tolist()),
        middle=tuple((quartiles[:, 1] if mean is None else mean).tolist()),
        low=tuple(quartiles[:, 0].tolist()),
        high=tuple(quartiles[:, 2].tolist()),
    )


def _weights(found: Explanation) -> Panel:
    """Each teacher's weight over epochs."""
    lines = tuple(
        _band(
            teacher,
            _style(place),
            *quartiles_by_epoch(found.fits, WEIGHTS, place),
            mean=_means(found, place),
        )
        for place, teacher in enumerate(found.teachers)
    )
    equal = ReferenceLine(1 / len(found.teachers), "equal weights")
    plot = Lines(lines, EPOCH, Axis("Weight w", 0, 1), (equal,))
    heading = "Weight of each teacher over training: mean and quartiles"
    return Panel(plot, heading, plot.described)


def _means(found: Explanation, teacher: int) -> NDArray[np.float64]:
    """Mean weight of a teacher in each epoch that any utterance came up in."""
    sums: dict[int, NDArray[np.float64]] = {}
    for fit in found.fits:
        for epoch, values in zip(
            fit.epochs.tolist(), fit.arrays[WEIGHTS][..., teacher], strict=True
        ):
            there = values[np.isfinite(values)]
            own = np.array([there.sum(dtype=np.float64), there.size])
            sums[epoch] = sums.get(epoch, np.zeros(2)) + own
    return np.array([sums[e][0] / sums[e][1] for e in sorted(sums) if sums[e][1]])


def _gate(found: Explanation) -> Panel:
    """The share of cases on which the gate closes, over epochs."""
    shares: dict[int, list[float]] = {}
    for fit in found.fits:
        for epoch, row in zip(fit.epochs.tolist(), fit.arrays[RELIABLE], strict=True):
            there = row[np.isfinite(row)]
            if there.size:
                shares.setdefault(epoch, []).append(100 * float((there <= 0.5).mean()))
    epochs = sorted(shares)
    line = Line(
        text="gate closed",
        style=NEUTRAL,
        x=tuple(map(float, epochs)),
        middle=tuple(float(np.mean(shares[each])) for each in epochs),
        low=tuple(min(shares[each]) for each in epochs),
        high=tuple(max(shares[each]) for each in epochs),
    )
    first, last = (percent(line.middle[place] / 100) for place in (0, -1))
    return Panel(
        Lines((line,), EPOCH, Axis("Cases with the gate closed, in %")),
        "The gate over training: mean, and lowest to highest refit",
        f"Mean over {len(found.fits)} refits from {first} % to {last} %.",
    )


def _by_class(found: Explanation) -> Panel:
    """The share of each class's cases in which the gate closes, separately for wrong and right
    answers. For a loss without a gate: the share in which the teacher is wrong.
    """
    gate, known = found.has(RELIABLE), found.has(POSTERIOR)
    groups = []
    for label in found.labels:
        counts = tally(part_of(found.cases, "label", label))
        if not counts.cases:
            continue
        parts = {"gate closed": (counts.closed, NEUTRAL)}
        if known:
            parts = {TEACHER_WRONG: (counts.closed_wrong if gate else counts.wrong, WRONG)}
            if gate:
                parts["teacher right, but uncertain"] = (counts.closed_right, RIGHT)
        bars = tuple(Bar(text, 100 * n / counts.cases, style) for text, (n, style) in parts.items())
        total = sum(n for n, _ in parts.values())
        groups.append(BarGroup(label, bars, f"{total} of {counts.cases}"))
    what = "the gate closed" if gate else "a wrong teacher"
    return Panel(
        Bars(tuple(groups), Axis(f"Cases with {what}, in % of the class's")),
        f"Where the {'gate closes' if gate else 'teacher is wrong'}, by true class",
        "; ".join(f"{group.label} {group.said}" for group in groups) + ".",
    )


def _numbers(panels: list[Panel]) -> Table | None:
    """The numbers that are drawn over epochs; all others are in tables."""
    rows = {
        f"{panel.heading}: {line.text}": list(
            zip(line.x, line.low, line.middle, line.high, strict=True)
        )
        for panel in panels
        if isinstance(panel.plot, Lines)
        for line in panel.plot.lines
    }
    return make_table("numbers", "Over training", QUARTILES, rows) if rows else None
