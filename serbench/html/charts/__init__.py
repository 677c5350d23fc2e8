"""Charts as inline SVG that follows the page: its width, its colours, light or dark.

Positions across are per cent of the width and positions down are pixels, so that a chart is as
wide as its place while its letters keep their size. Colours and strokes come from the page's
stylesheet. Series differ by colour, mark and dash at once.
"""

from serbench.html.charts.bars import Bar, BarGroup, bars
from serbench.html.charts.chart import Chart, Key, Panel
from serbench.html.charts.dots import DotRow, dots
from serbench.html.charts.forest import ForestRow, forest
from serbench.html.charts.lines import Axis, Line, lines
from serbench.html.charts.reliability import FEW, reliability_panel
from serbench.html.charts.scatter import Point, pareto_front, scatter
from serbench.html.charts.svg import GREY, SPRITE, Style, style_of

__all__ = [
    "FEW",
    "GREY",
    "SPRITE",
    "Axis",
    "Bar",
    "BarGroup",
    "Chart",
    "DotRow",
    "ForestRow",
    "Key",
    "Line",
    "Panel",
    "Point",
    "Style",
    "bars",
    "dots",
    "forest",
    "lines",
    "pareto_front",
    "reliability_panel",
    "scatter",
    "style_of",
]
