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
from serbench.results.report.by_test_set import test_sets_table
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

By = Literal["method", "fold", "speaker", "test_set"]

BY: dict[str, Callable[[Results], Table | None]] = {
    "method": comparison_table,
    "fold": folds_table,
    "speaker": speakers_table,
    "test_set": test_sets_table,
}
"""The score table for each kind of row."""

COMPARED = frozenset({"p", "p_holm", "verdict"})
"""Columns of the comparison that are not scores, besides those of ΔUA."""

COUNTED = ("parameters_min", "parameters_max")
"""Columns of whole numbers that a teacher's row leaves empty."""

SHOWN = ("Method", "Parameters", "WA", "UA", "Macro-F1", "p", "Verdict")
"""Columns of the comparison that a notebook shows, besides that of ΔUA."""


class Run:
    """A finished run: its folder, and its results as tables and figures.

    ``serbench.run`` returns one; ``Run.load`` opens a stored one. In tables, scores, differences
    and posteriors are shares from 0 to 1 (0.7 is 70 %), and every table names the protocol and
    certificate of its numbers. A notebook shows a run as its table of scores.

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
            runs: the folder with runs.

        Raises:
            StoreError: no such run exists (the message suggests similar names), it has not
                finished, or one of its files is missing or damaged.
        """
        named = None if folder is None else str(place(folder))
        found = cls(find_run(named, Path(runs).expanduser()))
        assert found._results.runs  # loads the results now, so that damage is reported now
        return found

    @property
    def name(self) -> str:
        """Name of its folder."""
        return self.folder.resolve().name

    @property
    def plan(self) -> dict[str, Any]:
        """``plan.json``: dataset, folds, methods and settings, all resolved."""
        return self._results.runs[0].plan

    @property
    def certificate(self) -> Certificate:
        """The leak checks and their outcome; ``certificate.digest`` identifies it."""
        return self._results.runs[0].certificate

    @property
    def methods(self) -> tuple[str, ...]:
        """Names as in tables, the reference first; a teacher's own head is ``teacher:NAME``."""
        return tuple(self._results.methods)

    def scores(self, by: By = "method") -> pd.DataFrame:
        """The scores of every method, pooled over the outer test folds.

        Args:
            by: content of a row. Default: a method, with 95 % confidence intervals from draws of
                test speakers, and mean and standard deviation over folds. ``"fold"``,
                ``"speaker"`` or ``"test_set"``: a method on each of them. If the corpus's own split
                has several test sets, all other rows are about the first.

        Returns:
            Columns ``wa``, ``ua`` and ``macro_f1`` (for speakers ``ua`` alone) as shares, their
            intervals as ``ua_low`` and ``ua_high``; see ``docs/python-api.md`` for the rest.

        Raises:
            StoreError: ``by`` has another value, or there is one test set for all.
        """
        if by not in BY:
            raise StoreError(f"no scores by {by!r}{did_you_mean(by, BY)}")
        table = BY[by](self._results)
        if table is None:
            raise StoreError(
                f"{self.name} has a single test set: its corpus's own split does not name several"
            )
        rows = _frame(table, self._results)
        rows = rows.drop(columns=[c for c in rows if c in COMPARED or c.startswith("delta_")])
        return rows.astype({name: "Int64" for name in COUNTED if name in rows})

    def compare(self, *others: Run | PathLike) -> pd.DataFrame:
        """Each method's difference in UA to the first method, with confidence interval and p-value.

        Args:
            others: runs on the same corpus and folds, whose methods are compared too.

        Returns:
            A row for each method except the first: ``delta_ua`` as a share with its interval, ``p``
                and ``p_holm`` (corrected for the number of comparisons), ``verdict``; see
                ``docs/python-api.md`` for the rest. No rows if there is one method only.

        Raises:
            StoreError: the runs do not share corpus and folds, or a protocol is broken on purpose.
        """
        folders = [each.folder if isinstance(each, Run) else Path(each) for each in others]
        results = load_results([self.folder, *folders]) if folders else self._results
        if results.leaky:
            raise StoreError(
                f"{self.name}: protocol {results.protocol} is broken on purpose, so nothing is "
                "compared. See how much it inflates scores with `serbench inflation`"
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
        """Every prediction behind the scores, as one row per method, seed and test utterance.

        Returns:
            ``method``, ``seed``, ``outer`` (the fold, from 1), ``utterance``, ``speaker``,
            ``label``, ``predicted``, and the posterior of each class as ``p_CLASS``.
        """
        rows = self._results.predictions.drop(columns="certificate")
        return rows.assign(**_vouched(self._results))

    def confusion(self, method: str) -> pd.DataFrame:
        """Confusion matrix over all folds and seeds.

        Args:
            method: one of ``methods``.

        Returns:
            ``(C, C)`` counts of utterances: true classes as rows, predicted classes as columns.

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
        """A matplotlib figure.

        Args:
            name: ``comparison`` (UA of every method with confidence intervals), ``differences`` (to
                the first method), ``costs`` (UA against FLOPs), ``confusion-METHOD``, or
                ``ablation`` if the run is one.

        Raises:
            StoreError: the run has no such figure; the message lists its figures.
        """
        there = self._figures()
        if name not in there:
            raise StoreError(f"{self.name} has no figure {name!r}; it has {', '.join(there)}")
        return drawn(there[name])

    def report(self, *, html: bool = False) -> Path:
        """Write the report into the run's folder again, as ``serbench report`` does.

        Args:
            html: also write ``report.html``, one self-contained page, with the results of this
                run's studies.

        Returns:
            The path of ``report.md``, or of ``report.html``.

        Raises:
            StoreError: a file cannot be written, or a study's file is damaged.
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
        """Figures by name."""
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
        """For notebooks: the run, the best method, the scores, and the certificate."""
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
    """``tables/NAME.csv`` as a data frame, with protocol and certificate in the last columns."""
    rows = pd.DataFrame.from_records([*table.records])
    return rows.assign(**_vouched(results))


def _vouched(results: Results) -> dict[str, str]:
    """The last columns of every table: protocol and certificate."""
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
