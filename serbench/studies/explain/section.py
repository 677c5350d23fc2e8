"""What a finished run shows of the trust in its teachers, without being asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from serbench.errors import StoreError
from serbench.results.compare.names import display_name
from serbench.results.figure.figure import (
    Axis,
    Bar,
    BarGroup,
    Bars,
    Figure,
    Key,
    Line,
    Lines,
    Panel,
    Reference,
)
from serbench.results.figure.palette import Style, style_of
from serbench.results.record import KIND, SCHEMA_VERSION, StudyRecord
from serbench.results.report.build import unique_slugs
from serbench.results.report.tables import Table as OldTable
from serbench.results.table.columns import Column, make_table, text_table
from serbench.results.table.formats import COUNT, PERCENT, number, percent
from serbench.results.table.table import Table
from serbench.running.store.finished import Run
from serbench.running.store.run import RunStore
from serbench.studies.explain.cases import Tally, part_of, tally
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
LISTED = 10
"""Utterances that the gate closes on most, that are listed."""

RIGHT, WRONG = Style(1), Style(2, "diamond", "6 3")

QUARTILES: list[Column[tuple[float, ...]]] = [
    Column("Epoch", lambda row: row[0], number(".0f")),
    Column("Lower quartile", lambda row: row[1], number(".3f")),
    Column("Median", lambda row: row[2], number(".3f")),
    Column("Upper quartile", lambda row: row[3], number(".3f")),
]


def trust_records(run: Run) -> tuple[StudyRecord, ...]:
    """One for each method that has readings."""
    store = RunStore(run.folder)
    names = [str(method["name"]) for method in run.plan["methods"]]
    slugs = unique_slugs(names)
    return tuple(
        _record(run, name, slugs[name])
        for name in names
        if any(store.readings_path(name, 1, 0).parent.glob("*.npz"))
    )


def _record(run: Run, name: str, slug: str) -> StudyRecord:
    lines: tuple[str, ...]
    try:
        explanation = load_explanation(run.folder, name)
    except StoreError as error:
        lines, figures, tables = (str(error),), (), ()
    else:
        lines = tuple(statements(explanation))
        figures = tuple(_figures(explanation, slug))
        tables = tuple(map(_table, explanation_tables(explanation, LISTED)))
    return StudyRecord(
        kind=KIND,
        schema_version=SCHEMA_VERSION,
        study="explain",
        title=f"Trust in teachers: {display_name(name)}",
        version=version("serbench"),
        params={"method": name},
        runs=(run.name,),
        certificates=(run.certificate.digest,),
        lines=lines,
        tables=tables,
        figures=figures,
    )


def _table(table: OldTable) -> Table:
    right = [t for t, side in zip(table.columns, table.alignment, strict=True) if side == "r"]
    rows = [row for section in table.sections for row in section.rows]
    return text_table(
        table.name, table.caption, table.columns, rows, right=right, notes=table.notes
    )


def _figures(explanation: Explanation, slug: str) -> Iterator[Figure]:
    if explanation.has(RELIABLE):
        yield _gate(explanation, slug)
    names = sorted(explanation.fits[0].scalars, key=lambda n: (n != GAMMA, n != BETA, n))
    if names:
        yield _over_epochs(explanation, names, slug)
    if len(explanation.teachers) > 1 and explanation.has(WEIGHTS):
        yield _weights(explanation, slug)


def _over_epochs(explanation: Explanation, names: Sequence[str], slug: str) -> Figure:
    """Median and quartiles of each reading of one number, a panel for each."""
    panels, drawn = [], {}
    for name in names:
        shown = SYMBOLS.get(name, name)
        line = _band(shown, style_of(0), *quartiles_by_epoch(explanation.fits, name))
        symbol = shown.partition(",")[0]
        down = Axis(symbol, 0, 1) if name in SYMBOLS else Axis(symbol)
        still = "; fixed over epochs" if is_fixed(explanation.fits, name) else ""
        said = f"Median from {line.middle[0]:.3g} to {line.middle[-1]:.3g}, with quartiles."
        panels.append(Panel(Lines((line,), Axis("Epoch"), down), f"{shown}{still}", said))
        drawn[shown] = line
    caption = (
        f"What {display_name(explanation.method)} read of its training utterances: median and "
        "quartiles"
    )
    return Figure(
        f"readings-{slug}", caption, tuple(panels), numbers=_quartiles(slug, caption, drawn)
    )


def _quartiles(slug: str, caption: str, drawn: dict[str, Line]) -> Table:
    rows = {
        text: list(zip(line.x, line.low, line.middle, line.high, strict=True))
        for text, line in drawn.items()
    }
    return make_table(f"numbers-{slug}", f"{caption}, as numbers", QUARTILES, rows)


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
        x=tuple(epochs.astype(float).tolist()),
        middle=tuple(quartiles[:, 1].tolist()),
        low=tuple(quartiles[:, 0].tolist()),
        high=tuple(quartiles[:, 2].tolist()),
    )


def _weights(explanation: Explanation, slug: str) -> Figure:
    """Each teacher's weight over epochs."""
    drawn = {
        teacher: _band(
            teacher, style_of(index), *quartiles_by_epoch(explanation.fits, WEIGHTS, index)
        )
        for index, teacher in enumerate(explanation.teachers)
    }
    equal = 1 / len(explanation.teachers)
    method = display_name(explanation.method)
    caption = f"Weight of each teacher of {method} over training: median and quartiles"
    said = "; ".join(
        f"{e.text} from {e.middle[0]:.2f} to {e.middle[-1]:.2f}" for e in drawn.values()
    )
    plot = Lines(
        tuple(drawn.values()), Axis("Epoch"), Axis("w", 0, 1), (Reference(equal, "equal weights"),)
    )
    return Figure(
        f"weights-{slug}",
        caption,
        (Panel(plot, description=f"{said}."),),
        tuple(Key(each.text, each.style, "line") for each in drawn.values()),
        (f"Equal weights would be {equal:.2f}.",),
        numbers=_quartiles(f"weights-{slug}", caption, drawn),
        wide=True,
    )


def _gate(explanation: Explanation, slug: str) -> Figure:
    """The share of cases that the gate closes on: over epochs, and by class."""
    known = explanation.has(POSTERIOR)
    counts = {
        label: found
        for label in explanation.labels
        if (found := tally(part_of(explanation.cases, "label", label))).cases
    }
    groups = tuple(_closed(label, found, known=known) for label, found in counts.items())
    said = "; ".join(f"{g.label} {sum(p.value for p in g.parts):.1f} %" for g in groups)
    plot = Bars(groups, Axis("Gate closed, in % of the class's cases"))
    caption = f"Where the gate of {display_name(explanation.method)} closes, in % of training cases"

    def share(title: str, read: Callable[[Tally], int]) -> Column[str]:
        return Column(title, lambda label: read(counts[label]) / counts[label].cases, PERCENT)

    columns: list[Column[str]] = [
        Column("Class", str),
        Column("Cases", lambda label: counts[label].cases, COUNT),
        share("Closed", lambda found: found.closed),
    ]
    if known:
        columns.append(share("Teacher right", lambda found: found.closed_right))
        columns.append(share("Teacher wrong", lambda found: found.closed_wrong))
    right, wrong = Key("teacher right", RIGHT, "bar"), Key("teacher wrong", WRONG, "bar")
    return Figure(
        f"gate-{slug}",
        caption,
        (_gate_over_epochs(explanation), Panel(plot, "By class", f"{said}.")),
        (right, wrong) if known else (),
        ("A case is one training utterance in one refit.",),
        numbers=make_table(f"numbers-{slug}", f"{caption}, as numbers", columns, [*counts]),
    )


def _closed(label: str, found: Tally, *, known: bool) -> BarGroup:
    right, wrong = (100 * n / found.cases for n in (found.closed_right, found.closed_wrong))
    if known:
        parts = (Bar("teacher right", right, RIGHT), Bar("teacher wrong", wrong, WRONG))
    else:
        parts = (Bar("closed", right + wrong, RIGHT),)
    return BarGroup(label, parts, f"{found.closed} of {found.cases}")


def _gate_over_epochs(explanation: Explanation) -> Panel:
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
    said = f"Mean over {len(explanation.fits)} refits from {first} % to {last} %."
    plot = Lines((line,), Axis("Epoch"), Axis("Gate closed in %"))
    return Panel(plot, "Over training: mean, and lowest to highest refit", said)
