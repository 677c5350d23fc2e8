"""What a method costs where it was deployed, in a cell."""

from __future__ import annotations

from dataclasses import dataclass

from serbench.results.site.boards import Line
from serbench.results.site.cells import EMPTY, Cell, number
from serbench.studies.deploy.results import ResultRow
from serbench.studies.deploy.results import Results as Measured
from serbench.studies.deploy.timing import summarize

MB = 1e6
"""Decimal, as file managers count."""

LATENCY_NOTE = (
    "Latency and MB: of the fastest backend whose UA is not worse than that of PyTorch, where "
    "serbench deploy was run: median of a window at batch 1, and its ratio to PyTorch. Times of "
    "different machines do not compare; ratios do, roughly."
)


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one backend: latency of a window, its ratio to the reference, size of the files."""

    row: ResultRow
    p50_s: float
    ratio: float | None


def cheapest(measured: Measured) -> Cost | None:
    """The fastest backend that is not worse; None where none was timed."""
    effort = measured.settings.effort
    base = next((row.rounds for row in measured.rows if row.name == measured.reference), [])
    found = []
    for row in measured.rows:
        speed = summarize(row.rounds, base, effort)
        if speed is None or (row.accuracy and row.accuracy.verdict == "worse"):
            continue
        latency = speed.latency[effort.window_s]
        found.append(Cost(row, latency.p50_s, latency.ratio.value if latency.ratio else None))
    return min(found, key=lambda each: (each.p50_s, each.row.name), default=None)


def cost_cells(line: Line) -> tuple[Cell, Cell, Cell]:
    """Latency, size and backend of a method."""
    measured = line.entry.measured
    cost = cheapest(measured) if measured and measured.run.method == line.method else None
    if measured is None or cost is None:
        return EMPTY, EMPTY, EMPTY
    milliseconds = 1e3 * cost.p50_s
    ratio = f"ratio {cost.ratio:.2f}" if cost.ratio is not None else ""
    window_s, machine = measured.settings.effort.window_s, measured.machine
    size = cost.row.size_bytes
    return (
        number(f"{milliseconds:.2f}", milliseconds, ratio),
        number(f"{size / MB:.2f}", size / MB) if size is not None else EMPTY,
        Cell(cost.row.name, f"{window_s:g} s of audio; {machine.name}, {machine.date}"),
    )
