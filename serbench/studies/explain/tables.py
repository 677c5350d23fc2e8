"""What a method read of its teachers, as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd

from serbench.results.table.columns import Column, make_table
from serbench.results.table.formats import COUNT, NOTHING, PLAIN, Format, number, percent
from serbench.results.table.table import Table
from serbench.studies.explain.cases import MEAN, CaseTally, by_utterance, part_of, tally
from serbench.studies.explain.load import Explanation
from serbench.studies.explain.readings import GAMMA, POSTERIOR, RELIABLE, WEIGHTS, FitReadings

SHOWN_UNITS = 6
"""Number of test speakers of a fold that a row names."""

NARROW = 14
"""Characters in a line of a title on the console."""

PART: Format[tuple[int, int]] = Format(
    lambda of: f"{of[0]} ({percent(of[0] / of[1])} %)", numbers=lambda of: of[:1]
)
"""A count and its total, shown with the share; the CSV has the count."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A row: cases that belong together."""

    name: str
    utterances: int
    counts: CaseTally


def explanation_tables(found: Explanation, top: int) -> Iterator[Table]:
    """The tables that the readings allow: the gate by fold, class and speaker, the ``top``
    utterances on which it closes most, the teachers' weights.
    """
    if found.has(RELIABLE, POSTERIOR):
        yield _crossed(found)
    if found.has(RELIABLE) or found.has(POSTERIOR):
        yield _by(found, "label", "class", found.labels)
        yield _by(found, "speaker", "speaker", sorted(found.cases["speaker"].unique()))
    if found.has(RELIABLE):
        yield _top(found, top)
    if found.has(WEIGHTS) and len(found.teachers) > 1:
        yield _weights(found)


def _row(name: str, cases: pd.DataFrame) -> _Row:
    return _Row(name, len(cases["utterance"].unique()), tally(cases))


def _share(
    title: str, key: str, part: Callable[[CaseTally], int], whole: Callable[[CaseTally], int]
) -> Column[_Row]:
    """A column of a count with its share of a total; empty if the total is 0."""

    def counted(row: _Row) -> tuple[int, int] | None:
        of = whole(row.counts)
        return (part(row.counts), of) if of else None

    return Column(title, counted, PART, key=key, short=fill(title, NARROW))


def _cases(counts: CaseTally) -> int:
    return counts.cases


def _crossed(found: Explanation) -> Table:
    """How the gate and the teacher's answers agree, over all folds and in each fold."""
    rows = [_row("all", found.cases)]
    for outer in found.run.outer:
        own = part_of(found.cases, "fold", outer["name"])
        rows.append(_row(_fold_title(outer["name"], outer["test_units"]), own))
    columns: list[Column[_Row]] = [
        Column("Refits", lambda row: row.name, key="refits"),
        Column("Cases", lambda row: row.counts.cases, COUNT, key="cases"),
        _share("Closed, teacher wrong", "closed_wrong", lambda n: n.closed_wrong, _cases),
        _share("Closed, teacher right", "closed_right", lambda n: n.closed_right, _cases),
        _share("Open, teacher wrong", "open_wrong", lambda n: n.open_wrong, _cases),
        _share("Open, teacher right", "open_right", lambda n: n.open_right, _cases),
    ]
    return make_table(
        "gate",
        "Gate and teacher, in cases (share of the row's)",
        columns,
        rows,
        notes=(
            "Closed: in more than half of the epochs in which the utterance was used. Teacher "
            "wrong: its most probable class (posterior at T = 1, mean over epochs) is not the "
            "label.",
        ),
    )


def _fold_title(name: str, units: list[str]) -> str:
    tested = ", ".join(map(str, units)) if len(units) <= SHOWN_UNITS else f"{len(units)} units"
    return f"{name} (tests {tested})"


def _by(found: Explanation, column: str, word: str, groups: Iterable[str]) -> Table:
    """How often the gate closes and the teacher is wrong, for each class or speaker."""
    gate, known = found.has(RELIABLE), found.has(POSTERIOR)
    columns: list[Column[_Row]] = [
        Column(word.capitalize(), lambda row: row.name, key=word),
        Column("Utterances", lambda row: row.utterances, COUNT, key="utterances"),
        Column("Cases", lambda row: row.counts.cases, COUNT, key="cases"),
    ]
    if gate:
        columns.append(_share("Gate closed", "closed", lambda n: n.closed, _cases))
    if gate and known:
        columns += [
            _share("Teacher wrong where closed", "closed_wrong", lambda n: n.closed_wrong,
                   lambda n: n.closed),
            _share("Teacher wrong where open", "open_wrong", lambda n: n.open_wrong,
                   lambda n: n.open),
        ]  # fmt: skip
    elif known:
        columns.append(_share("Teacher wrong", "wrong", lambda n: n.wrong, _cases))
    rows = [_row(group, part_of(found.cases, column, group)) for group in groups]
    return make_table(f"by-{word}", f"By {word}: cases, with their share", columns, rows)


def _top(found: Explanation, top: int) -> Table:
    """The utterances with the largest γ among those on which the gate closes."""
    known, gamma = found.has(POSTERIOR), found.has(GAMMA)
    closed = by_utterance(found.cases, found.labels).query("closed_fits > 0")
    columns: list[Column[dict[Any, Any]]] = [
        Column("Utterance", lambda row: row["utterance"]),
        Column("Speaker", lambda row: row["speaker"]),
        Column("Label", lambda row: row["label"]),
    ]
    if known:
        columns.append(
            Column(
                "Teacher's class",
                lambda row: f"{row['teacher_says']} ({row['p_teacher_says']:.2f})",
            )
        )
    if gamma:
        columns.append(Column("γ", lambda row: row[MEAN + GAMMA], number(".2f")))
    columns.append(
        Column("Closed in", lambda row: f"{row['closed_fits']} of {row['fits']} fits", PLAIN)
    )
    rows = closed.head(top).to_dict("records")
    says = "; after the teacher's class, its posterior" if known else ""
    return make_table(
        "closed",
        f"Where the gate closes: {len(rows)} of {len(closed)} utterances, "
        f"{'the largest γ' if gamma else 'the most fits'} first",
        columns,
        rows,
        notes=(f"Means over the epochs and refits that trained on the utterance{says}.",),
    )


def _weights(found: Explanation) -> Table:
    """Each teacher's mean weight at the start and at the end of training."""
    start, end = (_weights_at(found.fits, place) for place in (0, -1))
    label = dict(zip(found.cases["utterance"], found.cases["label"], strict=True))

    def changes(name: str) -> list[str]:
        own = [
            frame if name == "all" else frame[frame.index.map(label) == name]
            for frame in (start, end)
        ]
        return [_change(*pair) for pair in zip(*(frame.mean() for frame in own), strict=True)]

    rows = {name: changes(name) for name in ("all", *found.labels)}
    columns: list[Column[str]] = [
        Column("Class", str),
        *(
            Column(teacher, lambda name, place=place: rows[name][place], PLAIN)
            for place, teacher in enumerate(found.teachers)
        ),
    ]
    return make_table(
        "weights",
        "Weight w of each teacher, mean over cases: first epoch → last epoch",
        columns,
        [*rows],
        notes=(f"Equal weights would be {1 / len(found.teachers):.2f}.",),
    )


def _weights_at(fits: Iterable[FitReadings], epoch: int) -> pd.DataFrame:
    """Weights in each fit's first or last epoch: a column for each teacher, utterances as index."""
    frames = [pd.DataFrame(fit.arrays[WEIGHTS][epoch], index=[*fit.ids]) for fit in fits]
    return pd.concat(frames).astype(np.float64)


def _change(start: float, end: float) -> str:
    return " → ".join(NOTHING if np.isnan(value) else f"{value:.2f}" for value in (start, end))
