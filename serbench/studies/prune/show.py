"""Shows pruned students as a table and a figure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from serbench.results.compare.names import display_name
from serbench.results.figure.figure import (
    Axis,
    Figure,
    Key,
    Line,
    Lines,
    Panel,
    ReferenceLine,
    percent_ends,
)
from serbench.results.figure.palette import GREY, Style, style_of
from serbench.results.report.notes import UNCORRECTED, interval_note
from serbench.results.table.columns import Column, make_table
from serbench.results.table.formats import DIFFERENCE, PERCENT, SCORE, TEXT, Format, number
from serbench.results.table.table import Table
from serbench.studies.prune.choices import CutKind
from serbench.studies.prune.measure import PruneRow, Pruning
from serbench.studies.prune.size import Size
from serbench.studies.study import Shown

HEADINGS: Mapping[CutKind, str] = {
    "none": "",
    "magnitude": "Magnitude: the smallest weights are 0",
    "heads": "Attention heads removed",
    "channels": "Channels and hidden units removed",
}

NAMES: Mapping[CutKind, str] = {
    "magnitude": "magnitude",
    "heads": "attention heads",
    "channels": "channels and hidden units",
}

AXES: tuple[tuple[str, Callable[[Size], float]], ...] = (
    ("Parameters that are not 0, in thousands", lambda size: size.nonzero / 1e3),
    ("MACs for one window, in millions", lambda size: size.macs / 1e6),
)

CONTROL, TUNED = "nothing pruned, fine-tuned", Style(GREY, "up")
"""The control: the student fine-tuned without pruning."""

BESIDE = 1.03
"""Where the control is drawn, as a multiple of its own size."""

MANY: Format[int] = Format(lambda count: f"{count:,}")
FLAG: Format[bool] = Format(str)
KB = number(",.0f", 1e-3)


def show_pruning(found: Pruning) -> Shown:
    """Show pruned students."""
    return Shown(
        title=f"{display_name(found.method)} on {found.dataset}, pruned",
        certificates=(found.certificate,),
        tables=(prune_table(found),),
        figures=(prune_figure(found),),
    )


def prune_table(found: Pruning) -> Table:
    """A row for each kind and amount, after the run's own student."""
    columns: list[Column[PruneRow]] = [
        Column("Pruned", row_name),
        Column("", lambda _: found.certificate.protocol, TEXT, key="protocol"),
        Column("", lambda _: found.method, TEXT, key="method"),
        Column("", lambda row: row.cut.kind, TEXT, key="kind"),
        Column("", lambda row: row.cut.amount, number("g"), key="amount"),
        Column("", lambda row: row.tuned, FLAG, key="fine_tuned"),
        Column("Parameters", lambda row: row.size.parameters, MANY, key="parameters",
               console="none"),
        Column("Not 0", lambda row: row.size.nonzero, MANY, key="nonzero"),
        Column("File kB", lambda row: row.size.file_bytes, KB, key="file_bytes", short="kB"),
        Column("zlib kB", lambda row: row.size.compressed_bytes, KB, key="compressed_bytes",
               console="none"),
        Column("MACs M", lambda row: row.size.macs, number(".1f", 1e-6), key="macs"),
        Column("UA", lambda row: row.ua, SCORE, key="ua"),
        Column("Δ to unpruned", lambda row: row.difference, DIFFERENCE, key="delta_ua", short="Δ"),
        Column("Not fine-tuned", lambda row: row.untuned.value if row.tuned else None, PERCENT,
               short="not tuned"),
        Column("", lambda row: row.untuned, SCORE, key="not_fine_tuned_ua"),
    ]  # fmt: skip
    return make_table(
        "prune",
        f"Size and UA in % of {display_name(found.method)} on {found.dataset}, pruned",
        columns,
        {HEADINGS[kind]: found.of(kind) for kind in ("none", *found.kinds)},
        notes=notes(found),
        warnings=found.notes,
    )


def notes(found: Pruning) -> tuple[str, ...]:
    """How students were cut and fine-tuned, and how sizes and intervals were computed."""
    rates = " or ".join(f"{rate:g}" for rate in found.learning_rates)
    seeds = ", ".join(map(str, found.seeds))
    epochs = f"{found.epochs} epoch" + ("s" if found.epochs > 1 else "")
    return (
        f"In each of {found.folds} outer folds (seed {seeds}), the stored student is cut and then "
        f"fine-tuned for {epochs} on its fold's own training side, with the method's own loss at "
        f"a learning rate of {rates}; learned parameters of the loss start from scratch. Not "
        "fine-tuned: UA directly after the cut. The second row is fine-tuned without a cut.",
        *_ways(found),
        "File: safetensors in float32; zlib: the same, compressed. MACs: of matrix products and "
        f"convolutions for a window of {found.window_s:g} s; zeros are multiplied like any other "
        "number.",
        f"{interval_note(found.repeats, found.speakers)} {UNCORRECTED}",
    )


def _ways(found: Pruning) -> Iterator[str]:
    """What each kind of cut removes from the network."""
    if found.of("magnitude"):
        yield "Magnitude: the smallest absolute values over all matrices and kernels together."
    taken = [
        f"{kind} of {', '.join(found.groups[kind])}" for kind in ("heads", "channels")
        if found.groups.get(kind)
    ]  # fmt: skip
    if taken:
        yield (
            "Removed: the same share of each group, those with the smallest L2 norm of all their "
            f"weights: {'; '.join(taken)}."
        )


def row_name(row: PruneRow) -> str:
    """The name of a row, for instance ``25 %``."""
    if row.cut.kind == "none":
        return "nothing, fine-tuned" if row.tuned else "nothing"
    return f"{100 * row.cut.amount:g} %"


def prune_figure(found: Pruning) -> Figure:
    """UA against size: a line with 95 % intervals for each kind, a thin one before fine-tuning."""
    whole = Style(GREY, "diamond")
    keys = [Key("unpruned", whole), Key(CONTROL, TUNED)]
    keys += [Key(NAMES[kind], _style(kind), "line") for kind in found.kinds]
    return Figure(
        name="prune",
        caption=f"UA of {display_name(found.method)} on {found.dataset}, pruned and fine-tuned, "
        "by size",
        panels=tuple(
            Panel(plot, description=plot.described)
            for plot in (_plot(found, title, size, whole) for title, size in AXES)
        ),
        legend=(*keys, Key("not fine-tuned", Style(GREY, "circle", "6 3"), "line")),
        warnings=found.notes,
        wide=True,
    )


def _style(kind: CutKind) -> Style:
    """A style with a solid line; dashes mean that nothing was fine-tuned."""
    return replace(style_of(list(NAMES).index(kind)), dash="")


def _plot(found: Pruning, title: str, size: Callable[[Size], float], whole: Style) -> Lines:
    lines = []
    for kind in found.kinds:
        rows = (found.whole, *found.of(kind))
        at = tuple(size(row.size) for row in rows)
        style = _style(kind)
        untuned = tuple(100 * row.untuned.value for row in rows)
        thin = replace(style, dash="6 3")
        lines += [
            Line(f"{NAMES[kind]}, not fine-tuned", thin, at, untuned, marked=False),
            _line(NAMES[kind], style, at, rows),
        ]
    full, chance = size(found.whole.size), 100 / found.classes
    lines.append(_line("unpruned", whole, (full,), (found.whole,)))
    controls = [row for row in found.of("none") if row.tuned]
    # Drawn next to the unpruned student, which has the same size.
    lines += [_line(CONTROL, TUNED, (BESIDE * full,), (row,)) for row in controls]
    shown = [value for line in lines for value in (*line.middle, *line.low, *line.high)]
    return Lines(
        tuple(lines),
        Axis(title, 0, 1.08 * full),
        Axis("UA in %, with 95 % CI", *percent_ends([*shown, chance])),
        (ReferenceLine(chance, "chance"),),
    )


def _line(text: str, style: Style, at: tuple[float, ...], rows: Sequence[PruneRow]) -> Line:
    return Line(
        text=text,
        style=style,
        x=at,
        middle=tuple(100 * row.ua.value for row in rows),
        low=tuple(100 * row.ua.low for row in rows),
        high=tuple(100 * row.ua.high for row in rows),
        bars=True,
    )
