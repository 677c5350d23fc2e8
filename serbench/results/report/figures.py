"""The figures of a report, as PNG, drawn without a display."""

from __future__ import annotations

import io
from collections.abc import Sequence
from textwrap import fill

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from serbench.results.compare.records import MethodResult
from serbench.results.report.marks import mark
from serbench.results.report.results import Results
from serbench.results.report.tables import display_name, percent

STUDENT_COLOUR, TEACHER_COLOUR, CHANCE_COLOUR = "#0072B2", "#D55E00", "#666666"
"""Okabe and Ito's palette, told apart by colour-blind readers; shapes differ as well."""

LEAKY_COLOUR = "#B00020"

DPI = 160


def png(figure: Figure) -> bytes:
    """The figure as PNG. The same figure gives the same bytes."""
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


def add_warnings(figure: Figure, mark: str, warnings: Sequence[str]) -> None:
    """The mark of a leaky run, and its warnings, over everything else in the figure."""
    lines = [mark] if mark else []
    lines += [line for line in warnings if not (mark and line.startswith(mark))]
    if lines:
        wrapped = [fill(line, int(13.5 * figure.get_figwidth())) for line in lines]
        colour = LEAKY_COLOUR if mark else CHANCE_COLOUR
        figure.suptitle("\n".join(wrapped), fontsize=9, color=colour)


def confusion_figure(result: MethodResult, results: Results, dataset: str) -> Figure:
    """Confusion matrix: colour is the share of the true class, text the count."""
    counts, labels = result.confusion, results.comparison.labels
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = 2.6 + 0.62 * len(labels)
    figure = Figure(figsize=(size + 0.9, size), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(100 * shares, cmap="Blues", vmin=0, vmax=100)
    for row, column in np.ndindex(*counts.shape):
        axes.text(
            column,
            row,
            str(counts[row, column]),
            ha="center",
            va="center",
            fontsize=11,
            color=_text_colour(shares[row, column]),
            fontweight="bold" if row == column else "normal",
        )
    axes.set_xticks(range(len(labels)), labels, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(labels)), labels)
    axes.tick_params(length=0, labelsize=10)
    axes.set_xlabel("Predicted class", fontsize=11)
    axes.set_ylabel("True class", fontsize=11)
    kind = "Teacher " if result.is_teacher else ""
    axes.set_title(
        f"{kind}{display_name(result.method)} on {dataset}\n"
        f"UA {percent(result.pooled['ua'].value)} %, WA {percent(result.pooled['wa'].value)} %",
        fontsize=12,
    )
    add_warnings(figure, mark(results.protocol), results.warnings)
    bar = figure.colorbar(image, ax=axes, shrink=0.85)
    bar.set_label("Share of the true class in %", fontsize=10)
    return figure


def _text_colour(share: float) -> str:
    """Readable on the colour of ``share``; empty cells stand back."""
    if share == 0:
        return "#8a8a8a"
    return "white" if share > 0.7 else "black"


def ua_figure(results: Results, dataset: str) -> Figure:
    """Pooled UA of every method with its 95 % interval, and chance."""
    compared = results.comparison
    shown = (*compared.students, *compared.teachers)
    figure = Figure(figsize=(7.2, 1.9 + 0.42 * len(shown)), layout="constrained")
    axes = figure.add_subplot()
    for place, result in enumerate(shown):
        ua = result.pooled["ua"]
        colour = TEACHER_COLOUR if result.is_teacher else STUDENT_COLOUR
        axes.plot([100 * ua.low, 100 * ua.high], [place, place], color=colour, linewidth=2)
        axes.plot(
            100 * ua.value,
            place,
            marker="D" if result.is_teacher else "o",
            markersize=7,
            clip_on=False,
            color=colour,
        )
        axes.annotate(
            percent(ua.value),
            (100 * ua.value, place),
            xytext=(0, 7),
            textcoords="offset points",
            ha="center",
            fontsize=9,
        )
    axes.axvline(100 / len(compared.labels), color=CHANCE_COLOUR, linestyle="--", linewidth=1.2)
    axes.set_yticks(range(len(shown)), [fill(display_name(result.method), 26) for result in shown])
    axes.set_ylim(len(shown) - 0.5, -0.7)
    axes.set_xlim(0, 100)
    axes.tick_params(axis="y", length=0, labelsize=10)
    axes.grid(axis="x", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_xlabel("UA in %, pooled over outer test folds, with 95 % interval", fontsize=10)
    axes.set_title(f"Unweighted accuracy on {dataset}", fontsize=12, loc="left")
    add_warnings(figure, mark(results.protocol), results.warnings)
    figure.legend(
        handles=_legend(bool(compared.teachers)),
        loc="outside lower center",
        ncols=3,
        fontsize=9,
        frameon=False,
    )
    return figure


def _legend(with_teachers: bool) -> list[Line2D]:
    student = Line2D([], [], color=STUDENT_COLOUR, marker="o", label="student")
    teacher = Line2D([], [], color=TEACHER_COLOUR, marker="D", label="teacher")
    chance = Line2D([], [], color=CHANCE_COLOUR, linestyle="--", label="chance")
    return [student, *([teacher] if with_teachers else []), chance]
