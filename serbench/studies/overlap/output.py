"""The overlap table for a terminal, and as Markdown, CSV, LaTeX and a figure."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from rich.markup import escape
from rich.table import Table as RichTable

from serbench.results.report import figures, render
from serbench.results.report.marks import warning_lines
from serbench.results.report.notes import difference_note, interval_note
from serbench.results.report.tables import (
    NOTHING,
    Row,
    Section,
    Table,
    percent,
    signed,
    with_interval,
)
from serbench.results.report.write import write_study
from serbench.studies.overlap.measure import SAME, OverlapRow, OverlapStudy

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito's palette."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""One more than colours, so that no two of many methods look the same."""

NUMBERED = 6
"""Methods beyond which the figure's numbers would lie on each other."""


def write_overlap(study: OverlapStudy, folder: Path) -> Path:
    """Write ``overlap.md``, ``.csv``, ``.tex`` and ``.png`` into ``folder``.

    Returns:
        The path of ``overlap.md``.

    Raises:
        StoreError: ``folder`` is that of a run, or a file cannot be written.
    """
    table = overlap_table(study)
    return write_study(table, study.certificate.digest, overlap_figure(study), folder)


def overlap_table(study: OverlapStudy) -> Table:
    """A row for each method and overlap."""
    return Table(
        name="overlap",
        caption=f"Overlap of test windows on {study.dataset}: utterance-level scores in % (mean "
        "posterior over windows), pooled over the outer test folds",
        columns=(
            "Method", "Overlap in s", "Test windows", "Recut", "Changed", "WA", "UA",
            f"ΔUA to {study.overlaps_s[0]:g} s", "Verdict",
        ),
        alignment="lrrrrrrrl",
        sections=tuple(
            Section(tuple(_row(row) for row in study.of(method))) for method in study.methods
        ),
        data=pd.DataFrame([_data(study, row) for row in study.rows]),
        notes=notes(study),
        warnings=warning_lines([study.certificate]),
    )  # fmt: skip


def notes(study: OverlapStudy) -> tuple[str, ...]:
    """What a reader must know; first of all how few utterances the overlap can touch."""
    own = " and ".join(f"{each:g} s" for each in study.own_overlaps_s)
    seeds = f" over {study.seeds} seeds" if study.seeds > 1 else ""
    lines = [
        *share_lines(study),
        f"Recut: utterances whose windows are not those at {study.overlaps_s[0]:g} s (the "
        "last window is moved back to end with the utterance, so a slightly longer one is cut the "
        "same at every overlap). Changed: utterances that are then given another "
        f"class{seeds}.",
        f"{interval_note(study.repeats, study.speakers)} "
        f"{difference_note('UA', len(study.overlaps_s) - 1, study.speakers)} "
        f"“{SAME}”: no utterance is given another class.",
        f"At the run's own overlap ({own}) the students gave the posteriors that the run has kept "
        f"(greatest difference {study.gap:.1g}).",
    ]
    if study.has_teachers:
        lines.append("Teachers hear whole utterances, so no overlap concerns them.")
    return (*lines, *study.notes)


def share_lines(study: OverlapStudy) -> tuple[str, ...]:
    """How many utterances are longer than a window; one line where methods agree."""
    lines = {}
    for method, longer in study.longer.items():
        short = longer.utterances - longer.longer
        text = (
            f"{longer.longer} of {longer.utterances} test utterances "
            f"({percent(longer.longer / longer.utterances)} %) are longer than one window of "
            f"{longer.window_s:g} s; the other {short} are one window at every overlap."
        )
        lines.setdefault(text, []).append(method)
    if len(lines) == 1:
        return tuple(lines)
    return tuple(f"{', '.join(methods)}: {text}" for text, methods in lines.items())


def render_overlap(study: OverlapStudy) -> RichTable:
    """The table for a terminal of 80 columns and more; intervals under their scores."""
    title = f"Overlap of test windows on {study.dataset}: utterance-level scores"
    warnings = warning_lines([study.certificate])
    table = render.rich_table(escape(title), "", escape("\n".join(notes(study))), warnings)
    table.caption = f"{table.caption}\nCertificate {study.certificate.digest[:12]}."
    table.add_column("Method", overflow="fold", style="bold")
    for name in ("Overlap", "Windows", "Recut", "Changed", "WA %", "UA %"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column(f"ΔUA to {study.overlaps_s[0]:g} s", justify="right")
    for method in study.methods:
        for number, row in enumerate(study.of(method)):
            table.add_row(
                escape(method) if number == 0 else "",
                f"{row.overlap_s:g} s",
                str(row.windows),
                str(row.recut),
                str(row.changed),
                render.rich_estimate(row.wa, bold=False),
                render.rich_estimate(row.ua, bold=True),
                _rich_difference(row),
            )
        table.add_section()
    return table


def _rich_difference(row: OverlapRow) -> str:
    difference = row.difference
    if difference is None or not row.changed:
        return f"[dim]{row.verdict}[/]"
    interval = f"{signed(difference.low)} to {signed(difference.high)}"
    return f"{signed(difference.value)}\n[dim]{interval}[/]\n{row.verdict}"


def _row(row: OverlapRow) -> Row:
    difference = row.difference
    return (
        row.method,
        f"{row.overlap_s:g}",
        str(row.windows),
        str(row.recut),
        str(row.changed),
        with_interval(row.wa),
        with_interval(row.ua),
        f"{signed(difference.value)} [{signed(difference.low)}, {signed(difference.high)}]"
        if difference
        else NOTHING,
        row.verdict,
    )


def _data(study: OverlapStudy, row: OverlapRow) -> dict[str, object]:
    """Plain numbers, scores in 0 … 1."""
    longer, difference = study.longer[row.method], row.difference
    numbers: dict[str, object] = {
        "method": row.method,
        "overlap_s": row.overlap_s,
        "window_s": longer.window_s,
        "utterances": longer.utterances,
        "longer_than_window": longer.longer,
        "windows": row.windows,
        "cut_otherwise": row.recut,
        "class_changed": row.changed,
        "seeds": study.seeds,
    }
    for name, estimate in (("wa", row.wa), ("ua", row.ua)):
        numbers |= {
            name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high
        }  # fmt: skip
    return numbers | {
        "delta_ua": difference.value if difference else None,
        "delta_ua_low": difference.low if difference else None,
        "delta_ua_high": difference.high if difference else None,
        "verdict": row.verdict,
        "certificate": study.certificate.digest,
    }


def overlap_figure(study: OverlapStudy) -> Figure:
    """UA of every method at each overlap, with its 95 % interval."""
    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    axes = figure.add_subplot()
    step = min(0.25, 0.8 / len(study.methods))
    for place, method in enumerate(study.methods):
        colour, marker = COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]
        shift = (place - (len(study.methods) - 1) / 2) * step
        rows = study.of(method)
        at = [number + shift for number in range(len(rows))]
        axes.plot(at, [100 * row.ua.value for row in rows], color=colour, linewidth=1, alpha=0.5)
        for x, row in zip(at, rows, strict=True):
            ua = row.ua
            label = method if x == at[0] else None
            axes.plot([x, x], [100 * ua.low, 100 * ua.high], color=colour, linewidth=1.8)
            axes.plot(x, 100 * ua.value, marker, color=colour, markersize=7, label=label)
            if len(study.methods) <= NUMBERED:
                axes.annotate(
                    percent(ua.value), (x, 100 * ua.high), xytext=(0, 3), ha="center",
                    textcoords="offset points", fontsize=8,
                )  # fmt: skip
    axes.margins(y=0.09)
    axes.set_xticks(
        range(len(study.overlaps_s)), [f"{overlap_s:g}" for overlap_s in study.overlaps_s]
    )
    axes.set_xlim(-0.5, len(study.overlaps_s) - 0.5)
    axes.grid(axis="y", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("Overlap of test windows in s", fontsize=10)
    axes.set_ylabel("UA in %, with 95 % interval", fontsize=10)
    axes.set_title(f"Overlap of test windows on {study.dataset}, post hoc", fontsize=12, loc="left")
    lines = (*share_lines(study), *warning_lines([study.certificate]))
    figures.add_warnings(figure, "", lines)
    figure.legend(loc="outside lower center", ncols=4, fontsize=9, frameon=False)
    return figure
