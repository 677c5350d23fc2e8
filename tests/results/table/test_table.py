"""One description of a table gives Markdown, CSV, LaTeX, HTML and the console's table."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

import pytest
from pydantic import TypeAdapter
from rich.console import Console

from serbench.results.compare.records import Difference, Estimate, Spread
from serbench.results.table.columns import (
    Column,
    bounds,
    make_table,
    records_of,
    text_section,
    text_table,
)
from serbench.results.table.console import console_table
from serbench.results.table.files import csv_text, html, latex, markdown, table_texts
from serbench.results.table.formats import (
    COUNT,
    DIFFERENCE,
    P_VALUE,
    PARAMETERS,
    SCORE,
    SPREAD,
    TEXT,
    VERDICT,
    number,
    p_value,
    percent,
    signed,
)
from serbench.results.table.table import Table


@dataclass(frozen=True)
class Method:
    name: str
    ua: Estimate
    spread: Spread
    parameters: tuple[int, int]
    difference: Difference | None = None
    p: float | None = None
    verdict: str = "reference"


FIRST = Method("a_b", Estimate(0.73, 0.6812345678, 0.772), Spread(0.72, 0.04), (390_000, 390_000))
OTHER = Method(
    "<c>|", Estimate(0.5, 0.4, 0.6), Spread(0.5, None), (390_000, 412_000),
    Difference(-0.012, -0.05, 0.003), 0.0312, "worse",
)  # fmt: skip

COLUMNS: list[Column[Method]] = [
    Column("Method", lambda row: row.name, TEXT, key="method", link=lambda row: f"{row.name}.html"),
    Column("Parameters", lambda row: row.parameters, PARAMETERS, key="size", console="below"),
    Column("UA", lambda row: row.ua, SCORE, key="ua", short="UA %", help="Mean recall in %."),
    Column("Folds", lambda row: row.spread, SPREAD, key="ua_fold", console="none"),
    Column("ΔUA", lambda row: row.difference, DIFFERENCE, key="delta"),
    Column("p", lambda row: row.p, P_VALUE, key="p", short="p", console="below"),
    Column("Verdict", lambda row: row.verdict, VERDICT, console="below"),
    Column("", lambda row: len(row.name), COUNT, key="letters"),
]


def made() -> Table:
    return make_table(
        "comparison",
        "Scores in %",
        COLUMNS,
        {"": [FIRST], "Teachers, by their own head": [OTHER], "Nobody": []},
        notes=("A note.",),
        warnings=("A warning.",),
        certificates=("0" * 64,),
    )


def test_markdown() -> None:
    assert markdown(made()) == (
        "**Scores in %**\n\n"
        "| Method | Parameters | UA | Folds | ΔUA | p | Verdict |\n"
        "| :--- | ---: | ---: | ---: | ---: | ---: | :--- |\n"
        "| a_b | 0.39 M | 73.0 [68.1, 77.2] | 72.0 ± 4.0 | – | – | reference |\n"
        "| *Teachers, by their own head* | | | | | | |\n"
        "| \\<c\\>\\| | 0.39–0.412 M | 50.0 [40.0, 60.0] | 50.0 | −1.2 [−5.0, +0.3] | 0.031 "
        "| worse |\n\n"
        f"A note.  \nA warning.  \nCertificate: `{'0' * 64}`\n"
    )


def test_markdown_links_certificates_where_there_are_pages() -> None:
    assert markdown(made(), "[`0`](c.md)").endswith("Certificate: [`0`](c.md)\n")


def test_csv_has_full_numbers_and_columns_that_are_not_shown() -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text(made()))))
    assert rows[0] == {
        "method": "a_b", "size_min": "390000", "size_max": "390000", "ua": "0.73",
        "ua_low": "0.6812345678", "ua_high": "0.772", "ua_fold_mean": "0.72",
        "ua_fold_sd": "0.04", "delta": "", "delta_low": "", "delta_high": "", "p": "",
        "letters": "3", "certificate": "0" * 64,
    }  # fmt: skip
    assert rows[1]["delta_low"] == "-0.05"
    assert rows[1]["ua_fold_sd"] == ""


def test_csv_of_other_rows_than_are_shown() -> None:
    long = [{"method": row.name, **bounds("ua", row.ua)} for row in (FIRST, OTHER)]
    table = make_table("x", "X", COLUMNS[:1], [FIRST], records=long)
    assert csv_text(table).splitlines()[2] == "<c>|,0.5,0.4,0.6"
    assert bounds("ua", None) == {"ua": None, "ua_low": None, "ua_high": None}


def test_csv_leaves_nan_empty_and_keeps_columns_that_later_rows_bring() -> None:
    table = make_table("x", "X", COLUMNS[:1], [], records=[{"a": float("nan")}, {"b": 1}])
    assert csv_text(table) == "a,b\n,\n,1\n"


def test_latex_escapes_and_wide_tables_span_both_columns() -> None:
    text = latex(made())
    assert r"\begin{tabular}{@{}lrrrrrl@{}}" in text
    interval = r"{\scriptsize {[}68.1, 77.2{]}}"
    assert rf"a\_b & 0.39 M & 73.0 {interval} & 72.0 $\pm$ 4.0 & -- & -- & reference \\" in text
    assert latex(text_table("w", "Wide", ("A",), [("x" * 91,)])).count("table*") == 2
    narrow = latex(text_table("n", "Narrow", ("A",), [("x",)]))
    assert "table*" not in narrow
    assert "minipage" not in narrow  # nothing to say below it
    assert r"\multicolumn{7}{l}{\itshape Teachers, by their own head}" in text


def test_html_escapes_links_and_explains() -> None:
    text = html(made())
    assert "&lt;c&gt;|" in text
    assert '<a href="a_b.html">a_b</a>' in text
    assert "73.0 <small>[68.1, 77.2]</small>" in text
    assert 'title="Mean recall in %."' in text
    assert "<code" in text
    assert f"{'0' * 64}</code>" in text


def test_texts_of_several_tables_and_the_csv_of_the_first() -> None:
    texts = table_texts([made(), text_table("t", "Other", ("A", "B"), [("1", "2")], right=("B",))])
    assert texts[".md"].count("**") == 4
    assert texts[".csv"] == csv_text(made())
    assert texts[".tex"].count("\\begin{table") == 2
    assert texts[".html"].count("<figure") == 2
    assert "Certificate" not in texts[".md"].split("**Other**")[1]


def test_console_puts_details_and_columns_below() -> None:
    console = Console(width=80, record=True, no_color=True)
    console.print(console_table(made(), "LEAKY"))
    lines = [line.rstrip() for line in console.export_text().splitlines()]
    assert lines[0].strip() == "LEAKY"
    assert any(line.split() == ["Method", "UA", "%", "ΔUA"] for line in lines)
    assert any(line.split()[:3] == ["a_b", "73.0", "–"] for line in lines)
    assert {"p 0.031", "worse"} <= {line.split("  ")[-1].strip() for line in lines}
    assert any("Teachers" in line for line in lines)
    assert any("A warning." in line for line in lines)
    assert any(f"Certificate {'0' * 12}." in line for line in lines)


def test_a_table_is_saved_and_read_again() -> None:
    adapter = TypeAdapter(Table)
    assert adapter.validate_json(adapter.dump_json(made())) == made()


def test_columns_are_put_first() -> None:
    table = made().reordered(("Method", "Verdict"))
    assert table.columns[:3] == ("Method", "Verdict", "Parameters")
    assert [cell.text for cell in table.rows[1][:2]] == ["<c>|", "worse"]


def test_totals_are_rows_of_text() -> None:
    assert text_section([("lowest", "40.0")], "Total").rows[0][1].whole == "40.0"


def test_columns_without_a_key_are_not_in_the_csv() -> None:
    assert list(records_of(COLUMNS[-2:], [FIRST])[0]) == ["letters"]


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (percent(0.7304), "73.0"),
        (signed(-0.0004), "0.0"),
        (signed(0.012), "+1.2"),
        (p_value(0.0004), "< 0.001"),
        (p_value(0.0314), "0.031"),
        (p_value(0.314), "0.31"),
        (number(".2f", 1e3).text(0.0125), "12.50"),
        (number(".1f").text(-1.0), "−1.0"),
    ],
)
def test_numbers_as_text(shown: str, text: str) -> None:
    assert shown == text
