"""Drawings of pages: where marks lie, what is escaped, which ticks stand."""

from __future__ import annotations

import re
from itertools import pairwise, product
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from serbench.results.figure import figure as f
from serbench.results.figure.palette import Style
from serbench.results.figure.svg.draw import drawing
from serbench.results.figure.svg.elements import SPRITE, Scale, element, nice_ticks, shortened, span

EVIL = "<script>alert(1)</script>\"'&"
PLAIN = Style(1)
AXIS = f.Axis(EVIL)


def draw(plot: f.Plot) -> Markup:
    return drawing(f.Panel(plot, EVIL, EVIL), "name", EVIL)


def a_forest(*rows: f.ForestRow) -> Markup:
    return draw(f.Forest(rows, f.Axis("UA in %"), f.ReferenceLine(0.0, "no difference")))


def drawn(svg: str, kind: str) -> list[ElementTree.Element]:
    """Elements that have a class; XML fails on anything unescaped."""
    every = ElementTree.fromstring(svg).iter()
    return [each for each in every if kind in each.get("class", "").split()]


PLOTS: list[f.Plot] = [
    f.Forest((f.ForestRow(EVIL, 5, 1, 9, PLAIN, EVIL, group=EVIL),), AXIS),
    f.Dots((f.DotRow(EVIL, (5.0, None)),), ((EVIL, PLAIN), (EVIL, PLAIN)), f.Axis(EVIL, 0, 9)),
    f.Lines((f.Line(EVIL, PLAIN, (1, 2), (3, 1), (2, 0), (4, 2)),), AXIS, AXIS,
            (f.ReferenceLine(1, EVIL),)),
    f.Bars((f.BarGroup(EVIL, (f.Bar(EVIL, 3, PLAIN),)),), AXIS),
    f.Histogram((0, 1), (f.Counted(EVIL, PLAIN, (3,)),), AXIS, AXIS),
    f.ReliabilityBins(PLAIN, (0, 0.5, 1), (0.3, 0.8), (0.2, 0.9), (4, 20)),
    f.Scatter((f.Point(EVIL, EVIL, 1, 2, 1, 3),), AXIS, AXIS),
    f.Diagram((EVIL, "b"), (1.0, 2.0), ((0, 1),), 0.5),
]  # fmt: skip


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.kind)
def test_a_drawing_escapes_what_it_is_given(plot: f.Plot) -> None:
    root = ElementTree.fromstring(draw(plot))
    assert not [each for each in root.iter() if each.tag == "script"]
    texts = [each.text or "" for each in root.iter()][2:]
    held = plot.kind == "reliability" or any(
        EVIL in text or shortened(EVIL, 16) in text or shortened(EVIL, 22) in text for text in texts
    )
    assert held


def test_a_mark_lies_where_its_value_is() -> None:
    svg = a_forest(f.ForestRow("a", 20, 10, 30, PLAIN), f.ForestRow("b", 30, 25, 35, PLAIN))
    scale = Scale(*span([10, 30, 25, 35, 0]))
    places = [float(each.get("x", "").rstrip("%")) for each in drawn(svg, "mark")]
    assert places == pytest.approx([scale.at(20), scale.at(30)], abs=0.01)
    low, high = drawn(svg, "interval")[0].get("x1"), drawn(svg, "interval")[0].get("x2")
    assert (low, high) == (scale.across(10), scale.across(30))


def test_what_cannot_be_told_apart_is_hollow_and_dashed_in_its_own_colour() -> None:
    svg = a_forest(
        f.ForestRow("a", 2, -1, 3, PLAIN, "", "unclear"),
        f.ForestRow("b", 2, 1, 3, Style(2), "", "better"),
    )
    assert [each.get("class") for each in drawn(svg, "mark")] == ["mark hollow c1", "mark c2"]
    assert ["unclear" in each.get("class", "") for each in drawn(svg, "row")] == [True, False]


def test_a_row_without_a_value_says_why() -> None:
    svg = a_forest(f.ForestRow("a", None, 0, 0, PLAIN, "not run"))
    assert not drawn(svg, "mark")
    assert [each.text for each in drawn(svg, "said")] == ["not run"]


def test_a_heading_stands_once_over_its_rows() -> None:
    rows = (f.ForestRow(name, 1, 0, 2, PLAIN, group="Terms") for name in "ab")
    assert [each.text for each in drawn(a_forest(*rows), "name")] == ["Terms", "a", "b"]


def test_long_labels_of_a_forest_stand_over_what_is_said() -> None:
    short = a_forest(f.ForestRow("a", 2, 1, 3, PLAIN, "said"))
    long = a_forest(f.ForestRow("a" * 30, 2, 1, 3, PLAIN, "said " * 4))
    assert [drawn(svg, "said")[0].get("text-anchor") for svg in (short, long)] == ["end", None]


def test_bins_with_few_predictions_are_hollow_and_empty_ones_are_not_drawn() -> None:
    nan = float("nan")
    svg = draw(
        f.ReliabilityBins(PLAIN, (0, 0.25, 0.5, 1), (nan, 0.4, 0.8), (nan, 0.2, 0.9), (0, 9, 10))
    )
    assert "nan" not in svg
    assert ["hollow" in each.get("class", "") for each in drawn(svg, "mark")] == [True, False]
    assert len(drawn(svg, "bar")) == 2


def test_a_line_of_one_point_can_be_drawn() -> None:
    svg = draw(f.Lines((f.Line("a", PLAIN, (1,), (0.0,)),), f.Axis("Epoch"), f.Axis("Loss")))
    assert "nan" not in svg
    assert len(drawn(svg, "mark")) == 1


def test_places_with_names_and_intervals_as_bars() -> None:
    line = f.Line("a", PLAIN, (0, 1), (5, 4), (4, 3), (6, 5), bars=True, joined=False)
    axis = f.Axis("SNR", -0.5, 1.5, ticks=((0, "clean"), (1, "20")))
    svg = draw(f.Lines((line,), axis, f.Axis("UA", 0, 10)))
    assert "clean" in [each.text for each in drawn(svg, "tick")]
    assert len(drawn(svg, "interval")) == 2
    assert not drawn(svg, "curve")


def test_bars_lie_end_to_end() -> None:
    parts = (f.Bar("a", 30, PLAIN), f.Bar("b", 0, PLAIN), f.Bar("c", 10, Style(2, dash="2 2")))
    first, last = drawn(draw(f.Bars((f.BarGroup("x", parts),), f.Axis("axis"))), "bar")
    start, width = (float(first.get(key, "").rstrip("%")) for key in ("x", "width"))
    assert float(last.get("x", "").rstrip("%")) == pytest.approx(start + width, abs=0.02)
    assert last.get("fill") == "url(#hatch-2)"
    assert 'id="hatch-2"' in SPRITE


numbers = st.floats(0.5, 100.0)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=12))
def test_the_front_is_what_nothing_beats(values: list[tuple[float, float]]) -> None:
    points = [f.Point(str(i), "", x, y, y, y) for i, (x, y) in enumerate(values)]
    front = f.pareto_front(points)
    for point in points:
        beaten = any(
            other.x <= point.x and other.y >= point.y and (other.x, other.y) != (point.x, point.y)
            for other in points
        )
        tied = any((each.x, each.y) == (point.x, point.y) for each in front)
        assert tied != beaten


@settings(max_examples=50, deadline=None)
@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e4), st.integers(3, 8))
def test_ticks_are_round_few_and_inside(low: float, width: float, most: int) -> None:
    ticks = nice_ticks(low, low + width, most)
    assert len(ticks) <= most + 1
    assert all(low - 1e-6 * width <= each <= low + width * (1 + 1e-6) for each in ticks)
    assert len({round((b - a) / width, 6) for a, b in pairwise(ticks)}) <= 1


def test_a_logarithmic_scale_keeps_ratios() -> None:
    scale = Scale(1, 100, log=True)
    assert [scale.at(each) for each in (1, 10, 100)] == pytest.approx([0, 50, 100])
    round_values = {d * 10**p for d, p in product((1, 1.5, 2, 3, 5, 7), (0, 1, 2))}
    assert {value for value, _ in scale.ticks()} <= round_values


def test_attributes_are_escaped_and_nothing_is_left_out_silently() -> None:
    made = element("text", EVIL, Markup("<b>kept</b>"), class_='"x"', fill=None, stroke_width=1.50)
    assert "<script>" not in made
    assert "<b>kept</b>" in made
    assert re.findall(r' (\S+?)="', made) == ["class", "stroke-width"]
