"""The inflation table for a terminal, and as Markdown, CSV, LaTeX and a figure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from textwrap import fill

import pandas as pd
from matplotlib.figure import Figure
from rich.markup import escape
from rich.table import Table as RichTable

from serbench.learning.evaluate import Metric
from serbench.results.compare.records import TEACHER_PREFIX, Estimate
from serbench.results.report import figures, render
from serbench.results.report.marks import LEAKS, warning_lines
from serbench.results.report.notes import interval_note
from serbench.results.report.tables import (
    Section,
    Table,
    display_name,
    percent,
    signed,
    with_interval,
)
from serbench.results.report.write import write_study
from serbench.settings import PROPER, ProtocolName
from serbench.studies.inflation.measure import METRICS, Inflation

TITLES = {"ua": "UA", "wa": "WA"}

STYLES: dict[ProtocolName, tuple[str, str]] = {
    "speaker-independent": ("#0072B2", "o"),
    "leaky-random": ("#D55E00", "s"),
    "leaky-early-stopping": ("#CC79A7", "^"),
    "leaky-normaliser": ("#E69F00", "D"),
}
"""Colour (Okabe and Ito) and shape of each protocol."""

NARROW = 13
"""Characters of a terminal's column: as many as an interval of differences takes."""


def write_inflation(inflation: Inflation, folder: Path) -> Path:
    """Write ``inflation.md``, ``.csv``, ``.tex`` and ``.png`` into ``folder``.

    Returns:
        The path of ``inflation.md``.

    Raises:
        StoreError: ``folder`` is that of a run, or a file cannot be written.
    """
    certificates = ", ".join(each.digest for each in inflation.certificates.values())
    figure = inflation_figure(inflation)
    return write_study(inflation_table(inflation), certificates, figure, folder)


def title(inflation: Inflation) -> str:
    """What the table is, and that its leaky part is wrong."""
    return (
        f"What leakage is worth on {inflation.dataset}: the leaky figures are wrong on purpose, "
        "and not for comparison"
    )


def in_words(protocol: ProtocolName) -> str:
    """A protocol as column titles call it."""
    return f"{protocol}: {LEAKS[protocol]}" if protocol in LEAKS else protocol


def inflation_table(inflation: Inflation) -> Table:
    """A row for each method and metric, two columns for each leak."""
    leaks = [column for name in inflation.leaky for column in (in_words(name), "Inflation")]
    groups = (
        ([m for m in inflation.methods if not m.startswith(TEACHER_PREFIX)], ""),
        (
            [m for m in inflation.methods if m.startswith(TEACHER_PREFIX)],
            "Teachers, by their own head",
        ),
    )
    return Table(
        name="inflation",
        caption=title(inflation),
        columns=("Method", "Score in %", PROPER, *leaks),
        alignment="ll" + "r" * (1 + len(leaks)),
        sections=tuple(
            Section(tuple(_row(inflation, m, metric) for m in methods for metric in METRICS), head)
            for methods, head in groups
            if methods
        ),
        data=pd.DataFrame(list(_data(inflation))),
        notes=(note(inflation),),
        warnings=warning_lines(inflation.certificates.values()),
    )


def note(inflation: Inflation) -> str:
    """How intervals and inflation came about."""
    text = (
        "Pooled over the outer test folds. "
        f"{interval_note(inflation.repeats, inflation.speakers)} "
        f"Inflation: percentage points above {PROPER}, on the same utterances and over the same "
        "draws."
    )
    teachers = any(method.startswith(TEACHER_PREFIX) for method in inflation.methods)
    if teachers and "leaky-early-stopping" in inflation.leaky:
        text += (
            " A teacher's head has no epochs: leaky-early-stopping chooses its strength of "
            "regularisation on the test fold."
        )
    return text


def _row(inflation: Inflation, method: str, metric: Metric) -> tuple[str, ...]:
    scores = [inflation.scores[method, protocol] for protocol in inflation.leaky]
    proper = inflation.scores[method, PROPER].pooled[metric]
    cells = [
        cell
        for score in scores
        for cell in (with_interval(score.pooled[metric]), _points(score.inflation[metric]))
    ]
    return (display_name(method), TITLES[metric], with_interval(proper), *cells)


def _points(estimate: Estimate) -> str:
    return f"{signed(estimate.value)} [{signed(estimate.low)}, {signed(estimate.high)}]"


def _data(inflation: Inflation) -> Iterator[dict[str, object]]:
    """One row for each protocol, method and metric, in 0 … 1."""
    for (method, protocol), score in inflation.scores.items():
        for metric in METRICS:
            pooled, inflated = score.pooled[metric], score.inflation.get(metric)
            yield {
                "protocol": protocol,
                "leak": LEAKS.get(protocol, ""),
                "method": method,
                "metric": metric,
                "value": pooled.value,
                "low": pooled.low,
                "high": pooled.high,
                "inflation": inflated.value if inflated else None,
                "inflation_low": inflated.low if inflated else None,
                "inflation_high": inflated.high if inflated else None,
                "certificate": inflation.certificates[protocol].digest,
            }


def render_inflation(inflation: Inflation) -> RichTable:
    """The table for a terminal of 80 columns and more."""
    warnings = warning_lines(inflation.certificates.values())
    table = render.rich_table(escape(title(inflation)), "", escape(note(inflation)), warnings)
    digests = ", ".join(each.digest[:12] for each in inflation.certificates.values())
    table.caption = f"{table.caption}\nCertificates {digests}."
    table.add_column("Method", overflow="fold")
    table.add_column("%")
    for protocol in inflation.protocols:
        table.add_column(_rich_heading(protocol), justify="right", vertical="top")
    for method in inflation.methods:
        kind = "teacher" if method.startswith(TEACHER_PREFIX) else ""
        name = f"[bold]{escape(display_name(method))}[/]\n[dim]{kind}[/]"
        for metric in METRICS:
            scores = [inflation.scores[method, protocol] for protocol in inflation.protocols]
            cells = [
                render.rich_estimate(score.pooled[metric], bold=metric == "ua")
                + _rich_points(score.inflation.get(metric))
                for score in scores
            ]
            table.add_row(name if metric == METRICS[0] else "", TITLES[metric], *cells)
        table.add_section()
    return table


def _rich_heading(protocol: ProtocolName) -> str:
    """Broken at its hyphens, so that eighty columns are enough."""
    name = fill(protocol if protocol == PROPER else f"{protocol}:", NARROW)
    return name if protocol == PROPER else f"{name}\n{LEAKS[protocol]}"


def _rich_points(estimate: Estimate | None) -> str:
    if estimate is None:
        return ""
    return (
        f"\n[red]{signed(estimate.value)}[/]\n"
        f"[dim]{signed(estimate.low)} to {signed(estimate.high)}[/]"
    )


def inflation_figure(inflation: Inflation) -> Figure:
    """UA of every method under each protocol, with its 95 % interval."""
    shown, protocols = inflation.methods, inflation.protocols
    figure = Figure(figsize=(7.2, 2.2 + 0.3 * len(shown) * len(protocols)), layout="constrained")
    axes = figure.add_subplot()
    step = 0.8 / len(protocols)
    for row, protocol in enumerate(protocols):
        colour, marker = STYLES[protocol]
        for place, method in enumerate(shown):
            ua = inflation.scores[method, protocol].pooled["ua"]
            height = place + (row - (len(protocols) - 1) / 2) * step
            axes.plot([100 * ua.low, 100 * ua.high], [height, height], color=colour, linewidth=1.8)
            label = fill(in_words(protocol), 60) if place == 0 else None
            axes.plot(100 * ua.value, height, marker, color=colour, markersize=7, label=label)
            axes.annotate(
                percent(ua.value),
                (100 * ua.high, height),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
            )
    axes.set_yticks(range(len(shown)), [_figure_name(method) for method in shown])
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.set_xlim(0, 105)
    axes.tick_params(axis="y", length=0, labelsize=10)
    axes.grid(axis="x", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_xlabel("UA in %, pooled over outer test folds, with 95 % interval", fontsize=10)
    teachers = warning_lines([inflation.certificates[PROPER]])
    figures.add_warnings(figure, title(inflation), teachers)
    figure.legend(loc="outside lower center", ncols=1, fontsize=9, frameon=False)
    return figure


def _figure_name(method: str) -> str:
    kind = " (teacher)" if method.startswith(TEACHER_PREFIX) else ""
    return fill(display_name(method) + kind, 26)
