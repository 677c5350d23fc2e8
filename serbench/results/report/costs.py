"""UA of every student against its operations, and against its parameters."""

from __future__ import annotations

from collections.abc import Callable

from serbench.results.compare.names import display_name
from serbench.results.figure.figure import Axis, Figure, Panel, Point, Scatter, pareto_front
from serbench.results.report.results import MethodInfo, Results
from serbench.results.table.columns import Column, make_table
from serbench.results.table.formats import number

Cost = Callable[[MethodInfo], float | None]

COSTS: tuple[tuple[str, str, Cost], ...] = (
    ("FLOPs", "GFLOPs for 3 s of audio", lambda each: each.flops and each.flops / 1e9),
    ("parameters", "Parameters in millions", lambda each: (each.parameters or (0, 0))[1] / 1e6),
)


def costs_figure(results: Results) -> Figure | None:
    """The figure; None for a leaky run, or if all students cost the same or were not counted."""
    compared, info = results.comparison, results.methods
    counted = [each for each in compared.students if info[each.method].flops]
    if results.leaky or len({info[each.method].flops for each in counted}) < 2:
        return None
    panels, numbers = [], {}
    for what, axis, cost in COSTS:
        points = tuple(
            Point(
                str(place), display_name(each.method), cost(info[each.method]) or 0.0,
                *(100 * value for value in (ua.value, ua.low, ua.high)),
            )
            for place, each in enumerate(counted, start=1)
            for ua in (each.pooled["ua"],)
        )  # fmt: skip
        front = pareto_front(points)
        said = ", ".join(point.name for point in front)
        panels.append(
            Panel(
                Scatter(points, Axis(axis), Axis("UA in %")),
                f"UA against {what}",
                f"{len(points)} methods; none is better in both values than {said}.",
            )
        )
        numbers[axis] = [(point, point in front) for point in points]
    columns: list[Column[tuple[Point, bool]]] = [
        Column("Method", lambda each: each[0].name),
        Column("Cost", lambda each: each[0].x, number(".3g")),
        Column("UA in %", lambda each: each[0].y, number(".2f")),
        Column("On the front", lambda each: "yes" if each[1] else "no"),
    ]
    caption = f"What students cost and what they score on {results.dataset['name']}"
    key = "; ".join(f"{n} {display_name(each.method)}" for n, each in enumerate(counted, start=1))
    return Figure(
        "costs-chart",
        caption,
        tuple(panels),
        notes=(
            f"{key}.",
            "Diamonds on the line: the Pareto front, where no other method is better in both "
            "values; differences on it need not be significant. Bars: 95 % intervals. FLOPs: of "
            "the student without its front end, matrix products and convolutions only; a "
            "multiply-accumulate counts as two.",
        ),
        warnings=results.warnings,
        numbers=make_table("numbers", f"{caption}, as numbers", columns, numbers),
        wide=True,
    )
