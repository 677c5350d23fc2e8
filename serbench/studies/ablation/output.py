"""An ablation as a table, a figure, and a page of its run's report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from rich.table import Table as RichTable

from serbench.api import StoreError
from serbench.results.compare.records import MethodResult
from serbench.results.figure.figure import (
    Axis,
    Figure,
    Forest,
    ForestRow,
    Key,
    Panel,
    ReferenceLine,
)
from serbench.results.figure.palette import NEUTRAL, Style
from serbench.results.report.build import Addition, certificate_links
from serbench.results.report.comparison import seeds_note, stamped, tested
from serbench.results.report.notes import compared_notes
from serbench.results.report.results import Results, load_results
from serbench.results.report.scores import forest_row
from serbench.results.report.settings import protocol_line
from serbench.results.table.columns import Column, make_table
from serbench.results.table.console import console_table
from serbench.results.table.files import markdown
from serbench.results.table.formats import (
    COUNT,
    DIFFERENCE,
    NOTHING,
    P_VALUE,
    PARAMETERS,
    SCORE,
    VERDICT,
    signed,
)
from serbench.results.table.table import Table
from serbench.results.templating import templates
from serbench.studies.ablation.measure import AblationLine, AblationResults, ablation_results

NAME = "ablation"
"""The stem of the files' names."""

ROW, TEACHER = Style(1), Style(NEUTRAL.colour, "diamond")
V = TypeVar("V")


def addition(results: Results) -> Addition | None:
    """What an ablation adds to its report; None for any other run, and for several together."""
    ablation = ablation_results(results)
    if ablation is None:
        return None
    table = stamped(ablation_table(ablation), results)
    page = ablation_page(ablation, table, certificate_links(results))
    return Addition((table,), (ablation_figure(ablation),), {f"{NAME}.md": page})


def ablation_table(ablation: AblationResults) -> Table:
    """Pooled WA and UA of every row, its size, and its difference from the full method."""
    columns: list[Column[AblationLine]] = [
        Column("", lambda line: line.part, key="part"),
        Column("", lambda line: line.row, key="row"),
        Column("Row", lambda line: line.label, key="label"),
        Column("", lambda line: "; ".join(line.changes), key="changes"),
        Column("", lambda line: line.result and line.result.method, key="method"),
        Column(
            "Parameters", lambda line: line.info and line.info.parameters, PARAMETERS,
            key="parameters", console="below",
        ),
        Column("", _of(lambda result: result.seeds), COUNT, key="seeds"),
        Column("WA", _of(lambda result: result.pooled["wa"]), SCORE, key="wa", short="WA %"),
        Column("UA", _of(lambda result: result.pooled["ua"]), SCORE, key="ua", short="UA %"),
        Column(
            f"ΔUA to {ablation.method}", _of(lambda result: result.difference), DIFFERENCE,
            key="delta_ua",
        ),
        Column("", _of(tested(lambda test: test.p)), P_VALUE, key="p"),
        Column(
            "p", _of(tested(lambda test: test.p_holm)), P_VALUE, key="p_holm", console="below",
            short="p",
        ),
        Column("Verdict", lambda line: line.verdict, VERDICT, key="verdict", console="below"),
    ]  # fmt: skip
    compared = ablation.results.comparison
    return make_table(
        NAME,
        f"{ablation.title}: utterance-level scores in %, pooled over the outer test folds",
        columns,
        ablation.parts,
        notes=(
            *compared_notes(ablation.results),
            f"A negative value means that the row is worse than {ablation.method}: the part that "
            "it leaves out or changes contributes that many points.",
            *seeds_note(compared),
        ),
    )


def _of(read: Callable[[MethodResult], V | None]) -> Callable[[AblationLine], V | None]:
    """A function that reads a value of a line's result; None if the line was not run."""
    return lambda line: read(line.result) if line.result else None


def ablation_page(ablation: AblationResults, table: Table, certificates: str) -> str:
    """``ablation.md``: the table, the figure, and what each row changes.

    Args:
        ablation: the results that the page shows.
        table: the result of ``ablation_table``, stamped.
        certificates: Markdown with links to the certificates.
    """
    return (
        templates("serbench.studies.ablation")
        .get_template("ablation.md.j2")
        .render(
            title=ablation.title,
            summary=ablation.summary,
            protocol=protocol_line(ablation.results),
            warnings=ablation.results.warnings,
            table=markdown(table, certificates),
            method=ablation.method,
            lines=ablation.lines,
            NOTHING=NOTHING,
        )
    )


def ablation_figure(ablation: AblationResults) -> Figure:
    """UA of every row minus that of the full method, with its paired interval."""
    teachers = any(line.result and line.result.is_teacher for line in ablation.lines)
    axis = Axis(f"UA minus that of {ablation.method}, in points, with paired 95 % CI")
    rows = tuple(_row(line, part) for part, lines in ablation.parts.items() for line in lines)
    said = "; ".join(f"{row.label} {row.said}" for row in rows)
    return Figure(
        name=NAME,
        caption=ablation.title,
        panels=(Panel(Forest(rows, axis, ReferenceLine(0.0, "no difference")), "", f"{said}."),),
        legend=(
            Key("student; hollow: no significant difference", ROW),
            Key(f"full method, {ablation.method}", NEUTRAL),
            *([Key("teacher's own head", TEACHER)] if teachers else []),
        ),
        warnings=ablation.results.warnings,
    )


def _row(line: AblationLine, part: str) -> ForestRow:
    result = line.result
    if result is None:
        return ForestRow(line.label, None, 0, 0, ROW, line.verdict, group=part)
    if result.difference is None:
        return ForestRow(line.label, 0, 0, 0, NEUTRAL, "reference", group=part)
    found = result.difference
    style = TEACHER if result.is_teacher else ROW
    said = f"{signed(found.value)}, {found.verdict}"
    return replace(forest_row(line.label, found, style, said, found.verdict), group=part)


def render_ablation(folder: Path) -> RichTable:
    """The table of an ablation for a terminal.

    Raises:
        StoreError: the folder has no finished run, is damaged, or is no ablation.
    """
    results = load_results([folder])
    found = ablation_results(results)
    if found is None:
        raise StoreError(f"{folder} is not an ablation; make one with `serbench ablate`")
    return console_table(stamped(ablation_table(found), results))
