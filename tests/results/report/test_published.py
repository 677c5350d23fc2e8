from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tests_support.run_maker import make_run

from serbench.results.pages.report import report_page
from serbench.results.report.build import make_tables, report_text, report_texts
from serbench.results.report.published import NAME, published_table
from serbench.results.report.results import load_results
from serbench.results.report.write import render_published
from serbench.settings import ProtocolName
from serbench.studies.inflation.measure import load_inflation
from serbench.studies.inflation.show import show_inflation

MADE_FROM = re.compile(r'"made_from": "[0-9a-f]+"')

CLAIMS = [
    {"method": "kd", "wa": 95.7, "ua": 95.17, "leaks": ["R", "B?"], "source": "AKD, Table 3"},
    {"method": "kd", "wa": 90.28, "ua": None, "leaks": [], "source": "corrected"},
    {"method": "gone", "wa": None, "ua": 62.32, "leaks": ["?"], "source": "own paper"},
]
SUITE: dict[str, Any] = {
    "name": "table3",
    "summary": "s",
    "methods": ["gone", "akd", "kd", "quiet"],
    "left_out": {"gone": "takes days", "quiet": "needs weights"},
    "claims": [{**claim, "dataset": "emodb", "protocol": "10-fold"} for claim in CLAIMS],
    "notes": ["Copied from elsewhere."],
}


def suite_run(
    folder: Path,
    protocol: ProtocolName = "speaker-independent",
    skill: Mapping[str, float] | None = None,
    reconstructions: tuple[str, ...] = ("kd",),
) -> Path:
    """A finished run of the suite."""
    made = make_run(folder, dict(skill or {"akd": 0.8, "kd": 0.6}), protocol=protocol)
    plan = json.loads((made / "plan.json").read_text())
    plan["suite"] = SUITE
    for method in plan["methods"]:
        if method["name"] in reconstructions:
            method["reconstruction"] = True
    (made / "plan.json").write_text(json.dumps(plan))
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return suite_run(tmp_path / "run")


def test_published_and_measured_stand_in_columns_of_their_own(folder: Path) -> None:
    results = load_results([folder])
    table = published_table(results)
    assert table is not None
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    methods = ["gone", "akd", "kd (reconstruction)", "kd (reconstruction)"]
    assert [row["Method"].text for row in rows] == methods
    kd = next(each for each in results.comparison.methods if each.method.startswith("kd"))
    ua, wa = (kd.pooled[metric].value for metric in ("ua", "wa"))
    gone, akd, first, second = rows
    assert (first["Published UA"].text, first["Published WA"].text) == ("95.17", "95.70")
    assert first["Measured UA"].text == second["Measured UA"].text == f"{100 * ua:.1f}"
    assert first["Difference"].whole == f"{100 * ua - 95.17:+.1f}".replace("-", "−")
    assert second["Difference"].whole == f"{100 * wa - 90.28:+.1f} WA".replace("-", "−")
    assert (first["Leaks"].text, second["Leaks"].text) == ("R, B?", "none seen")
    assert gone["Published UA"].text == "62.32"
    assert {gone[name].text for name in ("Measured UA", "Measured WA", "Difference")} == {"–"}
    assert {akd[name].text for name in ("Published UA", "Source", "Difference")} == {"–"}


def test_only_the_letters_that_stand_there_are_explained(folder: Path) -> None:
    table = published_table(load_results([folder]))
    assert table is not None
    (letters,) = [note for note in table.notes if note.startswith("Leaks")]
    assert "R: random folds" in letters
    assert "B: best of several runs" in letters
    assert "?: not known" in letters
    assert "E: epoch" not in letters
    assert "Not run: gone: takes days." in table.notes
    assert "Not run: quiet: needs weights." in table.notes
    assert "Copied from elsewhere." in table.notes


def test_no_published_figure_is_in_any_other_table(folder: Path) -> None:
    plain = suite_run(folder.parent / "plain")
    plan = json.loads((plain / "plan.json").read_text())
    del plan["suite"]
    (plain / "plan.json").write_text(json.dumps(plan))
    with_suite, without = report_texts(folder), report_texts(plain)
    new = {path for path in with_suite if path not in without}
    assert new == {f"tables/{NAME}.{end}" for end in ("md", "csv", "tex", "html")}
    for path, text in without.items():
        # The kept comparison names the plan that it was made from, and these are two plans.
        assert MADE_FROM.sub("", with_suite[path]) == MADE_FROM.sub("", text), path
    (record, *_) = csv.DictReader(io.StringIO(with_suite[f"tables/{NAME}.csv"]))
    assert record["published_ua"] == "0.6232"
    assert record["measured_ua"] == record["difference"] == ""
    assert record["left_out"] == "takes days"


def test_the_report_the_page_and_the_terminal_show_it(folder: Path) -> None:
    results = load_results([folder])
    text = report_text(results, make_tables(results))
    assert "## Published and measured" in text
    page = report_page(results)
    section = page[page.index('<section id="published"') :]
    assert "95.17" in section[: section.index("</section>")]
    assert "95.17" not in page[: page.index('<section id="published"')]
    assert '<section id="claims"' not in page
    shown = io.StringIO()
    table = render_published(folder)
    assert table is not None
    Console(width=80, file=shown).print(table)
    lines = shown.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert "95.17" in shown.getvalue()


def test_a_leaky_run_and_a_run_of_no_suite_have_none(tmp_path: Path) -> None:
    leaky = suite_run(tmp_path / "leaky", "leaky-random")
    assert published_table(load_results([leaky])) is None
    assert render_published(make_run(tmp_path / "plain", {"kd": 0.6})) is None


def test_a_reconstruction_says_so_in_every_table(folder: Path) -> None:
    results = load_results([folder])
    for table in make_tables(results).shared.values():
        names = [row[0].text for row in table.rows if row[0].text.startswith("kd")]
        names += [head for head in table.columns if head.startswith("kd")]
        assert all(name.startswith("kd (reconstruction)") for name in names), table.name
    comparison = make_tables(results).shared["comparison"]
    assert [row[0].text for row in comparison.rows][:2] == ["akd", "kd (reconstruction)"]
    plain = load_results([folder], marked=False).comparison.methods
    assert [each.method for each in plain] == ["akd", "kd"]


def test_inflation_puts_the_published_the_rerun_and_the_proper_side_by_side(
    folder: Path, tmp_path: Path
) -> None:
    leaky = suite_run(tmp_path / "leaky", "leaky-random", {"akd": 0.9, "kd": 0.95})
    found = load_inflation([folder, leaky])
    first, table = show_inflation(found).tables
    assert {row[0].text for row in first.rows} == {"akd", "kd (reconstruction)"}
    assert [row[0].text for row in table.rows] == ["kd (reconstruction)"] * 2
    assert [cell.text for cell in table.rows[0][1:3]] == ["95.17", "95.70"]
    assert [name.partition(":")[0] for name in table.columns[-2:]] == [
        "UA, leaky-random", "UA, speaker-independent",
    ]  # fmt: skip
    scores = [found.scores["kd", name].pooled["ua"].value for name in found.protocols[::-1]]
    assert [cell.text for cell in table.rows[0][-2:]] == [f"{100 * ua:.1f}" for ua in scores]
