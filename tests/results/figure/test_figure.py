"""One description of a figure is drawn into a file and into a page."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from pydantic import TypeAdapter

from serbench.results.figure import figure as f
from serbench.results.figure.palette import (
    COLOURS,
    DARK_COLOURS,
    GREY,
    MARKS,
    NEUTRAL,
    Style,
    style_of,
    styles_of,
)
from serbench.results.figure.png import drawn, figure_files, png
from serbench.results.figure.svg.draw import drawing, drawings
from serbench.results.figure.svg.elements import SPRITE, Scale, swatch

pytestmark = pytest.mark.usefixtures("figure_files")

STYLES = styles_of(["akd", "vanilla-kd", "teacher:w2v"])

FOREST = f.Forest(
    (
        f.ForestRow("akd", 73.0, 68.0, 77.0, STYLES["akd"], "73.0 [68.0, 77.0]", group="Students"),
        f.ForestRow("kd", 70.0, 65.0, 75.0, STYLES["vanilla-kd"], "70.0", "unclear", "Students"),
        f.ForestRow("w2v", None, 0, 0, STYLES["teacher:w2v"], "not run: as akd", group="Teachers"),
    ),
    f.Axis("UA in %", 0, 100),
    f.ReferenceLine(25.0, "chance"),
)
LINES = f.Lines(
    (
        f.Line("akd", STYLES["akd"], (0, 1, 2), (70, 60, 40), (65, 55, 35), (75, 65, 45)),
        f.Line("kd", STYLES["vanilla-kd"], (0, 1, 2), (50, 45, 30), (45, 40, 25), (55, 50, 35),
               bars=True, joined=False),
    ),
    f.Axis("SNR in dB", -0.5, 2.5, ticks=((0, "clean"), (1, "20"), (2, "10"))),
    f.Axis("UA in %", 0, 100),
    (f.ReferenceLine(25.0, "chance"),),
)  # fmt: skip
BARS = f.Bars(
    (
        f.BarGroup("anger", (f.Bar("right", 10.0, Style(1)), f.Bar("wrong", 5.0, Style(2))), "15"),
        f.BarGroup("sad", (f.Bar("right", 0.0, Style(1)),)),
    ),
    f.Axis("Gate closed in %"),
)
HISTOGRAM = f.Histogram(
    (0.0, 0.5, 1.0),
    (f.Counted("right", Style(1), (3, 0)), f.Counted("wrong", Style(2), (1, 20))),
    f.Axis("γ"),
    f.Axis("Cases (log scale)", log=True),
)
DOTS = f.Dots(
    (f.DotRow("anger", (10.0, 20.0)), f.DotRow("sad", (None, 30.0))),
    (("akd", STYLES["akd"]), ("kd", STYLES["vanilla-kd"])),
    f.Axis("Recall in %", 0, 100),
)
SCATTER = f.Scatter(
    (
        f.Point("1", "torch (fp32)", 2.0, 70.0, 70.0, 70.0),
        f.Point("2", "onnx (int8)", 1.0, 69.0, 68.0, 70.5),
        f.Point("3", "slow", 4.0, 60.0, 59.0, 61.0),
    ),
    f.Axis("ms"),
    f.Axis("UA in %"),
)
RELIABILITY = f.ReliabilityBins(STYLES["akd"], (0.0, 0.5, 1.0), (0.0, 0.8), (0.0, 0.7), (0, 20))
MATRIX = f.Matrix(("anger", "sad"), ((5, 1), (0, 6)))
DIAGRAM = f.Diagram(("a", "b", "c"), (1.0, 2.25, 2.75), ((0, 1), (1, 2)), 1.4)

BOTH = [FOREST, LINES, BARS, HISTOGRAM, SCATTER, DIAGRAM]


def figure_of(*plots: f.Plot) -> f.Figure:
    panels = tuple(f.Panel(plot, f"Panel {i}", "What there is.") for i, plot in enumerate(plots))
    legend = tuple(f.Key(kind, style_of(i), kind) for i, kind in enumerate(("mark", "line", "bar")))
    return f.Figure("one", "A caption", panels, legend, alarm="LEAKY", warnings=("Doubtful.",))


@pytest.mark.parametrize("plot", [*BOTH, MATRIX], ids=lambda plot: plot.kind)
def test_files(plot: f.Plot) -> None:
    data = png(figure_of(plot))
    assert data.startswith(b"\x89PNG")
    assert png(figure_of(plot)) == data


@pytest.mark.parametrize("plot", [*BOTH, DOTS, RELIABILITY], ids=lambda plot: plot.kind)
def test_pages(plot: f.Plot) -> None:
    root = ElementTree.fromstring(drawing(f.Panel(plot, "", "What there is."), "x", "A caption"))
    assert [each.text for each in root[:2]] == ["A caption", "What there is."]
    assert root.get("aria-labelledby") == "x-title x-desc"
    assert len(root) > 3


@pytest.mark.parametrize("plot", [DOTS, RELIABILITY], ids=lambda plot: plot.kind)
def test_some_kinds_are_for_pages_only(plot: f.Plot) -> None:
    with pytest.raises(ValueError, match="not drawn into a file"):
        png(figure_of(plot))


def test_a_matrix_is_a_table_on_pages() -> None:
    with pytest.raises(ValueError, match="not drawn as SVG"):
        drawing(f.Panel(MATRIX), "x", "")


def test_panels_have_names_of_their_own() -> None:
    found = dict(drawings(figure_of(FOREST, LINES, BARS)))
    assert [*found] == ["Panel 0", "Panel 1", "Panel 2"]
    assert 'id="one-2-title"' in found["Panel 1"]


def test_a_figure_is_saved_and_read_again() -> None:
    figure = figure_of(*BOTH, MATRIX, DOTS, RELIABILITY)
    adapter = TypeAdapter(f.Figure)
    assert adapter.validate_json(adapter.dump_json(figure)) == figure


def test_the_alarm_stands_above_caption_and_warnings_below_all_else() -> None:
    canvas = drawn(figure_of(FOREST, LINES))
    assert canvas.get_suptitle() == "LEAKY"
    FigureCanvasAgg(canvas).draw()
    texts = {text.get_text(): text.get_window_extent() for text in canvas.texts}
    legend = canvas.legends[0].get_window_extent()
    lowest = min(axes.get_tightbbox().y0 for axes in canvas.axes)
    assert lowest >= legend.y0 >= texts["A caption"].y1 - 1
    assert texts["A caption"].y0 >= texts["Doubtful."].y1 - 1
    assert texts["Doubtful."].y0 >= 0


@pytest.mark.parametrize("plot", [FOREST, MATRIX], ids=lambda plot: plot.kind)
def test_files_for_papers(plot: f.Plot) -> None:
    files = figure_files(figure_of(plot))
    assert [*files] == [".png", ".pdf", ".svg"]
    assert files[".pdf"].startswith(b"%PDF-")
    assert ElementTree.fromstring(files[".svg"]).tag.endswith("svg")
    assert figure_files(figure_of(plot)) == files


def test_epochs_are_whole_numbers_on_axes() -> None:
    line = f.Line("akd", STYLES["akd"], tuple(map(float, range(1, 13))), (1.0,) * 12)
    plot = f.Lines((line,), f.Axis("Epoch", whole=True), f.Axis("Loss"))
    for most in (3.0, 4.0, 7.0, 12.0, 25.0, 60.0):
        ticks = Scale(1.0, most, whole=True).ticks()
        assert len(ticks) > 1
        assert all(tick == int(tick) for tick, _ in ticks), most
    assert "2.5" not in drawing(f.Panel(plot), "x", "")


def test_no_line_of_a_forest_crosses_its_words() -> None:
    root = ElementTree.fromstring(drawing(f.Panel(FOREST), "x", ""))
    words = [float(each.get("y", 0)) for each in root.iter("text")
             if "name" in each.get("class", "") or "said" in each.get("class", "")]  # fmt: skip
    upright = [
        (float(each.get("y1", 0)), float(each.get("y2", 0)))
        for each in root.iter("line")
        if each.get("class") in ("grid", "reference")
    ]
    assert words
    assert upright
    for baseline in words:  # letters of 13 pixels reach 10 above it and 3 below
        assert all(end <= baseline - 10 or start >= baseline + 3 for start, end in upright)


def test_an_axis_of_per_cent_fits_its_values() -> None:
    assert f.percent_ends([63.0, 88.0]) == (60, 90)
    assert f.percent_ends([60.5, 99.0]) == (50, 100)
    assert f.percent_ends([0.0, 100.0]) == (0, 100)


def test_a_method_has_one_style_and_teachers_are_grey() -> None:
    assert STYLES["akd"] != STYLES["vanilla-kd"]
    assert STYLES["teacher:w2v"].colour == GREY
    assert styles_of(["akd", "vanilla-kd"]).items() <= STYLES.items()


def test_a_method_has_the_same_colour_in_files_and_pages() -> None:
    forest = drawing(f.Panel(FOREST), "x", "")
    canvas = drawn(figure_of(FOREST))
    colours = {line.get_color() for line in canvas.axes[0].lines}
    assert 'class="mark c1"' in forest
    assert COLOURS[0] in colours


def test_many_series_differ_in_colour_or_mark() -> None:
    count = len(MARKS) * (GREY - 1)
    assert len({(style_of(i).colour, style_of(i).mark) for i in range(count)}) == count
    assert len(COLOURS) == len(DARK_COLOURS) == GREY
    assert NEUTRAL.colour == GREY


def test_the_front_is_what_no_other_beats() -> None:
    assert [each.label for each in f.pareto_front(SCATTER.points)] == ["2", "1"]


def test_legends_and_marks_are_well_formed() -> None:
    for kind in ("mark", "line", "bar"):
        ElementTree.fromstring(swatch(f.Key("x", Style(1, dash="6 3"), kind)))
    assert len(ElementTree.fromstring(SPRITE)[0]) == len(MARKS) + GREY
