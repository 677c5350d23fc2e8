from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests_support.run_maker import make_run

from serbench.results.figure.figure import Scatter
from serbench.results.pages.report import report_page
from serbench.results.report.costs import costs_figure
from serbench.results.report.results import load_results
from serbench.results.report.write import write_report

SKILL = {"akd": 0.9, "kd": 0.5, "transformer": 0.2, "teacher:whisper": 0.95}
FLOPS = {"akd": 2e8, "kd": 1e8, "transformer": 5e8}


def run_of(folder: Path, flops: dict[str, float] | None = None, **changes: object) -> Path:
    run = make_run(folder, SKILL, **changes)  # pyright: ignore[reportArgumentType]
    for path in (run / "fits").glob("*.json"):
        fit = json.loads(path.read_text())
        if flops is None:
            del fit["flops"]
        else:
            fit["flops"] = int(flops[fit["method"]])
        path.write_text(json.dumps(fit))
    return run


def test_every_student_is_drawn_at_what_it_costs(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", FLOPS)
    results = load_results([run])
    figure = costs_figure(results)
    assert figure is not None
    flops, parameters = (panel.plot for panel in figure.panels)
    assert isinstance(flops, Scatter)
    assert isinstance(parameters, Scatter)
    assert [point.x for point in flops.points] == [0.2, 0.1, 0.5]
    assert {point.x for point in parameters.points} == {0.391207}
    for point, each in zip(flops.points, results.comparison.students, strict=True):
        ua = each.pooled["ua"]
        assert (point.low, point.y, point.high) == (100 * ua.low, 100 * ua.value, 100 * ua.high)
    assert "none is better in both values than kd, akd." in figure.panels[0].description
    assert figure.numbers is not None
    write_report([run], run)
    assert (run / "figures" / "flops.png").is_file()
    assert "figures/flops.png" in (run / "report.md").read_text()
    assert figure.caption in report_page(results)


def test_runs_are_drawn_together(tmp_path: Path) -> None:
    runs = [run_of(tmp_path / name, FLOPS) for name in ("one", "two")]
    figure = costs_figure(load_results(runs))
    assert figure is not None
    assert len({point.name for point in figure.panels[0].plot.points}) == 6  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("flops", [None, dict.fromkeys(FLOPS, 1e8)])
def test_there_is_no_figure_where_costs_do_not_differ(
    tmp_path: Path, flops: dict[str, float] | None
) -> None:
    run = run_of(tmp_path / "run", flops)
    assert costs_figure(load_results([run])) is None
    write_report([run], run)
    assert not (run / "figures" / "flops.png").exists()
    assert "flops.png" not in (run / "report.md").read_text()


def test_a_leaky_run_has_no_best(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", FLOPS, protocol="leaky-random")
    assert costs_figure(load_results([run])) is None
