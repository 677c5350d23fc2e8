"""The figure of UA against latency and against size, with the Pareto fronts."""

from __future__ import annotations

from collections.abc import Callable

from serbench.results.compare.records import Estimate
from serbench.results.figure.figure import Axis, Figure, Panel, Point, Scatter, pareto_front
from serbench.results.table.columns import Column, make_table
from serbench.results.table.formats import number
from serbench.studies.deploy.entries import DeploymentEntry, entries_of, precision
from serbench.studies.deploy.results import DeployResults


def deploy_figure(results: DeployResults) -> Figure:
    """UA against each cost, with backends numbered; no panels if nothing was timed."""
    entries = [each for each in entries_of(results) if each.number]
    window_s = results.settings.effort.window_s
    base = next((e.ua for e in entries if e.row.name == results.reference), None)
    costs: tuple[tuple[str, str, Callable[[DeploymentEntry], float | None]], ...] = (
        ("latency", f"Median latency of {window_s:g} s of audio in ms", lambda e: e.latency_ms),
        ("size", "Size of the converted files in MB", lambda e: e.size_mb),
    )
    panels, numbers = [], {}
    for what, axis, cost in costs:
        points = [
            _point(each, each.ua, x, base)
            for each in entries
            if each.ua and (x := cost(each)) is not None and x > 0
        ]
        if points:
            front = ", ".join(point.name for point in pareto_front(points))
            said = f"{len(points)} backends; none is better in both values than {front}."
            plot = Scatter(tuple(points), Axis(axis), Axis("UA in %"))
            panels.append(Panel(plot, f"UA against {what}", said))
            numbers[axis] = [(point, point in pareto_front(points)) for point in points]
    columns: list[Column[tuple[Point, bool]]] = [
        Column("Backend", lambda each: each[0].name),
        Column("Cost", lambda each: each[0].x, number(".3g")),
        Column("UA in %", lambda each: each[0].y, number(".2f")),
        Column("On the front", lambda each: "yes" if each[1] else "no"),
    ]
    caption = f"Cost and UA of {results.run.method} by backend"
    key = "; ".join(f"{each.number} {each.row.name}" for each in entries)
    return Figure(
        "deploy",
        caption,
        tuple(panels),
        notes=(
            f"{key}.",
            "Diamonds on the line: the Pareto front, where no other backend is better in both "
            f"values. Bars: the 95 % CI of the difference to {results.reference}, drawn at its "
            "UA; no bar if every utterance gets the same class.",
        ),
        numbers=make_table("numbers", f"{caption}, as numbers", columns, numbers),
        wide=True,
    )


def _point(each: DeploymentEntry, ua: Estimate, x: float, base: Estimate | None) -> Point:
    low = high = ua.value
    if base and (delta := each.delta):
        low, high = base.value + delta.low, base.value + delta.high
    name = f"{each.row.name} ({precision(each.row)})"
    return Point(str(each.number), name, x, 100 * ua.value, 100 * low, 100 * high)
