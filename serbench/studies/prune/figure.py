"""The size-accuracy curve: UA against parameters that are not 0, and against multiplications."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from serbench.results.report.figures import CHANCE_COLOUR, add_warnings
from serbench.results.report.tables import display_name
from serbench.studies.prune.measure import PruneStudy, Row
from serbench.studies.prune.network import Kind
from serbench.studies.prune.size import Size

STYLES: Mapping[Kind, tuple[str, str, str]] = {
    "magnitude": ("#0072B2", "o", "magnitude"),
    "heads": ("#009E73", "s", "attention heads"),
    "channels": ("#CC79A7", "^", "channels and hidden units"),
}
"""Colour (Okabe and Ito's), marker and name of each kind."""

WHOLE_COLOUR = "#000000"

AXES: tuple[tuple[str, Callable[[Size], float]], ...] = (
    ("Parameters that are not 0, in thousands", lambda size: size.nonzero / 1e3),
    ("MACs for one window, in millions", lambda size: size.macs / 1e6),
)


def prune_figure(study: PruneStudy, warnings: Sequence[str]) -> Figure:
    """A line with its 95 % intervals for each kind, and a thin one without fine-tuning."""
    figure = Figure(figsize=(9.6, 5.0), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, (label, size) in zip(panels, AXES, strict=True):
        _draw(axes, study, size)
        axes.set_xlabel(label, fontsize=10)
        axes.axhline(100 / study.classes, color=CHANCE_COLOUR, linestyle=":", linewidth=1.4)
        axes.set_xlim(0, 1.05 * size(study.whole.size))
        axes.set_ylim(0, 100)
        axes.grid(color="#dddddd", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=9)
    panels[0].set_ylabel("UA in %, with 95 % interval", fontsize=10)
    title = f"{display_name(study.method)} on {study.dataset}, pruned and fine-tuned"
    add_warnings(figure, "", (title, *warnings))
    figure.legend(
        handles=_legend(study), loc="outside lower center", ncols=3, fontsize=9, frameon=False
    )
    return figure


def _draw(axes: Axes, study: PruneStudy, size: Callable[[Size], float]) -> None:
    for kind in study.kinds:
        colour, marker, _ = STYLES[kind]
        rows = study.of(kind)
        whole = study.whole
        at = [size(row.size) for row in (whole, *rows)]
        tuned = [100 * row.ua.value for row in (whole, *rows)]
        untuned = [100 * row.untuned.value for row in (whole, *rows)]
        axes.plot(at, untuned, color=colour, linestyle="--", linewidth=1, alpha=0.6)
        axes.plot(at, tuned, color=colour, linewidth=1.8)
        for row in rows:
            _point(axes, row, size(row.size), colour, marker)
    _point(axes, study.whole, size(study.whole.size), WHOLE_COLOUR, "D")


def _point(axes: Axes, row: Row, at: float, colour: str, marker: str) -> None:
    ua = row.ua
    axes.plot([at, at], [100 * ua.low, 100 * ua.high], color=colour, linewidth=1.4)
    axes.plot(at, 100 * ua.value, marker, color=colour, markersize=6)


def _legend(study: PruneStudy) -> list[Line2D]:
    handles = [Line2D([], [], color=WHOLE_COLOUR, marker="D", linestyle="", label="unpruned")]
    for kind in study.kinds:
        colour, marker, name = STYLES[kind]
        handles.append(Line2D([], [], color=colour, marker=marker, label=name))
    return [
        *handles,
        Line2D([], [], color=CHANCE_COLOUR, linestyle="--", linewidth=1, label="not fine-tuned"),
        Line2D([], [], color=CHANCE_COLOUR, linestyle=":", label="chance"),
    ]
