"""Inflation as a table and a figure."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import fill

from serbench.errors import joined
from serbench.learning.evaluate import Metric
from serbench.results.compare.records import Estimate
from serbench.results.figure.figure import Axis, Figure, Forest, ForestRow, Key, Panel, percent_ends
from serbench.results.figure.palette import Style, style_of
from serbench.results.report.marks import LEAKS
from serbench.results.report.notes import interval_note
from serbench.results.report.published import leak_note, published_columns
from serbench.results.table.columns import Column, bounds, make_table
from serbench.results.table.formats import DIFFERENCE, SCORE, Format, percent
from serbench.results.table.table import Record, Table
from serbench.running.registry.schema import ClaimSpec
from serbench.running.store.run import TEACHER_PREFIX
from serbench.settings import EPOCH_ON_TEST, PROPER, ProtocolName
from serbench.studies.inflation.measure import METRICS, Inflation
from serbench.studies.study import Shown

TITLES = {"ua": "UA", "wa": "WA"}

NARROW = 13
"""Characters of a terminal's column: as many as an interval of differences needs."""

INFLATED: Format[Estimate] = Format(DIFFERENCE.text, DIFFERENCE.detail, tone=lambda _: "worse")

Rerun = tuple[str, ClaimSpec]
"""A method and a published claim about it."""

InflationRow = tuple[str, Metric]
"""A method and a metric of its score."""


def show_inflation(found: Inflation) -> Shown:
    """Show inflation as a table and a figure."""
    return Shown(
        title=title(found),
        certificates=tuple(found.certificates.values()),
        tables=(inflation_table(found), *rerun_tables(found)),
        figures=(inflation_figure(found),),
    )


def title(found: Inflation) -> str:
    """A title that says what the table is, and that its leaky part is wrong."""
    return (
        f"Effect of leakage on {found.dataset}: the leaky figures are wrong on purpose, and not "
        "for comparison"
    )


def in_words(protocol: ProtocolName) -> str:
    """A protocol's name in column titles."""
    return f"{protocol}: {LEAKS[protocol]}" if protocol in LEAKS else protocol


def inflation_table(found: Inflation) -> Table:
    """A row for each method and metric, two columns for each leak."""
    columns: list[Column[InflationRow]] = [
        Column("Method", lambda row: found.names[row[0]]),
        Column("Score in %", lambda row: TITLES[row[1]], short="%"),
    ]
    for protocol in found.protocols:
        columns += _columns(found, protocol)
    teachers = [method for method in found.methods if method.startswith(TEACHER_PREFIX)]
    groups = {
        "": [method for method in found.methods if method not in teachers],
        "Teachers, by their own head": teachers,
    }
    return make_table(
        "inflation",
        title(found),
        columns,
        {head: [(m, metric) for m in methods for metric in METRICS]
         for head, methods in groups.items()},
        records=tuple(_records(found)),
        notes=(note(found), *unchanged_notes(found)),
    )  # fmt: skip


def _columns(found: Inflation, protocol: ProtocolName) -> Iterator[Column[InflationRow]]:
    """The score under a protocol; for a leaky one its inflation too."""
    words = [f"{protocol}:", LEAKS[protocol]] if protocol in LEAKS else [protocol]
    yield Column(
        in_words(protocol),
        lambda row: found.scores[row[0], protocol].pooled[row[1]],
        SCORE,
        short="\n".join(fill(each, NARROW) for each in words),
    )
    if protocol in LEAKS:
        yield Column(
            "Inflation",
            lambda row: found.scores[row[0], protocol].inflation[row[1]],
            INFLATED,
            console="whole",
        )


def rerun_tables(found: Inflation) -> tuple[Table, ...]:
    """Published claims, the same methods under broken protocols, and under the proper one; no
    table if the runs belong to no suite.
    """
    rows = [(method, claim) for method in found.methods for claim in found.claims.get(method, ())]
    if not rows:
        return ()
    columns: list[Column[Rerun]] = [
        Column("Method", lambda row: found.names[row[0]], key="method"),
        *published_columns(_claim),
        *(
            Column(
                f"UA, {in_words(protocol)}",
                lambda row, protocol=protocol: found.scores[row[0], protocol].pooled["ua"],
                SCORE,
                key=f"ua_{protocol}",
                short=fill(f"{protocol} UA %", NARROW),
            )
            for protocol in (*found.leaky, PROPER)
        ),
    ]
    made = make_table(
        "published",
        f"Published, re-run with leaks on purpose, and speaker-independent: {found.dataset}, in %",
        columns,
        rows,
        notes=(
            "Published figures are quoted; all others were measured here. The leaky ones are "
            "wrong on purpose.",
            *leak_note(claim for _, claim in rows),
        ),
    )
    return (made,)


def _claim(row: Rerun) -> ClaimSpec:
    return row[1]


def note(found: Inflation) -> str:
    """How intervals and inflation were computed."""
    text = (
        "Pooled over the outer test folds. "
        f"{interval_note(found.repeats, found.speakers)} "
        f"Inflation: percentage points above {PROPER}, on the same utterances and over the same "
        "draws."
    )
    teachers = any(method.startswith(TEACHER_PREFIX) for method in found.methods)
    on_test = [name for name in found.leaky if name in EPOCH_ON_TEST]
    if teachers and on_test:
        text += (
            f" A teacher's head has no epochs: {joined(on_test)} "
            f"choose{'s' if len(on_test) == 1 else ''} its strength of regularisation on the test "
            "fold."
        )
    return text


def unchanged_notes(found: Inflation) -> Iterator[str]:
    """Notes on methods that a protocol does not change, for instance if they do not normalise."""
    for protocol, methods in found.unchanged.items():
        if methods:
            names = joined(found.names[each] for each in methods)
            yield f"{protocol} changed no prediction of {names}."


def _records(found: Inflation) -> Iterator[Record]:
    """One record for each protocol, method and metric, in 0 … 1."""
    for (method, protocol), score in found.scores.items():
        for metric in METRICS:
            pooled = score.pooled[metric]
            yield {
                "protocol": protocol,
                "leak": LEAKS.get(protocol, ""),
                "method": method,
                "metric": metric,
                "value": pooled.value,
                "low": pooled.low,
                "high": pooled.high,
                **bounds("inflation", score.inflation.get(metric)),
            }


def inflation_figure(found: Inflation) -> Figure:
    """UA of every method under each protocol, with its 95 % interval."""
    styles: list[tuple[ProtocolName, Style]] = [
        (protocol, style_of(place)) for place, protocol in enumerate(found.protocols)
    ]
    rows = []
    for method in found.methods:
        kind = " (teacher)" if method.startswith(TEACHER_PREFIX) else ""
        for protocol, style in styles:
            ua = found.scores[method, protocol].pooled["ua"]
            rows.append(
                ForestRow(
                    label=protocol,
                    value=100 * ua.value,
                    low=100 * ua.low,
                    high=100 * ua.high,
                    style=style,
                    said=percent(ua.value),
                    group=found.names[method] + kind,
                )
            )
    ends = [end for row in rows for end in (row.low, row.high)]
    axis = Axis("UA in %, pooled over outer test folds, with 95 % CI", *percent_ends(ends))
    return Figure(
        name="inflation",
        caption=title(found),
        panels=(Panel(Forest(tuple(rows), axis)),),
        legend=tuple(Key(in_words(protocol), style) for protocol, style in styles),
    )
