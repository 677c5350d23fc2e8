"""The table of an ablation: every row held against the full method, on the same utterances."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from serbench.results.compare.records import MethodResult
from serbench.results.report.notes import compared_notes
from serbench.results.report.results import MethodInfo, Results
from serbench.results.report.tables import (
    NOTHING,
    Row,
    Section,
    Table,
    display_name,
    p_of,
    parameter_count,
    seeds_note,
    signed,
    with_interval,
)

NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the table.

    Attributes:
        row: its name in the registry; empty for the full method where no row is that.
        part: of the table.
        changes: what tells it from the full method, in words.
        same: why it would be the full method itself; empty where it was run.
        result: None where it was not run.
    """

    row: str
    part: str
    label: str
    changes: tuple[str, ...]
    same: str
    result: MethodResult | None
    info: MethodInfo | None


@dataclass(frozen=True, slots=True)
class AblationResults:
    """What an ablation found.

    Attributes:
        method: the full one.
        parts: titles to lines, in the table's order.
    """

    name: str
    method: str
    summary: str
    parts: Mapping[str, tuple[Line, ...]]
    results: Results

    @property
    def lines(self) -> tuple[Line, ...]:
        """Of all parts."""
        return tuple(line for lines in self.parts.values() for line in lines)

    @property
    def verdict_title(self) -> str:
        """Title of the column of differences."""
        return f"ΔUA to {self.method}"


def ablation_results(results: Results) -> AblationResults | None:
    """The ablation that a run was; None for other runs, and for several together."""
    described = results.runs[0].plan.get("ablation")
    if described is None or len(results.runs) > 1:
        return None
    titles: dict[str, str] = described["parts"]
    full = str(described["method"])
    parts = {
        title: tuple(
            line
            for row in described["rows"]
            if row["part"] == part
            for line in _lines(row, title, results)
        )
        for part, title in titles.items()
    }
    shown = {line.result.method for lines in parts.values() for line in lines if line.result}
    if full not in shown:
        own = {"name": "", "label": full, "method": full, "teacher": False, "changes": ()}
        title = "Full method"
        parts = {title: tuple(_lines({**own, "same": ""}, title, results)), **parts}
    return AblationResults(
        name=str(described["name"]),
        method=full,
        summary=str(described["summary"]),
        parts=parts,
        results=results,
    )


def _lines(row: Mapping[str, Any], part: str, results: Results) -> Iterator[Line]:
    """One line for a row; for teachers, one for each."""
    own = (row["name"], part)
    changes, same = tuple(row["changes"]), str(row["same"])
    compared = results.comparison
    if row["teacher"]:
        for result in compared.teachers:
            label = f"{row['label']}: {display_name(result.method)}"
            yield Line(*own, label, changes, same, result, results.methods[result.method])
        if not compared.teachers:
            yield Line(*own, row["label"], changes, "the run has no teacher", None, None)
    elif not row["method"]:
        yield Line(*own, row["label"], changes, same, None, None)
    else:
        result = next(each for each in compared.methods if each.method == row["method"])
        yield Line(*own, row["label"], changes, same, result, results.methods[result.method])


def ablation_table(ablation: AblationResults) -> Table:
    """Pooled WA and UA of every row, its size, and its difference to the full method."""
    results = ablation.results
    return Table(
        name="ablation",
        caption=f"Ablation of {ablation.method} on {results.dataset['name']}: utterance-level "
        "scores in %, pooled over the outer test folds",
        columns=("Row", "Parameters", "WA", "UA", ablation.verdict_title, "p", "Verdict"),
        alignment="lrrrrrl",
        sections=tuple(
            Section(tuple(_cells(line) for line in lines), title)
            for title, lines in ablation.parts.items()
        ),
        data=pd.DataFrame([_numbers(line) for line in ablation.lines]).astype(
            {"parameters_min": "Int64", "parameters_max": "Int64", "seeds": "Int64"}
        ),
        notes=(*notes(ablation), *seeds_note(results.comparison)),
    )


def notes(ablation: AblationResults) -> tuple[str, ...]:
    """How to read the table."""
    return (
        compared_notes(ablation.results.comparison),
        f"Below zero: the row does worse than {ablation.method}, to which what it leaves out or "
        "changes was worth that many points.",
    )


def _cells(line: Line) -> Row:
    if line.result is None or line.info is None:
        return (line.label, *(NOTHING,) * 5, f"{NOT_RUN}: {line.same}")
    difference = line.result.difference
    return (
        line.label,
        parameter_count(line.info.parameters),
        with_interval(line.result.pooled["wa"]),
        with_interval(line.result.pooled["ua"]),
        f"{signed(difference.value)} [{signed(difference.low)}, {signed(difference.high)}]"
        if difference
        else NOTHING,
        p_of(difference),
        difference.verdict if difference else "reference",
    )


def _numbers(line: Line) -> dict[str, object]:
    """The line in shares of 1, for the CSV."""
    result, info = line.result, line.info
    difference = result.difference if result else None
    found = difference.significance if difference else None
    sizes = info.parameters if info else None
    numbers: dict[str, object] = {
        "part": line.part,
        "row": line.row,
        "label": line.label,
        "changes": "; ".join(line.changes),
        "method": result.method if result else None,
        "parameters_min": sizes[0] if sizes else None,
        "parameters_max": sizes[1] if sizes else None,
        "seeds": result.seeds if result else None,
    }
    for metric in ("wa", "ua"):
        estimate = result.pooled[metric] if result else None
        numbers |= {
            metric: estimate.value if estimate else None,
            f"{metric}_low": estimate.low if estimate else None,
            f"{metric}_high": estimate.high if estimate else None,
        }
    return numbers | {
        "delta_ua": difference.value if difference else None,
        "delta_ua_low": difference.low if difference else None,
        "delta_ua_high": difference.high if difference else None,
        "p": found.p if found else None,
        "p_holm": found.p_holm if found else None,
        "verdict": _verdict(line),
    }


def _verdict(line: Line) -> str:
    if line.result is None:
        return f"{NOT_RUN}: {line.same}"
    return line.result.difference.verdict if line.result.difference else "reference"
