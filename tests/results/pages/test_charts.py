from __future__ import annotations

import re
from itertools import pairwise, product
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from serbench.results.pages.charts.bars import Bar, BarGroup, bars
from serbench.results.pages.charts.dots import DotRow, dots
from serbench.results.pages.charts.forest import ForestRow, forest
from serbench.results.pages.charts.lines import Axis, Line, lines
from serbench.results.pages.charts.reliability import reliability_panel
from serbench.results.pages.charts.scatter import Point, pareto_front, scatter
from serbench.results.pages.charts.svg import (
    SPRITE,
    Scale,
    Style,
    element,
    nice_ticks,
    shortened,
    span,
    style_of,
)

EVIL = "<script>alert(1)</script>\"'&"
PLAIN = Style(1, "circle")


def a_forest(*rows: ForestRow) -> Markup:
    return forest("f", "Title", "Description", rows, "UA in %", reference=0.0)


def parse(svg: str) -> ElementTree.Element:
    """As XML, which fails on anything unescaped."""
    return ElementTree.fromstring(svg)


def drawn(svg: str, kind: str) -> list[ElementTree.Element]:
    """Elements that have a class."""
    return [each for each in parse(svg).iter() if kind in each.get("class", "").split()]


DRAWINGS = {
    "forest": a_forest(ForestRow(EVIL, EVIL, 5, 1, 9, PLAIN)),
    "dots": dots(
        "d", EVIL, EVIL, [DotRow(EVIL, (5.0, None))], [(EVIL, PLAIN)] * 2, Scale(0, 9), EVIL
    ),
    "lines": lines(
        "l", EVIL, EVIL, [Line(EVIL, PLAIN, (1, 2), (3, 1), (2, 0), (4, 2))], Axis(EVIL), Axis(EVIL)
    ),
    "bars": bars("b", EVIL, EVIL, [BarGroup(EVIL, (Bar(EVIL, 3, PLAIN),))], EVIL),
    "reliability": reliability_panel(
        "r", EVIL, EVIL, PLAIN, (0, 0.5, 1), (0.3, 0.8), (0.2, 0.9), (4, 20)
    ),
    "scatter": scatter("s", EVIL, EVIL, [Point(EVIL, EVIL, 1, 2, 1, 3)], EVIL, EVIL),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_has_a_title_and_a_description_that_name_it(name: str) -> None:
    root = parse(DRAWINGS[name])
    assert root.get("role") == "img"
    ids = {each.get("id"): each.tag for each in root}
    wanted = root.get("aria-labelledby", "").split()
    assert [ids[each] for each in wanted] == ["title", "desc"]


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_escapes_what_it_is_given(name: str) -> None:
    root = parse(DRAWINGS[name])
    assert not [each for each in root.iter() if each.tag == "script"]
    texts = [each.text or "" for each in root.iter()]
    assert any(EVIL in text or shortened(EVIL, 16) in text for text in texts)


def test_a_mark_lies_where_its_value_is() -> None:
    svg = a_forest(ForestRow("a", "", 20, 10, 30, PLAIN), ForestRow("b", "", 30, 25, 35, PLAIN))
    scale = span([10, 30, 25, 35, 0], least=0.5)
    places = [float(each.get("x", "").rstrip("%")) for each in drawn(svg, "mark")]
    assert places == pytest.approx([scale.at(20), scale.at(30)], abs=0.01)
    low, high = drawn(svg, "interval")[0].get("x1"), drawn(svg, "interval")[0].get("x2")
    assert (low, high) == (scale.across(10), scale.across(30))


def test_what_cannot_be_told_apart_is_hollow_and_dashed() -> None:
    svg = a_forest(
        ForestRow("a", "", 2, -1, 3, PLAIN, "unclear"), ForestRow("b", "", 2, 1, 3, PLAIN, "better")
    )
    assert len(drawn(svg, "hollow")) == 1
    assert ["unclear" in each.get("class", "") for each in drawn(svg, "row")] == [True, False]


def test_long_labels_of_a_forest_stand_over_what_is_said() -> None:
    short = a_forest(ForestRow("a", "said", 2, 1, 3, PLAIN))
    long = a_forest(ForestRow("a" * 30, "said " * 4, 2, 1, 3, PLAIN))
    anchors = [drawn(svg, "said")[0].get("text-anchor") for svg in (short, long)]
    assert anchors == ["end", None]


def test_bins_with_few_predictions_are_hollow_and_empty_ones_are_not_drawn() -> None:
    nan = float("nan")
    svg = reliability_panel(
        "r", "t", "d", PLAIN, (0, 0.25, 0.5, 1), (nan, 0.4, 0.8), (nan, 0.2, 0.9), (0, 9, 10)
    )
    assert "nan" not in svg
    assert ["hollow" in each.get("class", "") for each in drawn(svg, "mark")] == [True, False]
    assert len(drawn(svg, "bar")) == 2


def test_a_curve_of_one_epoch_can_be_drawn() -> None:
    svg = lines("l", "t", "d", [Line("a", PLAIN, (1,), (0.0,))], Axis("Epoch"), Axis("Loss"))
    assert "nan" not in svg
    assert len(drawn(svg, "mark")) == 1


def test_bars_lie_end_to_end() -> None:
    parts = (Bar("a", 30, PLAIN), Bar("b", 0, PLAIN), Bar("c", 10, Style(2, "square", "2 2")))
    first, last = drawn(bars("b", "t", "d", [BarGroup("x", parts)], "axis"), "bar")
    start, width = (float(first.get(key, "").rstrip("%")) for key in ("x", "width"))
    assert float(last.get("x", "").rstrip("%")) == pytest.approx(start + width, abs=0.02)
    assert last.get("fill") == "url(#hatch-2)"
    assert 'id="hatch-2"' in SPRITE


numbers = st.floats(0.5, 100.0)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=12))
def test_the_front_is_what_nothing_beats(values: list[tuple[float, float]]) -> None:
    points = [Point(str(i), "", x, y, y, y) for i, (x, y) in enumerate(values)]
    front = pareto_front(points)
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
    steps = {round((b - a) / width, 6) for a, b in pairwise(ticks)}
    assert len(steps) <= 1


def test_a_logarithmic_scale_keeps_ratios() -> None:
    scale = Scale(1, 100, log=True)
    assert [scale.at(each) for each in (1, 10, 100)] == pytest.approx([0, 50, 100])
    assert set(scale.ticks()) <= {d * 10**p for d, p in product((1, 1.5, 2, 3, 5, 7), (0, 1, 2))}


def test_series_differ_in_colour_or_mark() -> None:
    styles = [style_of(index) for index in range(49)]
    assert len({(each.colour, each.mark) for each in styles}) == 49
    first = styles[:7]
    assert len({each.colour for each in first}) == len({each.mark for each in first}) == 7


def test_attributes_are_escaped_and_nothing_is_left_out_silently() -> None:
    made = element("text", EVIL, Markup("<b>kept</b>"), class_='"x"', fill=None, stroke_width=1.50)
    assert "<script>" not in made
    assert "<b>kept</b>" in made
    assert re.findall(r' (\S+?)="', made) == ["class", "stroke-width"]
