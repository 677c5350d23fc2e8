"""An ablation's rows, each compared with the full method on the same utterances."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from serbench.results.compare.names import display_name
from serbench.results.compare.records import MethodResult
from serbench.results.report.results import MethodInfo, Results

NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class AblationLine:
    """A line of the table.

    Attributes:
        row: its name in the registry; empty for the full method if it is no row.
        part: the part of the table that the line is in.
        changes: how it differs from the full method, in words.
        same: why it would be identical to the full method; empty if it was run.
        result: None if it was not run.
    """

    row: str
    part: str
    label: str
    changes: tuple[str, ...]
    same: str
    result: MethodResult | None
    info: MethodInfo | None

    @property
    def verdict(self) -> str:
        """The verdict on the difference to the full method, or why there is no difference."""
        if self.result is None:
            return f"{NOT_RUN}: {self.same}"
        return self.result.difference.verdict if self.result.difference else "reference"


@dataclass(frozen=True, slots=True)
class AblationResults:
    """The results of an ablation.

    Attributes:
        method: the full method.
        parts: the lines of each part, by title, in the table's order.
    """

    name: str
    method: str
    summary: str
    parts: Mapping[str, tuple[AblationLine, ...]]
    results: Results

    @property
    def lines(self) -> tuple[AblationLine, ...]:
        """The lines of all parts."""
        return tuple(line for lines in self.parts.values() for line in lines)

    @property
    def title(self) -> str:
        """What the table and the figure show."""
        return f"Ablation of {self.method} on {self.results.dataset['name']}"


def ablation_results(results: Results) -> AblationResults | None:
    """Return a run's results as an ablation; None if it is no ablation, or for several runs."""
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
    if results.shown(full) not in shown:
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


def _lines(row: Mapping[str, Any], part: str, results: Results) -> Iterator[AblationLine]:
    """Yield the line of a row; for a row of teachers, one line for each."""
    own = (row["name"], part)
    changes, same = tuple(row["changes"]), str(row["same"])
    compared = results.comparison
    if row["teacher"]:
        for result in compared.teachers:
            label = f"{row['label']}: {display_name(result.method)}"
            yield AblationLine(*own, label, changes, same, result, results.methods[result.method])
        if not compared.teachers:
            yield AblationLine(*own, row["label"], changes, "the run has no teacher", None, None)
    elif not row["method"]:
        yield AblationLine(*own, row["label"], changes, same, None, None)
    else:
        wanted = results.shown(row["method"])
        result = next(each for each in compared.methods if each.method == wanted)
        yield AblationLine(
            *own, row["label"], changes, same, result, results.methods[result.method]
        )
