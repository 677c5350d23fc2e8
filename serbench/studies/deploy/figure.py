"""Change in UA against latency, with size as the area of a marker, and the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from serbench.results.report.figures import (
    CHANCE_COLOUR,
    STUDENT_COLOUR,
    TEACHER_COLOUR,
    add_warnings,
)
from serbench.studies.deploy.notes import THIS_MACHINE, warnings
from serbench.studies.deploy.study import DeployStudy
from serbench.studies.deploy.timing import summarize

LARGEST_AREA = 420.0
"""Of the marker of the largest file, in square points."""

LEAST_SPAN = 1.0
"""Points of UA to either side that the figure shows at least, so that nothing looks like much."""


@dataclass(frozen=True, slots=True)
class Point:
    """A backend: ms, percentage points with their interval, bytes."""

    name: str
    latency_ms: float
    delta: float
    low: float
    high: float
    size_bytes: int
    on_gpu: bool


def points(study: DeployStudy) -> tuple[Point, ...]:
    """Backends of this machine that have both a score and times, the quickest first."""
    results = study.results
    window_s = results.settings.effort.window_s
    found = []
    for row in results.rows:
        speed = summarize(row.rounds, row.rounds, results.settings.effort)
        if speed is None or row.accuracy is None or row.size_bytes is None:
            continue
        score = row.accuracy
        deltas = (score.delta_ua, score.delta_ua_low, score.delta_ua_high)
        delta, low, high = (100 * (each or 0.0) for each in deltas)
        found.append(
            Point(
                row.name, 1e3 * speed.latency[window_s].p50_s, delta, low, high, row.size_bytes,
                row.device == "cuda",
            )
        )  # fmt: skip
    return tuple(sorted(found, key=lambda each: (each.latency_ms, -each.delta)))


def pareto_front(found: Sequence[Point]) -> tuple[Point, ...]:
    """Those that no other beats in both latency and UA; ``found`` with the quickest first."""
    front: list[Point] = []
    for point in found:
        if not front or point.delta > front[-1].delta:
            front.append(point)
    return tuple(front)


def deploy_figure(study: DeployStudy) -> Figure:
    """See the module."""
    found = points(study)
    figure = Figure(figsize=(8.0, 5.4), layout="constrained")
    axes = figure.add_subplot()
    if found:
        _draw(axes, found)
    results = study.results
    window_s = results.settings.effort.window_s
    axes.set_xlabel(f"Median latency of {window_s:g} s of audio in ms, batch 1", fontsize=10)
    axes.set_ylabel(f"ΔUA to {results.reference} in points, with 95 % interval", fontsize=10)
    axes.set_title(
        f"{results.run.method} on {results.run.dataset} through each backend", fontsize=12,
        loc="left",
    )  # fmt: skip
    axes.grid(color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    add_warnings(figure, "", (f"{results.machine.name}. {THIS_MACHINE}", *warnings(study)))
    figure.legend(
        handles=_legend(found), loc="outside lower center", ncols=4, fontsize=9, frameon=False
    )
    return figure


def _draw(axes: Axes, found: Sequence[Point]) -> None:
    largest = max(point.size_bytes for point in found)
    front = pareto_front(found)
    axes.set_xscale("log")
    axes.axhline(0, color=CHANCE_COLOUR, linestyle=":", linewidth=1.2)
    axes.plot(
        [point.latency_ms for point in front], [point.delta for point in front],
        color=TEACHER_COLOUR, linewidth=1.4, drawstyle="steps-post", zorder=2,
    )  # fmt: skip
    for place, point in enumerate(found):
        colour = TEACHER_COLOUR if point in front else STUDENT_COLOUR
        axes.plot([point.latency_ms] * 2, [point.low, point.high], color=colour, alpha=0.45)
        axes.scatter(
            point.latency_ms, point.delta, s=LARGEST_AREA * point.size_bytes / largest,
            color=colour, marker="s" if point.on_gpu else "o", alpha=0.6, zorder=3,
            edgecolors="white",
        )  # fmt: skip
        above = place % 2 == 0
        axes.annotate(
            point.name, (point.latency_ms, point.delta), xytext=(3, 14 if above else -14),
            textcoords="offset points", fontsize=8, rotation=35 if above else -35,
            ha="left", va="bottom" if above else "top", rotation_mode="anchor",
        )  # fmt: skip
    low, high = min(point.low for point in found), max(point.high for point in found)
    axes.set_ylim(min(-LEAST_SPAN, 1.2 * low), max(LEAST_SPAN, 1.2 * high))
    axes.set_xlim(found[0].latency_ms / 1.25, found[-1].latency_ms * 1.6)
    shown = [f"{tick:g}" for tick in _ticks(found)]
    axes.set_xticks(_ticks(found), shown)
    axes.minorticks_off()


def _ticks(found: Sequence[Point]) -> list[float]:
    """Round latencies around those that are there."""
    low, high = found[0].latency_ms / 1.25, found[-1].latency_ms * 1.6
    steps = [digit * 10.0**power for power in range(-3, 6) for digit in (1, 2, 5)]
    return [step for step in steps if low <= step <= high]


def _legend(found: Sequence[Point]) -> list[Line2D]:
    handles = [
        Line2D([], [], color=STUDENT_COLOUR, marker="o", linestyle="", label="CPU"),
        Line2D([], [], color=TEACHER_COLOUR, marker="o", label="Pareto front of the values"),
        Line2D([], [], color=CHANCE_COLOUR, marker="o", linestyle="", alpha=0.5,
               label="area: file size"),
    ]  # fmt: skip
    if any(point.on_gpu for point in found):
        gpu = Line2D([], [], color=STUDENT_COLOUR, marker="s", linestyle="", label="GPU")
        handles.insert(1, gpu)
    return handles
