"""The critical-difference diagram as inline SVG, in the colours of the page."""

from __future__ import annotations

from markupsafe import Markup

from serbench.results.compare.ranks import Ranks
from serbench.results.pages.charts.svg import element
from serbench.results.report.ranks_figure import LINE_IN, TOP_IN, WIDTH_IN, Diagram, Label, diagram

PX = 100.0
"""Pixels for each inch of the layout."""


def ranks_svg(ranks: Ranks) -> Markup:
    """The diagram, rank 1 on the left; a screen reader gets the ranks and groups in words."""
    plan = diagram(ranks)
    width, height = PX * WIDTH_IN, PX * plan.height
    return element(
        "svg",
        element("title", f"Average ranks over {len(ranks.corpora)} corpora", id="ranks-title"),
        element("desc", described(ranks), id="ranks-desc"),
        *_scale(plan),
        *(
            _line(bar.first, bar.y, bar.last, bar.y, stroke="var(--ink)", stroke_width=5)
            for bar in plan.bars
        ),
        *(part for label in plan.labels for part in _label(label)),
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        role="img",
        aria_labelledby="ranks-title ranks-desc",
        class_="diagram",
        style=f"min-width:{0.75 * width:.0f}px;max-width:{width:.0f}px",
    )


def described(ranks: Ranks) -> str:
    """Ranks and groups in a sentence each."""
    places = ", ".join(
        f"{method} {rank:.2f}"
        for method, rank in zip(ranks.methods, ranks.average.tolist(), strict=True)
    )
    groups = "; ".join(", ".join(group) for group in ranks.groups if len(group) > 1)
    critical = f"Critical difference {ranks.critical_difference:.2f}."
    apart = f"Cannot be told apart: {groups}." if groups else "All are told apart."
    return f"{places}. {critical} {apart}"


def _scale(plan: Diagram) -> list[Markup]:
    first, last = LINE_IN
    parts = [_line(first, TOP_IN, last, TOP_IN)]
    for rank, x in plan.ticks:
        parts.append(_line(x, TOP_IN, x, TOP_IN - 0.06))
        parts.append(_text(str(rank), x, TOP_IN - 0.11, "middle"))
    parts.append(_text(plan.caption, first, 0.25, "start", fill="var(--quiet)"))
    if plan.critical is not None:
        quiet = "var(--quiet)"
        parts.append(_line(first, 0.38, plan.critical, 0.38, stroke=quiet))
        parts += [_line(x, 0.33, x, 0.43, stroke=quiet) for x in (first, plan.critical)]
    return parts


def _label(label: Label) -> tuple[Markup, Markup]:
    side = -1 if label.left else 1
    end = LINE_IN[0] - 0.2 if label.left else LINE_IN[1] + 0.2
    points = ((label.x, TOP_IN), (label.x, label.y), (end, label.y))
    return (
        element(
            "polyline",
            points=" ".join(f"{PX * x:.1f},{PX * y:.1f}" for x, y in points),
            fill="none",
            stroke="var(--s1)",
        ),
        _text(
            f"{label.text}  {label.rank:.2f}",
            end + 0.06 * side,
            label.y + 0.045,
            "end" if label.left else "start",
        ),
    )


def _line(
    x1: float, y1: float, x2: float, y2: float, stroke: str = "var(--ink)", **attributes: object
) -> Markup:
    places = {"x1": PX * x1, "y1": PX * y1, "x2": PX * x2, "y2": PX * y2}
    return element("line", **places, stroke=stroke, **attributes)


def _text(text: str, x: float, y: float, anchor: str, fill: str = "var(--ink)") -> Markup:
    place = {"x": PX * x, "y": PX * y, "text_anchor": anchor}
    return element("text", text, **place, fill=fill)
