"""Robustness as a table: Markdown, CSV, LaTeX, for a terminal, and beside its figure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from rich.markup import escape
from rich.table import Table as RichTable

from serbench.files.digests import shown_digest
from serbench.results.compare.records import TEACHER_PREFIX, Difference
from serbench.results.report import render
from serbench.results.report.marks import warning_lines
from serbench.results.report.notes import UNCORRECTED, interval_note
from serbench.results.report.tables import Row, Section, Table, display_name, signed, with_interval
from serbench.results.report.write import write_study
from serbench.studies.robustness.conditions import Condition, Family
from serbench.studies.robustness.figure import robustness_figure
from serbench.studies.robustness.measure import Robustness, Score
from serbench.studies.robustness.perturb import TALKERS

HEADINGS: dict[Family, str] = {
    "clean": "",
    "white": "White noise, by SNR",
    "pink": "Pink noise, by SNR",
    "babble": f"Babble of {TALKERS} talkers, by SNR",
    "gain": "Gain",
    "8khz": "Band",
    "room": "Room, by reverberation time",
}

EXPLAINED: dict[Family, str] = {
    "white": "White noise is Gaussian.",
    "pink": "Pink noise falls by 3 dB per octave from 20 Hz up.",
    "babble": (
        f"Babble is {TALKERS} equally loud talkers, speakers of the fold's own training side "
        "(different ones where it has as many)."
    ),
    "8khz": "8 kHz: resampled to 8 kHz and back, no codec.",
    "room": (
        "Rooms are synthetic: direct sound, then exponentially decaying noise of the same "
        "energy; another room for each utterance."
    ),
}
"""How audio was made, for a note."""

MEAN = "mean"
"""What the CSV calls the summary."""

COUNTS = ("clipped_samples", "clipped_utterances")
"""Columns that a summary has no number for."""


def write_robustness(found: Robustness, folder: Path) -> Path:
    """Write ``robustness.md``, ``.csv``, ``.tex`` and ``.png`` into ``folder``.

    Returns:
        The path of ``robustness.md``.

    Raises:
        StoreError: ``folder`` is that of a run, or a file cannot be written.
    """
    figure = robustness_figure(found, warnings(found))
    return write_study(robustness_table(found), found.certificate.digest, figure, folder)


def robustness_table(found: Robustness) -> Table:
    """A row for each condition; UA of each method, and what it is above the first."""
    first, *others = found.methods
    columns = [_title(first)]
    for method in others:
        columns += [_title(method), f"Δ to {display_name(first)}"]
    return Table(
        name="robustness",
        caption=title(found),
        columns=("Condition", *columns),
        alignment="l" + "r" * len(columns),
        sections=tuple(_sections(found)),
        data=pd.DataFrame(list(_data(found))).astype(dict.fromkeys(COUNTS, "Int64")),
        notes=notes(found),
        warnings=warnings(found),
    )


def title(found: Robustness) -> str:
    """What the table is."""
    return f"UA in % on {found.dataset} in noise, at other levels, over a narrow band, in rooms"


def notes(found: Robustness) -> tuple[str, ...]:
    """How audio, intervals and differences came about."""
    families = dict.fromkeys(condition.family for condition in found.conditions)
    made = [EXPLAINED[family] for family in families if family in EXPLAINED]
    if found.noises:
        made.insert(0, "SNR is over the whole utterance's power, pauses included.")
    seeds = f"Each utterance counts once for each of {found.seeds} seeds. "
    return (
        *([" ".join(made)] if made else []),
        *_counts(found),
        f"Every test utterance is perturbed once, the same for all methods. "
        f"{seeds if found.seeds > 1 else ''}"
        f"{interval_note(found.repeats, found.speakers)} {UNCORRECTED}",
    )


def _counts(found: Robustness) -> Iterator[str]:
    """What was clipped, and what stayed without noise."""
    for condition, (samples, utterances) in found.clipped.items():
        if condition.family == "gain" and (condition.level or 0) > 0:
            yield (
                f"At {condition.short}, {samples:,} samples in {utterances} of "
                f"{found.utterances} utterances are clipped at full scale."
            )
    if found.silent:
        yield f"{found.silent} utterances are silent: no noise was added to them."


def warnings(found: Robustness) -> tuple[str, ...]:
    """What must stand under every output."""
    return (*found.notes, *warning_lines([found.certificate]))


def _title(method: str) -> str:
    return display_name(method) + (" (teacher)" if method.startswith(TEACHER_PREFIX) else "")


def _sections(found: Robustness) -> Iterator[Section]:
    for family, heading in HEADINGS.items():
        rows = [
            (each.short, *_cells([found.scores[each, method] for method in found.methods]))
            for each in found.conditions
            if each.family == family
        ]
        if rows:
            yield Section(tuple(rows), heading)
    if found.mean:
        means = _cells([found.mean[method] for method in found.methods])
        yield Section(((mean_name(found), *means),), "Summary")


def mean_name(found: Robustness) -> str:
    """What the summary is over."""
    return f"mean of the {len(found.noises)} noises and SNRs"


def _cells(scores: list[Score]) -> Row:
    """UA of each method and, but for the first, its difference."""
    cells: list[str] = []
    for score in scores:
        cells.append(with_interval(score.ua))
        if score.difference is not None:
            cells.append(_points(score.difference))
    return tuple(cells)


def _points(difference: Difference) -> str:
    low, high = signed(difference.low), signed(difference.high)
    return f"{signed(difference.value)} [{low}, {high}]"


def _data(found: Robustness) -> Iterator[dict[str, object]]:
    """One row for each condition and method, and for each method's mean, in 0 … 1."""
    for (condition, method), score in found.scores.items():
        samples, utterances = found.clipped[condition]
        yield {
            **_numbers(found, condition.name, method, score, condition),
            "clipped_samples": samples,
            "clipped_utterances": utterances,
        }
    for method, score in found.mean.items():
        yield _numbers(found, MEAN, method, score, None)


def _numbers(
    found: Robustness, name: str, method: str, score: Score, condition: Condition | None
) -> dict[str, object]:
    difference = score.difference
    return {
        "protocol": found.certificate.protocol,
        "condition": name,
        "family": condition.family if condition else "",
        "level": condition.level if condition else None,
        "method": method,
        "ua": score.ua.value,
        "ua_low": score.ua.low,
        "ua_high": score.ua.high,
        "delta_ua": difference.value if difference else None,
        "delta_ua_low": difference.low if difference else None,
        "delta_ua_high": difference.high if difference else None,
    }


def render_robustness(found: Robustness) -> RichTable:
    """The table for a terminal."""
    table = render.rich_table(
        escape(title(found)), "", escape(" ".join(notes(found))), warnings(found)
    )
    table.caption = f"{table.caption}\nCertificate {shown_digest(found.certificate.digest)}."
    table.add_column("Condition", overflow="fold")
    for method in found.methods:
        kind = "\n[dim]teacher[/]" if method.startswith(TEACHER_PREFIX) else ""
        table.add_column(escape(display_name(method)) + kind, justify="right", overflow="fold")
    for family, heading in HEADINGS.items():
        rows = [condition for condition in found.conditions if condition.family == family]
        for condition in rows:
            about = f"\n[dim]{heading.partition(',')[0]}[/]" if heading else ""
            scores = [found.scores[condition, method] for method in found.methods]
            table.add_row(f"[bold]{condition.short}[/]{about}", *map(_rich_cell, scores))
        if rows:
            table.add_section()
    if found.mean:
        means = [_rich_cell(found.mean[method]) for method in found.methods]
        table.add_row(f"[bold]{mean_name(found)}[/]", *means)
    return table


def _rich_cell(score: Score) -> str:
    """UA over its interval, and over the difference from the first method."""
    text = render.rich_estimate(score.ua, bold=True)
    if score.difference is None:
        return text
    colour = {"better": "green", "worse": "red"}.get(score.difference.verdict, "yellow")
    return f"{text}\n[{colour}]{signed(score.difference.value)}[/]"
