"""Scores on each test set, if the corpus's own split has several.

All other tables and figures are about the first.
"""

from __future__ import annotations

from dataclasses import dataclass

from serbench.errors import joined
from serbench.results.compare.names import METHOD, display_name
from serbench.results.compare.records import Comparison, MethodResult
from serbench.results.report.notes import interval_note
from serbench.results.report.results import Results
from serbench.results.table.columns import Column, make_table
from serbench.results.table.formats import COUNT, SCORE, percent
from serbench.results.table.table import Table

TITLES = {"wa": "WA", "ua": "UA", "macro_f1": "Macro-F1"}
SHORT = {"wa": "WA %", "ua": "UA %", "macro_f1": "F1 %"}


def other_test_sets(results: Results) -> list[str]:
    """The methods' UA on each test set after the first."""
    return [
        f"On test set {name} ({sum(compared.fold_counts.values())} utterances), UA is "
        + joined(
            [
                f"{percent(m.pooled['ua'].value)} % ({display_name(m.method)})"
                for m in compared.methods
            ]
        )
        + "."
        for name, compared in [*results.test_sets.items()][1:]
    ]


@dataclass(frozen=True, slots=True)
class _OnSet:
    """The results of a method on a test set."""

    test_set: str
    result: MethodResult
    compared: Comparison


def test_sets_table(results: Results) -> Table | None:
    """Every method on each test set; None if the corpus's split has no separate test sets."""
    if not results.test_sets:
        return None
    columns: list[Column[_OnSet]] = [
        Column("", lambda row: row.test_set, key="test_set"),
        Column("Method", lambda row: row.result.method, METHOD, key="method"),
        Column("", lambda row: sum(row.compared.fold_counts.values()), COUNT, key="utterances"),
        Column("", lambda row: len(row.compared.speaker_counts), COUNT, key="speakers"),
        *(
            Column(
                TITLES[metric],
                lambda row, metric=metric: row.result.pooled[metric],
                SCORE,
                key=metric,
                short=SHORT[metric],
            )
            for metric in ("ua", "wa", "macro_f1")
        ),
    ]
    return make_table(
        "test-sets",
        f"Methods on each test set of {results.dataset['name']}: scores in %",
        columns,
        {
            f"{name}, {sum(compared.fold_counts.values())} utterances of "
            f"{len(compared.speaker_counts)} speakers": [
                _OnSet(name, result, compared) for result in compared.methods
            ]
            for name, compared in results.test_sets.items()
        },
        notes=(
            "The same trained models are scored on each test set. All other tables and figures "
            f"are about the first, {next(iter(results.test_sets))}.",
            interval_note(
                results.comparison.repeats,
                min(len(each.speaker_counts) for each in results.test_sets.values()),
            ),
        ),
    )
