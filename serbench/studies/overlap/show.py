"""Shows the overlap of test windows as a table and a figure."""

from __future__ import annotations

from serbench.results.figure.figure import Axis, Figure, Key, Line, Lines, Panel
from serbench.results.figure.palette import styles_of
from serbench.results.report.notes import difference_note, interval_note
from serbench.results.table.columns import Column, make_table
from serbench.results.table.formats import (
    COUNT,
    DIFFERENCE,
    SCORE,
    TEXT,
    VERDICT,
    number,
    percent,
)  # fmt: skip
from serbench.results.table.table import Table
from serbench.studies.overlap.records import SAME, OverlapRow, Overlaps
from serbench.studies.study import Shown

SECONDS = number("g")


def show_overlap(found: Overlaps) -> Shown:
    """Show the scores at several overlaps."""
    return Shown(
        title=f"Overlap of test windows on {found.dataset}, post hoc",
        certificates=(found.certificate,),
        tables=(overlap_table(found),),
        figures=(overlap_figure(found),),
    )


def overlap_table(found: Overlaps) -> Table:
    """A row for each method and overlap."""
    columns: list[Column[OverlapRow]] = [
        Column("Method", lambda row: row.method, TEXT, key="method"),
        Column("Overlap in s", lambda row: row.overlap_s, SECONDS, key="overlap_s",
               short="Overlap"),
        Column("", lambda row: found.longer[row.method].window_s, SECONDS, key="window_s"),
        Column("", lambda row: found.longer[row.method].utterances, COUNT, key="utterances"),
        Column("", lambda row: found.longer[row.method].longer, COUNT, key="longer_than_window"),
        Column("Test windows", lambda row: row.windows, COUNT, key="windows", short="Windows"),
        Column("Recut", lambda row: row.recut, COUNT, key="cut_otherwise"),
        Column("Changed", lambda row: row.changed, COUNT, key="class_changed"),
        Column("", lambda _: found.seeds, COUNT, key="seeds"),
        Column("WA", lambda row: row.wa, SCORE, key="wa"),
        Column("UA", lambda row: row.ua, SCORE, key="ua"),
        Column(f"ΔUA to {found.overlaps_s[0]:g} s", lambda row: row.difference, DIFFERENCE,
               key="delta_ua"),
        Column("Verdict", lambda row: row.verdict, VERDICT, key="verdict", console="below"),
    ]  # fmt: skip
    return make_table(
        "overlap",
        f"Overlap of test windows on {found.dataset}: utterance-level scores in % (mean posterior "
        "over windows), pooled over the outer test folds",
        columns,
        found.rows,
        notes=notes(found),
    )


def notes(found: Overlaps) -> tuple[str, ...]:
    """What a reader must know, above all how few utterances the overlap can affect."""
    own = " and ".join(f"{each:g} s" for each in found.own_overlaps_s)
    seeds = f" over {found.seeds} seeds" if found.seeds > 1 else ""
    lines = [
        *share_lines(found),
        f"Recut: utterances whose windows are not those at {found.overlaps_s[0]:g} s (the last "
        "window is moved back so that it ends with the utterance; an utterance slightly longer "
        "than one window is therefore cut in the same way at every overlap). Changed: utterances "
        f"that then get another class{seeds}.",
        f"{interval_note(found.repeats, found.speakers)} "
        f"{difference_note('UA', len(found.overlaps_s) - 1, found.speakers)} “{SAME}”: no "
        "utterance gets another class.",
        f"At the run's own overlap ({own}), the students reproduce the posteriors saved in the "
        f"run (greatest difference {found.gap:.1g}).",
    ]
    if found.has_teachers:
        lines.append("Teachers receive whole utterances, so overlap does not affect them.")
    return (*lines, *found.notes)


def share_lines(found: Overlaps) -> tuple[str, ...]:
    """How many utterances are longer than a window; one line if all methods agree."""
    lines = {}
    for method, longer in found.longer.items():
        short = longer.utterances - longer.longer
        text = (
            f"{longer.longer} of {longer.utterances} test utterances "
            f"({percent(longer.longer / longer.utterances)} %) are longer than one window of "
            f"{longer.window_s:g} s; the other {short} are one window at every overlap."
        )
        lines.setdefault(text, []).append(method)
    if len(lines) == 1:
        return tuple(lines)
    return tuple(f"{', '.join(methods)}: {text}" for text, methods in lines.items())


def overlap_figure(found: Overlaps) -> Figure:
    """UA of every method at each overlap, with its 95 % interval."""
    styles = styles_of(found.planned)
    step = min(0.25, 0.8 / len(found.methods))
    lines = []
    for place, method in enumerate(found.methods):
        shift = (place - (len(found.methods) - 1) / 2) * step
        uas = [row.ua for row in found.of(method)]
        lines.append(
            Line(
                text=method,
                style=styles[method],
                x=tuple(number + shift for number in range(len(uas))),
                middle=tuple(100 * ua.value for ua in uas),
                low=tuple(100 * ua.low for ua in uas),
                high=tuple(100 * ua.high for ua in uas),
                bars=True,
            )
        )
    ticks = tuple((float(at), f"{overlap_s:g}") for at, overlap_s in enumerate(found.overlaps_s))
    plot = Lines(
        tuple(lines),
        Axis("Overlap of test windows in s", -0.5, len(ticks) - 0.5, ticks=ticks),
        Axis("UA in %, with 95 % CI"),
    )
    return Figure(
        name="overlap",
        caption=f"UA at each overlap of test windows on {found.dataset}, post hoc",
        panels=(Panel(plot, description=plot.described),),
        legend=tuple(Key(line.text, line.style) for line in lines),
        warnings=share_lines(found),
    )
