"""Teacher weights, γ, β and the gate over training, where a method's loss recorded them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from serbench.api import StoreError
from serbench.results.pages.charts.bars import Bar, BarGroup, bars
from serbench.results.pages.charts.chart import Chart, Key, Panel
from serbench.results.pages.charts.lines import Axis, Line, lines
from serbench.results.pages.charts.svg import Scale, Style, style_of
from serbench.results.pages.series import Method, numbers_table
from serbench.results.report.results import Results
from serbench.results.report.tables import Section, Table, percent
from serbench.running.store.run import RunStore
from serbench.studies.explain.cases import part_of, tally
from serbench.studies.explain.load import Explanation, load_explanation
from serbench.studies.explain.readings import (
    BETA,
    GAMMA,
    POSTERIOR,
    RELIABLE,
    WEIGHTS,
    is_fixed,
    quartiles_by_epoch,
)
from serbench.studies.explain.tables import explanation_tables, statements

SYMBOLS = {GAMMA: "γ, doubt: 1 − teacher's posterior of the true class", BETA: "β, weight of task"}
UNIT = Scale(0, 1)
LISTED = 10
"""Utterances that the gate closes on most, that are listed."""

RIGHT, WRONG = Style(1, "circle"), Style(2, "diamond", "6 3")


@dataclass(frozen=True, slots=True)
class Trust:
    """How far a method trusts its teachers.

    Attributes:
        problem: why there is nothing to show; then there is nothing else.
    """

    method: Method
    statements: tuple[str, ...] = ()
    charts: tuple[Chart, ...] = ()
    tables: tuple[Table, ...] = ()
    problem: str = ""


def trusts(results: Results, methods: Sequence[Method]) -> tuple[Trust, ...]:
    """One for each method that has readings."""
    found = []
    for method in methods:
        info = results.methods[method.result.method]
        name = info.plan.get("name")
        if name is None:
            continue
        folder = RunStore(info.folder).readings_path(name, 1, 0).parent
        if any(folder.glob("*.npz")):
            found.append(_trust(method, info.folder, name))
    return tuple(found)


def _trust(method: Method, folder: Path, name: str) -> Trust:
    try:
        explanation = load_explanation(folder, name)
    except StoreError as error:
        return Trust(method, problem=str(error))
    charts = [_gate(explanation, method)] if explanation.has(RELIABLE) else []
    charts += _over_epochs(explanation, method)
    if len(explanation.teachers) > 1 and explanation.has(WEIGHTS):
        charts.append(_weights(explanation, method))
    return Trust(
        method,
        tuple(statements(explanation)),
        tuple(charts),
        explanation_tables(explanation, LISTED),
    )


def _over_epochs(explanation: Explanation, method: Method) -> list[Chart]:
    """Median and quartiles of each reading of one number, a panel for each."""
    names = sorted(explanation.fits[0].scalars, key=lambda n: (n != GAMMA, n != BETA, n))
    if not names:
        return []
    panels, sections = [], []
    for name in names:
        shown = SYMBOLS.get(name, name)
        epochs, quartiles = quartiles_by_epoch(explanation.fits, name)
        line = _band(shown, style_of(0), epochs, quartiles)
        svg = lines(
            f"reading-{method.slug}-{name}",
            f"{shown} of {method.name} over training",
            f"Median from {line.middle[0]:.3g} to {line.middle[-1]:.3g}, with quartiles.",
            [line],
            Axis("Epoch"),
            Axis(shown.partition(",")[0], UNIT if name in SYMBOLS else None),
        )
        still = "; fixed over epochs" if is_fixed(explanation.fits, name) else ""
        panels.append(Panel(svg, f"{shown}{still}"))
        rows = tuple(
            (str(epoch), *(f"{each:.3f}" for each in row))
            for epoch, row in zip(epochs, quartiles, strict=True)
        )
        sections.append(Section(rows, shown))
    caption = f"What {method.name} read of its training utterances: median and quartiles"
    return [
        Chart(
            name=f"readings-{method.slug}",
            caption=caption,
            panels=tuple(panels),
            numbers=numbers_table(
                f"readings-{method.slug}-numbers",
                f"{caption}, as numbers",
                ("Epoch", "Lower quartile", "Median", "Upper quartile"),
                sections,
            ),
        )
    ]


def _band(
    text: str,
    style: Style,
    epochs: NDArray[np.int64],
    quartiles: NDArray[np.float64],
) -> Line:
    """Median and quartiles ``(E, 3)``."""
    return Line(
        text=text,
        style=style,
        x=tuple(map(float, epochs)),
        middle=tuple(map(float, quartiles[:, 1])),
        low=tuple(map(float, quartiles[:, 0])),
        high=tuple(map(float, quartiles[:, 2])),
    )


def _weights(explanation: Explanation, method: Method) -> Chart:
    """Each teacher's weight over epochs."""
    drawn = [
        _band(teacher, style_of(index), epochs, quartiles)
        for index, teacher in enumerate(explanation.teachers)
        for epochs, quartiles in (quartiles_by_epoch(explanation.fits, WEIGHTS, index),)
    ]
    caption = f"Weight of each teacher of {method.name} over training: median and quartiles"
    svg = lines(
        f"weights-{method.slug}",
        caption,
        "; ".join(f"{e.text} from {e.middle[0]:.2f} to {e.middle[-1]:.2f}" for e in drawn) + ".",
        drawn,
        Axis("Epoch"),
        Axis("w", UNIT),
    )
    sections = [
        Section(
            tuple(
                (f"{x:.0f}", f"{low:.3f}", f"{middle:.3f}", f"{high:.3f}")
                for x, low, middle, high in zip(
                    each.x, each.low, each.middle, each.high, strict=True
                )
            ),
            each.text,
        )
        for each in drawn
    ]
    return Chart(
        name=f"weights-{method.slug}-chart",
        caption=caption,
        panels=(Panel(svg),),
        numbers=numbers_table(
            f"weights-{method.slug}-numbers",
            f"{caption}, as numbers",
            ("Epoch", "Lower quartile", "Median", "Upper quartile"),
            sections,
        ),
        legend=tuple(Key(each.text, each.style, kind="line") for each in drawn),
        notes=(f"Equal weights would be {1 / len(explanation.teachers):.2f}.",),
        wide=True,
    )


def _gate(explanation: Explanation, method: Method) -> Chart:
    """The share of cases that the gate closes on: over epochs, and by class."""
    panels = [_gate_over_epochs(explanation, method)]
    known = explanation.has(POSTERIOR)
    groups, rows = [], []
    for label in explanation.labels:
        counts = tally(part_of(explanation.cases, "label", label))
        if not counts.cases:
            continue
        right, wrong = (
            100 * each / counts.cases for each in (counts.closed_right, counts.closed_wrong)
        )
        if known:
            parts = (Bar("teacher right", right, RIGHT), Bar("teacher wrong", wrong, WRONG))
        else:
            parts = (Bar("closed", right + wrong, RIGHT),)
        groups.append(BarGroup(label, parts))
        cells = (str(counts.cases), f"{right + wrong:.1f}", f"{right:.1f}", f"{wrong:.1f}")
        rows.append((label, *(cells if known else cells[:2])))
    title = f"Share of cases of each class that the gate of {method.name} closes on"
    svg = bars(
        f"gate-{method.slug}-classes",
        title,
        "; ".join(f"{g.label} {sum(p.value for p in g.parts):.1f} %" for g in groups) + ".",
        groups,
        "Gate closed, in % of the class's cases",
    )
    panels.append(Panel(svg, "By class"))
    caption = f"Where the gate of {method.name} closes, in % of training cases"
    columns = ("Class", "Cases", "Closed", "Teacher right", "Teacher wrong")
    return Chart(
        name=f"gate-{method.slug}",
        caption=caption,
        panels=tuple(panels),
        numbers=numbers_table(
            f"gate-{method.slug}-numbers",
            f"{caption}, as numbers",
            columns if known else columns[:3],
            [Section(tuple(rows))],
        ),
        legend=(Key("teacher right", RIGHT, "bar"), Key("teacher wrong", WRONG, "bar"))
        if known
        else (),
        notes=("A case is one training utterance in one refit.",),
    )


def _gate_over_epochs(explanation: Explanation, method: Method) -> Panel:
    by_epoch: dict[int, list[float]] = {}
    for fit in explanation.fits:
        for epoch, row in zip(fit.epochs.tolist(), fit.arrays[RELIABLE], strict=True):
            there = row[np.isfinite(row)]
            if there.size:
                by_epoch.setdefault(epoch, []).append(100 * float((there <= 0.5).mean()))
    epochs = sorted(by_epoch)
    line = Line(
        text="gate closed",
        style=style_of(0),
        x=tuple(map(float, epochs)),
        middle=tuple(float(np.mean(by_epoch[each])) for each in epochs),
        low=tuple(min(by_epoch[each]) for each in epochs),
        high=tuple(max(by_epoch[each]) for each in epochs),
    )
    first, last = (percent(line.middle[place] / 100) for place in (0, -1))
    svg = lines(
        f"gate-{method.slug}-epochs",
        f"Share of cases that the gate of {method.name} closes on, over training",
        f"Mean over {len(explanation.fits)} refits from {first} % to {last} %.",
        [line],
        Axis("Epoch"),
        Axis("Gate closed in %"),
    )
    return Panel(svg, "Over training: mean, and lowest to highest refit")
