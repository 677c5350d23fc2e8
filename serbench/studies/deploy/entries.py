"""Backends with their scores and times, and columns of the tables that show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from serbench.results.compare.records import Estimate
from serbench.results.table.columns import Column, make_table
from serbench.results.table.formats import DIFFERENCE, SCORE, VERDICT, number
from serbench.results.table.table import Table
from serbench.studies.deploy.results import DeployResults, ResultRow
from serbench.studies.deploy.timing import Latency, Speed, summarize

MB = 1e6
"""Bytes of a megabyte, decimal as in file managers."""


@dataclass(frozen=True, slots=True)
class DeploymentEntry:
    """A backend, and its times if it was timed.

    Attributes:
        number: its place among the measured backends; 0: it was not measured.
        window_s: length of a window of audio, in seconds.
    """

    row: ResultRow
    number: int
    speed: Speed | None
    window_s: float

    @property
    def latency(self) -> Latency | None:
        """The latency with one window of audio."""
        return self.speed.latency[self.window_s] if self.speed else None

    @property
    def latency_ms(self) -> float | None:
        """The median latency with one window of audio, in ms."""
        return 1e3 * self.latency.p50_s if self.latency else None

    @property
    def size_mb(self) -> float | None:
        """Size of the converted files, in MB."""
        return None if self.row.size_bytes is None else self.row.size_bytes / MB

    @property
    def ua(self) -> Estimate | None:
        """UA through this backend."""
        score = self.row.accuracy
        return Estimate(score.ua, score.ua_low, score.ua_high) if score else None

    @property
    def delta(self) -> Estimate | None:
        """UA through this backend minus the reference's."""
        score = self.row.accuracy
        if score is None or score.delta_ua is None:
            return None
        return Estimate(score.delta_ua, score.delta_ua_low or 0.0, score.delta_ua_high or 0.0)


def entries_of(results: DeployResults) -> list[DeploymentEntry]:
    """Every backend; the measured ones have a number."""
    effort = results.settings.effort
    base = next((r.rounds for r in results.rows if r.name == results.reference), [])
    measured = [row for row in results.rows if row.outcome == "measured"]
    return [
        DeploymentEntry(
            row,
            measured.index(row) + 1 if row in measured else 0,
            summarize(row.rounds, base, effort),
            effort.window_s,
        )
        for row in results.rows
    ]


def precision(row: ResultRow) -> str:
    """Precision, with the device if it is not a CPU."""
    return row.precision if row.device == "cpu" else f"{row.precision}, GPU"


def score_columns(reference: str) -> list[Column[DeploymentEntry]]:
    """Columns with the UA through a backend, and its difference from the reference's."""
    return [
        Column("UA", lambda each: each.ua, SCORE),
        Column(f"ΔUA to {reference}", lambda each: each.delta, DIFFERENCE),
        Column(
            "Verdict",
            lambda each: each.row.accuracy and each.row.accuracy.verdict,
            VERDICT,
            console="below",
        ),
    ]


SIZE: Column[DeploymentEntry] = Column("MB", lambda each: each.size_mb, number(".2f"))
FPS: Column[DeploymentEntry] = Column(
    "FPS", lambda each: each.speed and each.speed.fps, number(".1f")
)
PEAK: Column[DeploymentEntry] = Column(
    "Peak MB", lambda each: each.speed and each.speed.peak_bytes, number(".0f", 1 / MB)
)


def unmeasured_table(entries: Sequence[DeploymentEntry], caption: str) -> Table:
    """The backends that could not be measured, and why; no rows if all could be measured."""
    columns: list[Column[DeploymentEntry]] = [
        Column("Backend", lambda each: each.row.name),
        Column("Precision", lambda each: each.row.precision),
        Column("Device", lambda each: each.row.device),
        Column("Why", lambda each: f"{each.row.outcome}: {each.row.reason}"),
    ]
    return make_table("unmeasured", caption, columns, [e for e in entries if not e.number])
