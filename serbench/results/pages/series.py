"""The methods of a report as a page shows them."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from serbench.results.compare.names import shown_name
from serbench.results.compare.records import MethodResult
from serbench.results.figure.figure import Key
from serbench.results.figure.palette import Style
from serbench.results.report.build import unique_slugs
from serbench.results.report.results import Results
from serbench.results.report.scores import method_styles


@dataclass(frozen=True, eq=False)
class Method:
    """A method of the report.

    Attributes:
        index: its place among all methods.
        slug: its name as part of an anchor.
        run: name of its run.
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
        """The name in tables; a teacher's name says that it is a teacher."""
        return shown_name(self.result.method)

    @property
    def key(self) -> Key:
        """Its line in a legend of marks."""
        return Key(self.name, self.style)


def methods_of(results: Results) -> tuple[Method, ...]:
    """All methods in the order of the comparison."""
    compared = results.comparison.methods
    slugs = unique_slugs(each.method for each in compared)
    styles = method_styles(results)
    made = []
    for index, result in enumerate(compared):
        name = result.method
        rows = results.predictions.loc[results.predictions["method"] == name]
        folder = results.methods[name].folder
        run = next(each.name for each in results.runs if each.folder == folder)
        made.append(Method(index, result, slugs[name], styles[name], run, rows))
    return tuple(made)
