"""``serbench.Run``: a finished run, as tables and figures for Python."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from matplotlib.figure import Figure

from serbench.api import StoreError
from serbench.benchmark.arguments import PathLike, place
from serbench.errors import did_you_mean
from serbench.protocol.guard.certificate import Certificate
from serbench.results.figure.figure import Figure as Content
from serbench.results.figure.png import drawn
from serbench.results.pages.write import write_html_report
from serbench.results.report.build import unique_slugs
from serbench.results.report.comparison import (
    comparison_table,
    folds_table,
    speakers_table,
    stamped,
)
from serbench.results.report.confusions import confusion_figure
from serbench.results.report.costs import costs_figure
from serbench.results.report.findings import headline
from serbench.results.report.results import Results, load_results
from serbench.results.report.scores import differences_figure, scores_figure
from serbench.results.report.settings import protocol_line
from serbench.results.report.significance import COLUMNS, significance_table
from serbench.results.report.write import write_report
from serbench.results.table.table import Table
from serbench.results.templating import templates
from serbench.running.store.find import RUNS, find_run
from serbench.studies.ablation.output import addition
from serbench.studies.of_run import studies_of

By = Literal["method", "fold", "speaker"]

BY: dict[str, Callable[[Results], Table]] = {
    "method": comparison_table,
    "fold": folds_table,
    "speaker": speakers_table,
}
"""The table of scores for each row that it can have."""

COMPARED = frozenset({"p", "p_holm", "verdict"})
"""Columns of the comparison that are no scores, besides those of ΔUA."""

COUNTED = ("parameters_min", "parameters_max")
"""Whole numbers that a teacher's row lacks."""

SHOWN = ("Method", "Parameters", "WA", "UA", "Macro-F1", "p", "Verdict")
"""Columns of the comparison that a notebook shows, besides that of ΔUA."""


class Run:
    """A finished run: its folder, and what was found, as tables and figures.

    ``serbench.run`` returns one; ``Run.load`` opens one that is stored. In tables, scores,
    differences and posteriors are shares from 0 to 1 (0.7 is 70 %), and every table says under
    which protocol and certificate its numbers are. A notebook shows a run as its table of scores.

    Attributes:
        folder: where everything is stored; see ``docs/run-folder.md``.

    Examples:
        >>> run = serbench.Run.load("runs/emodb-akd-quick-1a2b3c4d")  # doctest: +SKIP
        >>> run.scores()[["method", "ua", "ua_low", "ua_high"]]  # doctest: +SKIP
    """

    def __init__(self, folder: PathLike) -> None:
        self.folder = Path(folder)

    @classmethod
    def load(cls, folder: PathLike | None = None, *, runs: PathLike = RUNS) -> Run:
        """Open a stored run.

        Args:
            folder: the run's folder, or its name in ``runs``. Default: the newest run there.
            runs: the folder that holds runs.

        Raises:
            StoreError: there is no such run (the message gives near names), it has not finished,
                or a file of it is missing or damaged.
        """
        named = None if folder is None else str(place(folder))
        found = cls(find_run(named, Path(runs).expanduser()))
        assert found._results.runs  # read, so that what is damaged is told now
        return found

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.folder.resolve().name

    @property
    def plan(self) -> dict[str, Any]:
        """``plan.json``: dataset, folds, methods and settings, all resolved."""
        return self._results.runs[0].plan

    @property
    def certificate(self) -> Certificate:
        """What was checked for leaks and with what outcome; ``certificate.digest`` names it."""
        return self._results.runs[0].certificate

    @property
    def methods(self) -> tuple[str, ...]:
        """As tables call them, the reference first; a teacher's own head is ``teacher:NAME``."""
        return tuple(self._results.methods)

    def scores(self, by: By = "method") -> pd.DataFrame:
        """The scores of every method, pooled over the outer test folds.

        Args:
            by: what a row is: a method (with 95 % intervals from draws of test speakers, and mean
                and standard deviation over folds), a method on a ``"fold"``, or on a
                ``"speaker"``.

        Returns:
            Columns ``wa``, ``ua`` and ``macro_f1`` (of speakers ``ua`` alone) as shares, their
            intervals as ``ua_low`` and ``ua_high``; see ``docs/python-api.md`` for the rest.

        Raises:
            StoreError: ``by`` is something else.
        """
        if by not in BY:
            raise StoreError(f"scores are not by {by!r}{did_you_mean(by, BY)}")
        rows = _frame(BY[by](self._results), self._results)
        rows = rows.drop(columns=[c for c in rows if c in COMPARED or c.startswith("delta_")])
        return rows.astype({name: "Int64" for name in COUNTED if name in rows})

    def compare(self, *others: Run | PathLike) -> pd.DataFrame:
        """How much each method's UA differs from the first method's, and how surely.

        Args:
            others: runs on the same corpus and folds, whose methods are compared, too.

        Returns:
            A row for each method but the first: ``delta_ua`` as a share with its interval, ``p``
            and ``p_holm`` (corrected for the number of comparisons), ``verdict``; see
            ``docs/python-api.md`` for the rest. No rows where there is one method only.

        Raises:
            StoreError: the runs do not share corpus and folds, or a protocol is broken on purpose.
        """
        folders = [each.folder if isinstance(each, Run) else Path(each) for each in others]
        results = load_results([self.folder, *folders]) if folders else self._results
        if results.leaky:
            raise StoreError(
                f"{self.name}: protocol {results.protocol} is broken on purpose, so nothing is "
                "compared; see what the leak is worth with `serbench inflation`"
            )
        table = significance_table(results)
        if table is None:
            names = (name for column in COLUMNS if column.key for name in column.fields)
            rows = pd.DataFrame(columns=[*names]).assign(**_vouched(results))
        else:
            rows = _frame(table, results)
        rows.insert(1, "reference", results.comparison.reference)
        return rows

    def predictions(self) -> pd.DataFrame:
        """Every prediction behind the scores: a row for each method, seed and test utterance.

        Returns:
            ``method``, ``seed``, ``outer`` (the fold, from 1), ``utterance``, ``speaker``,
            ``label``, ``predicted``, and the posterior of each class as ``p_CLASS``.
        """
        rows = self._results.predictions.drop(columns="certificate")
        return rows.assign(**_vouched(self._results))

    def confusion(self, method: str) -> pd.DataFrame:
        """How many utterances of each class were taken for which, over all folds and seeds.

        Args:
            method: one of ``methods``.

        Returns:
            ``(C, C)`` counts: true classes as rows, predicted classes as columns.

        Raises:
            StoreError: the run has no such method.
        """
        compared = self._results.comparison
        found = {each.method: each for each in compared.methods}
        shown = self._results.shown(method)
        if shown not in found:
            near = did_you_mean(method, found, see="run.methods")
            raise StoreError(f"{self.name} has no method {method!r}{near}")
        labels = compared.labels
        return pd.DataFrame(
            found[shown].confusion,
            index=pd.Index(labels, name="true"),
            columns=pd.Index(labels, name="predicted"),
        )

    def figure(self, name: str = "comparison") -> Figure:
        """A figure, which a notebook shows and ``savefig`` saves.

        Args:
            name: ``comparison`` (UA of every method with intervals), ``differences`` (to the
                first method), ``costs`` (UA against FLOPs), ``confusion-METHOD``, or ``ablation``
                where the run is one.

        Raises:
            StoreError: the run has no such figure; the message lists those that it has.
        """
        there = self._figures()
        if name not in there:
            raise StoreError(f"{self.name} has no figure {name!r}; it has {', '.join(there)}")
        return drawn(there[name])

    def report(self, *, html: bool = False) -> Path:
        """Write the report into the run's folder again, as ``serbench report`` does.

        Args:
            html: one complete page, ``report.html``, with what studies of this run found.

        Returns:
            The path of ``report.md``, or of ``report.html``.

        Raises:
            StoreError: a file cannot be written, or what a study wrote is damaged.
        """
        report = write_report([self.folder], self.folder, addition)
        if not html:
            return report
        return write_html_report([self.folder], self.folder, addition, partial(studies_of))

    @cached_property
    def _results(self) -> Results:
        """
        Raises:
            StoreError: as ``load``.
        """
        return load_results([self.folder])

    def _figures(self) -> dict[str, Content]:
        """By name."""
        results = self._results
        slugs = unique_slugs(each.method for each in results.comparison.methods)
        added = addition(results)
        made: dict[str, Content | None] = {
            "comparison": scores_figure(results),
            "differences": differences_figure(results),
            "costs": costs_figure(results),
            **{
                f"confusion-{slugs[each.method]}": confusion_figure(each, results)
                for each in results.comparison.methods
            },
            **{each.name: each for each in (added.figures if added else ())},
        }
        return {name: figure for name, figure in made.items() if figure is not None}

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"

    def _repr_html_(self) -> str:
        """For notebooks: what was run, who is ahead, the scores, and the certificate."""
        results = self._results
        table = stamped(comparison_table(results), results)
        return (
            templates("serbench.benchmark")
            .get_template("run.html.j2")
            .render(
                protocol=protocol_line(results),
                headline=headline(results),
                table=_short(table),
                certificate=self.certificate,
                folder=self.folder,
            )
        )


def _frame(table: Table, results: Results) -> pd.DataFrame:
    """The table's CSV, as ``tables/NAME.csv`` holds it, with what vouches for it at the end."""
    rows = pd.DataFrame.from_records([*table.records])
    return rows.assign(**_vouched(results))


def _vouched(results: Results) -> dict[str, str]:
    """The columns that every table ends with."""
    return {"protocol": results.protocol, "certificate": ", ".join(results.certificates)}


def _short(table: Table) -> Table:
    """The columns that a notebook shows."""
    kept = [n for n, name in enumerate(table.columns) if name in SHOWN or name.startswith("Δ")]
    return replace(
        table,
        heads=tuple(table.heads[n] for n in kept),
        sections=tuple(
            replace(part, rows=tuple(tuple(row[n] for n in kept) for row in part.rows))
            for part in table.sections
        ),
    )
