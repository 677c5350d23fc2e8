"""The methods of a report as series of charts: what they are called and how they are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from serbench.results.compare.records import MethodResult
from serbench.results.pages.charts.chart import Key
from serbench.results.pages.charts.svg import GREY, Style, style_of
from serbench.results.report.build import unique_slugs
from serbench.results.report.results import Results
from serbench.results.report.tables import Row, Section, Table, display_name


@dataclass(frozen=True, eq=False)
class Method:
    """A method of the report.

    Attributes:
        index: its place among all of them.
        slug: its name as part of an anchor.
        run: name of the run that it is from.
        predictions: its rows, one for each seed and test utterance.
    """

    index: int
    result: MethodResult
    slug: str
    style: Style
    run: str
    predictions: pd.DataFrame

    @property
    def name(self) -> str:
        """As tables show it; a teacher says that it is one."""
        shown = display_name(self.result.method)
        return f"{shown} (teacher)" if self.result.is_teacher else shown

    @cached_property
    def key(self) -> Key:
        """Its line in a legend of marks."""
        return Key(self.name, self.style)


def methods_of(results: Results) -> tuple[Method, ...]:
    """All methods in the order of the comparison."""
    compared = results.comparison.methods
    slugs = unique_slugs(each.method for each in compared)
    made = []
    for index, result in enumerate(compared):
        rows = results.predictions.loc[results.predictions["method"] == result.method]
        style = style_of(index)
        if result.is_teacher:
            style = Style(GREY, style.mark, style.dash)  # they are there for orientation
        folder = results.methods[result.method].folder
        run = next(each.name for each in results.runs if each.folder == folder)
        made.append(Method(index, result, slugs[result.method], style, run, rows))
    return tuple(made)


def numbers_table(
    name: str,
    caption: str,
    columns: Sequence[str],
    sections: Sequence[Section],
    text_columns: int = 1,
) -> Table:
    """The numbers behind a chart: ``text_columns`` of text, then numbers."""
    return Table(
        name=name,
        caption=caption,
        columns=tuple(columns),
        alignment="l" * text_columns + "r" * (len(columns) - text_columns),
        sections=tuple(sections),
        data=pd.DataFrame(),
    )


def listed(names: Sequence[str], joint: str = "and") -> str:
    """For instance ``a, b and c``."""
    *first, last = names
    return f"{', '.join(first)} {joint} {last}" if first else last


def rows_of(*rows: Row) -> tuple[Section, ...]:
    """One section."""
    return (Section(tuple(rows)),)
