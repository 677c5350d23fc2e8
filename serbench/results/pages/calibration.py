"""Calibration of posteriors: a reliability curve and ECE for each method."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from serbench.results.compare.calibration import Reliability, reliability
from serbench.results.figure.figure import Figure, Panel, ReliabilityBins
from serbench.results.figure.svg.reliability import FEW
from serbench.results.pages.series import Method
from serbench.results.report.results import Results
from serbench.results.table.columns import Column, make_table
from serbench.results.table.formats import COUNT, PERCENT, POINTS, number, percent
from serbench.results.table.table import Table

MethodReliability = tuple[Method, Reliability]
Bin = tuple[float, float, float, float, int]
"""Lower and upper end, mean confidence, share of right predictions, number of predictions."""

COLUMNS: list[Column[MethodReliability]] = [
    Column("Method", lambda each: each[0].name),
    Column("ECE in %", lambda each: each[1].ece, PERCENT, help="Expected calibration error."),
    Column("Confidence − accuracy", lambda each: each[1].overconfidence, POINTS),
    Column("Brier score", lambda each: each[1].brier, number(".3f")),
    Column("Predictions", lambda each: int(each[1].count.sum()), COUNT),
]
BIN_COLUMNS: list[Column[Bin]] = [
    Column("Confidence", lambda held: f"{held[0]:.2f} to {held[1]:.2f}"),
    Column("Mean confidence", lambda held: held[2], number(".3f")),
    Column("Accuracy", lambda held: held[3], number(".3f")),
    Column("Predictions", lambda held: held[4], COUNT),
]


def calibration(results: Results, methods: Sequence[Method]) -> tuple[Figure, Table]:
    """The curves, and ECE, overconfidence and Brier score of each method."""
    labels = results.comparison.labels
    found = [(method, _measured(method.predictions, labels)) for method in methods]
    figure = Figure(
        name="calibration-chart",
        caption="Reliability: accuracy by confidence, and number of predictions",
        panels=tuple(_panel(method, each) for method, each in found),
        numbers=make_table(
            "calibration-numbers",
            "Reliability by bin of confidence, as numbers",
            BIN_COLUMNS,
            {method.name: _bins(each) for method, each in found},
        ),
        notes=(
            "On the dashed diagonal, accuracy equals confidence; below it, the method is "
            "overconfident. Confidence: the posterior of the predicted class, mean over the "
            "utterance's windows. Every prediction of every seed counts once. Hollow mark: fewer "
            f"than {FEW} predictions.",
        ),
    )
    return figure, make_table("calibration-table", "Calibration of each method", COLUMNS, found)


def _measured(predictions: pd.DataFrame, labels: Sequence[str]) -> Reliability:
    posteriors = predictions[[f"p_{label}" for label in labels]].to_numpy(dtype=float)
    true = pd.Index(labels).get_indexer(pd.Index(predictions["label"]))
    return reliability(posteriors, true)


def _panel(method: Method, found: Reliability) -> Panel:
    direction = "overconfident" if found.overconfidence > 0 else "underconfident"
    mean = f"on average {abs(100 * found.overconfidence):.1f} points {direction}"
    plot = ReliabilityBins(
        method.style,
        tuple(found.edges.tolist()),
        tuple(found.confidence.tolist()),
        tuple(found.accuracy.tolist()),
        tuple(found.count.tolist()),
    )
    error = f"{percent(found.ece)} %"
    said = f"Reliability of {method.name}: expected calibration error {error}; {mean}."
    return Panel(plot, f"{method.name}: ECE {error}", said)


def _bins(found: Reliability) -> list[Bin]:
    """Bins that have predictions."""
    return [
        held
        for held in zip(
            found.edges[:-1].tolist(), found.edges[1:].tolist(), found.confidence.tolist(),
            found.accuracy.tolist(), found.count.tolist(), strict=True,
        )
        if held[4]
    ]  # fmt: skip
