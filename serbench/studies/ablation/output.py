"""An ablation as a page, for a terminal, and as a figure."""

from __future__ import annotations

from textwrap import fill

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from rich.markup import escape
from rich.table import Table as RichTable

from serbench.results.compare.records import METRICS
from serbench.results.report import figures, render
from serbench.results.report.settings import protocol_line
from serbench.results.report.tables import NOTHING, Table, parameter_count, seeds_note, signed
from serbench.studies.ablation.measure import NOT_RUN, AblationResults, Line, notes

WIDEST_LABEL = 34
"""Characters of a row's label in the figure before it is broken."""

WIDEST_REASON = 46
"""The same of a reason why a row was not run."""

WHITE: dict[str, object] = {"facecolor": "white", "edgecolor": "none"}


def ablation_page(ablation: AblationResults, table: Table, certificates: str) -> str:
    """``ablation.md``: the table, the figure, and what each row changes.

    Args:
        ablation: its content.
        table: ``ablation_table`` of it, marked.
        certificates: Markdown that links them.
    """
    return (
        render.templates()
        .get_template("ablation.md.j2")
        .render(
            title=f"Ablation of {ablation.method} on {ablation.results.dataset['name']}",
            summary=ablation.summary,
            protocol=protocol_line(ablation.results),
            warnings=ablation.results.warnings,
            table=render.markdown(table, certificates),
            method=ablation.method,
            lines=ablation.lines,
            NOTHING=NOTHING,
        )
    )


def rich_ablation(ablation: AblationResults) -> RichTable:
    """The table for a terminal of 80 columns and more."""
    results = ablation.results
    title = f"Ablation of {ablation.method} on {results.dataset['name']}"
    words = " ".join((*notes(ablation), *seeds_note(results.comparison)))
    table = render.rich_table(escape(title), "", escape(words), results.warnings)
    digest = results.runs[0].certificate.digest[:12]
    table.caption = f"{table.caption}\nCertificate {digest}."
    table.add_column("Row", overflow="fold")
    for heading in ("WA %", "UA %"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column(escape(ablation.verdict_title), justify="right", max_width=24)
    for part, lines in ablation.parts.items():
        table.add_section()
        table.add_row(f"[italic]{escape(part)}[/]")
        for line in lines:
            table.add_row(*_rich_cells(line))
    return table


def _rich_cells(line: Line) -> tuple[str, ...]:
    about = parameter_count(line.info.parameters) if line.info and line.info.parameters else ""
    label = f"[bold]{escape(line.label)}[/]\n[dim]{' · '.join(filter(None, (line.row, about)))}[/]"
    if line.result is None:
        return (label, NOTHING, NOTHING, f"[dim]{escape(f'{NOT_RUN}: {line.same}')}[/]")
    scores = (
        render.rich_estimate(line.result.pooled[metric], bold=metric == "ua")
        for metric in METRICS
        if metric != "macro_f1"
    )
    return (label, *scores, render.rich_difference(line.result))


def ablation_figure(ablation: AblationResults) -> Figure:
    """UA of every row less that of the full method, with its paired 95 % interval."""
    results = ablation.results
    places: dict[str, int] = {}  # of each part's title; its lines follow
    height = 0
    for part, lines in ablation.parts.items():
        places[part] = height
        height += len(lines) + 1
    figure = Figure(figsize=(7.2, 1.9 + 0.36 * height), layout="constrained")
    axes = figure.add_subplot()
    axes.axvline(0, color=figures.CHANCE_COLOUR, linewidth=1.2)
    labels: dict[int, str] = {}
    for part, lines in ablation.parts.items():
        for place, line in enumerate(lines, start=places[part] + 1):
            labels[place] = fill(line.label, WIDEST_LABEL)
            _draw(axes, place, line)
    axes.set_yticks(list(labels), list(labels.values()))
    axes.set_ylim(height - 0.4, -0.6)
    for part, place in places.items():
        axes.annotate(
            part,
            (0, place),
            xycoords=("axes fraction", "data"),
            ha="right",
            va="center",
            xytext=(-4, 0),
            textcoords="offset points",
            fontsize=10,
            fontweight="bold",
        )
    axes.margins(x=0.12)
    axes.tick_params(axis="y", length=0, labelsize=9.5)
    axes.grid(axis="x", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_xlabel(
        f"UA less that of {ablation.method}, in points, with paired 95 % interval", fontsize=10
    )
    axes.set_title(
        f"Ablation of {ablation.method} on {results.dataset['name']}", fontsize=12, loc="left"
    )
    figures.add_warnings(figure, "", results.warnings)
    figure.legend(
        handles=_legend(ablation), loc="outside lower center", ncols=2, fontsize=9, frameon=False
    )
    return figure


def _draw(axes: Axes, place: int, line: Line) -> None:
    """A point with its interval; the reference on the line, and words for what was not run."""
    if line.result is None:
        axes.annotate(
            fill(f"{NOT_RUN}: {line.same}", WIDEST_REASON),
            (0.02, place),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=8,
            color=figures.CHANCE_COLOUR,
            bbox=WHITE | {"pad": 1.5},
        )
        return
    difference = line.result.difference
    if difference is None:
        axes.plot(0, place, "s", color=figures.CHANCE_COLOUR, markersize=7)
        return
    teacher = line.result.is_teacher
    colour = figures.TEACHER_COLOUR if teacher else figures.STUDENT_COLOUR
    axes.plot(
        [100 * difference.low, 100 * difference.high], [place, place], color=colour, linewidth=1.8
    )
    axes.plot(
        100 * difference.value,
        place,
        "D" if teacher else "o",
        color=colour,
        markerfacecolor="white" if difference.verdict == "cannot tell apart" else colour,
        markersize=7,
    )
    axes.annotate(
        signed(difference.value),
        (100 * difference.value, place),
        xytext=(0, 7.5),
        textcoords="offset points",
        ha="center",
        fontsize=8,
        bbox=WHITE | {"pad": 0.2},  # the line of zero goes through small differences
    )


def _legend(ablation: AblationResults) -> list[Line2D]:
    blue, orange = figures.STUDENT_COLOUR, figures.TEACHER_COLOUR
    teacher = Line2D([], [], color=orange, marker="D", label="teacher's own head")
    full = Line2D([], [], color=figures.CHANCE_COLOUR, marker="s", linewidth=0)
    full.set_label(f"full method, {ablation.method}")
    return [
        Line2D([], [], color=blue, marker="o", label="better or worse"),
        Line2D([], [], color=blue, marker="o", markerfacecolor="white", label="cannot tell apart"),
        full,
        *(
            [teacher]
            if any(line.result and line.result.is_teacher for line in ablation.lines)
            else []
        ),
    ]
