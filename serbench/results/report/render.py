"""Tables as Markdown, CSV, LaTeX, HTML, and for a terminal."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

import jinja2
from markupsafe import escape as markup_escape
from rich import box
from rich.markup import escape
from rich.table import Table as RichTable

from serbench.files.digests import shown_digest
from serbench.results.compare.records import METRICS, Estimate, MethodResult
from serbench.results.report.marks import mark
from serbench.results.report.notes import p_value
from serbench.results.report.results import MethodInfo, Results
from serbench.results.report.tables import (
    Table,
    display_name,
    parameter_count,
    percent,
    score_notes,
    seeds_note,
    signed,
    with_spread,
)

LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "[": "{[}",
    "]": "{]}",
    "±": r"$\pm$",
    "−": "$-$",
    "Δ": r"$\Delta$",
    "α": r"$\alpha$",
    "β": r"$\beta$",
    "γ": r"$\gamma$",
    "θ": r"$\theta$",
    "λ": r"$\lambda$",
    "–": "--",
    "…": r"\ldots{}",
    "“": "``",
    "”": "''",
    "≤": r"$\leq$",
    "″": "''",
    "·": r"\textperiodcentered{}",
    "∞": r"$\infty$",
}
"""Characters that LaTeX reads as commands, or that its older engines cannot set. A bracket at the
start of a row would be read as the optional argument of the preceding line break."""

WIDE = 90
"""Characters in a row beyond which a LaTeX table is scaled to the page."""


def escape_latex(text: str) -> str:
    """``text`` as LaTeX sets it literally."""
    return "".join(LATEX.get(character, character) for character in text)


def escape_markdown(text: str) -> str:
    """``text`` as Markdown shows it literally, in a table cell too.

    Brackets are left alone unless they could make a link, and underscores inside a word, so that
    the file stays readable as it is.
    """
    line = re.sub(r"([\\`*<>|])", r"\\\1", " ".join(text.split()))
    line = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\_", line)
    return re.sub(r"\](?=[(\[])", r"\]", line).replace("~~", r"\~\~")


@functools.cache
def templates(*, escape: bool = False) -> jinja2.Environment:
    """The report's templates, with the escapes as filters ``md`` and ``tex``; or escaping HTML."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("serbench.results.report", "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=escape,  # noqa: S701 - Markdown and LaTeX are escaped by their own filters
    )
    environment.filters |= {"md": escape_markdown, "tex": escape_latex}
    return environment


def markdown(table: Table, certificates: str) -> str:
    """The table as GitHub-flavoured Markdown, with ``certificates`` (Markdown) under it."""
    return templates().get_template("table.md.j2").render(table=table, certificates=certificates)


def latex(table: Table, certificates: str) -> str:
    """The table as a ``table`` environment that needs booktabs, and graphicx where it is wide."""
    rows = [table.columns, *(row for section in table.sections for row in section.rows)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(table.columns))]
    return (
        templates()
        .get_template("table.tex.j2")
        .render(table=table, certificates=certificates, wide=sum(widths) > WIDE)
    )


def html(table: Table, certificates: str) -> str:
    """The table as a ``<figure>``, everything escaped, with the digests under it."""
    return (
        templates(escape=True)
        .get_template("table.html.j2")
        .render(table=table, certificates=certificates)
    )


def html_document(tables: Sequence[Table], certificates: str) -> str:
    """Tables as a page of their own, to open or to paste from, called as the first."""
    title = markup_escape(tables[0].caption)
    head = f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{title}</title>\n'
    return head + "\n".join(html(table, certificates) for table in tables)


def csv(table: Table, certificates: str) -> str:
    """The table's numbers as CSV with a header; scores in 0 … 1, the digests in each row."""
    data = table.data.assign(certificate=certificates)
    return data.to_csv(index=False, lineterminator="\n", float_format="%.6f")


def rich_comparison(results: Results) -> RichTable:
    """The comparison for a terminal of 80 columns and more."""
    compared = results.comparison
    dataset = results.dataset
    title = (
        f"{escape(str(dataset['name']))}: {results.size}, "
        f"{len(compared.speaker_counts)} speakers, {len(compared.labels)} classes"
    )
    notes = " ".join((score_notes(results), *seeds_note(compared)))
    table = rich_table(title, mark(results.protocol), notes, results.warnings)
    table.caption = f"{table.caption}\nCertificate {_short(results)}."
    table.add_column("Method", overflow="fold")
    for title in ("WA %", "UA %", "F1 %", "UA % folds"):
        table.add_column(title, justify="right", no_wrap=True)
    if not results.leaky:
        table.add_column(f"ΔUA to {escape(display_name(compared.reference))}", justify="right")
    for group in (compared.students, compared.teachers):
        table.add_section()
        for result in group:
            row = _rich_row(result, results.methods[result.method])
            table.add_row(*row, *(() if results.leaky else (rich_difference(result),)))
    return table


def rich_table(title: str, mark: str, notes: str, warnings: Sequence[str]) -> RichTable:
    """An empty table for a terminal; a leaky run's ``mark`` stands above its title (markup)."""
    above = f"[bold red]{escape(mark)}[/]\n" if mark else ""
    below = "".join(f"\n[not dim yellow]{escape(line)}[/]" for line in warnings)
    return RichTable(
        title=above + title,
        caption=notes + below,
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        leading=1,
        title_style="bold",
        caption_style="dim",
        caption_justify="left",
    )


def _short(results: Results) -> str:
    return ", ".join(shown_digest(run.certificate.digest) for run in results.runs)


def _rich_row(result: MethodResult, info: MethodInfo) -> Sequence[str]:
    about = (
        "teacher" if result.is_teacher else f"{info.student}, {parameter_count(info.parameters)}"
    )
    return (
        f"[bold]{escape(display_name(result.method))}[/]\n[dim]{escape(about)}[/]",
        *(rich_estimate(result.pooled[metric], bold=metric == "ua") for metric in METRICS),
        with_spread(result.spread["ua"]),
    )


def rich_estimate(estimate: Estimate, *, bold: bool) -> str:
    """A score over its interval."""
    value = f"[bold]{percent(estimate.value)}[/]" if bold else percent(estimate.value)
    return f"{value}\n[dim]{percent(estimate.low)}–{percent(estimate.high)}[/]"


def rich_difference(result: MethodResult) -> str:
    """Points against the reference, over their interval and the verdict."""
    difference = result.difference
    if difference is None:
        return "[dim]reference[/]"
    found = difference.significance
    chance = f"[dim], p {p_value(found.p_holm)}[/]" if found else ""
    colour = {"better": "green", "worse": "red"}.get(difference.verdict, "yellow")
    return (
        f"{signed(difference.value)}\n"
        f"[dim]{signed(difference.low)} to {signed(difference.high)}[/]\n"
        f"[{colour}]{difference.verdict}[/]{chance}"
    )
