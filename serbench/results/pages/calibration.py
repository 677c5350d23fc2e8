"""Whether posteriors mean what they say: a reliability curve and ECE for each method."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from serbench.results.compare.calibration import Reliability, reliability
from serbench.results.pages.charts.chart import Chart, Panel
from serbench.results.pages.charts.reliability import FEW, reliability_panel
from serbench.results.pages.series import Method, numbers_table
from serbench.results.report.results import Results
from serbench.results.report.tables import Row, Section, Table, percent, signed


def calibration(results: Results, methods: Sequence[Method]) -> tuple[Chart, Table]:
    """The curves, and ECE, overconfidence and Brier score of each method."""
    labels = results.comparison.labels
    found = [(method, _measured(method.predictions, labels)) for method in methods]
    chart = Chart(
        name="calibration-chart",
        caption="Reliability: share of right answers by confidence, and how many there are",
        panels=tuple(_panel(method, each) for method, each in found),
        numbers=numbers_table(
            "calibration-numbers",
            "Reliability by bin of confidence, as numbers",
            ("Confidence", "Mean confidence", "Share right", "Predictions"),
            [Section(tuple(_rows(each)), method.name) for method, each in found],
        ),
        notes=(
            "On the dashed diagonal, posteriors mean what they say; below it they promise too "
            "much. Confidence: the posterior of the predicted class, mean over the utterance's "
            "windows. Every prediction of every seed counts once; hollow marks have fewer than "
            f"{FEW}.",
        ),
    )
    table = numbers_table(
        "calibration-table",
        "Calibration of each method",
        ("Method", "ECE in %", "Confidence − accuracy", "Brier score", "Predictions"),
        [
            Section(
                tuple(
                    (
                        method.name,
                        percent(each.ece),
                        signed(each.overconfidence),
                        f"{each.brier:.3f}",
                        str(int(each.count.sum())),
                    )
                    for method, each in found
                )
            )
        ],
    )
    return chart, table


def _measured(predictions: pd.DataFrame, labels: Sequence[str]) -> Reliability:
    posteriors = predictions[[f"p_{label}" for label in labels]].to_numpy(dtype=float)
    true = pd.Index(labels).get_indexer(pd.Index(predictions["label"]))
    return reliability(posteriors, true)


def _panel(method: Method, found: Reliability) -> Panel:
    direction = "too sure" if found.overconfidence > 0 else "not sure enough"
    mean = f"on average {abs(100 * found.overconfidence):.1f} points {direction}"
    svg = reliability_panel(
        f"calibration-{method.slug}",
        f"Reliability of {method.name}",
        f"Expected calibration error {percent(found.ece)} %; {mean}.",
        method.style,
        found.edges.tolist(),
        found.confidence.tolist(),
        found.accuracy.tolist(),
        found.count.tolist(),
    )
    return Panel(svg, f"{method.name}: ECE {percent(found.ece)} %")


def _rows(found: Reliability) -> list[Row]:
    return [
        (f"{low:.2f} to {high:.2f}", f"{confidence:.3f}", f"{accuracy:.3f}", str(count))
        for low, high, confidence, accuracy, count in zip(
            found.edges[:-1], found.edges[1:], found.confidence, found.accuracy, found.count,
            strict=True,
        )
        if count
    ]  # fmt: skip
