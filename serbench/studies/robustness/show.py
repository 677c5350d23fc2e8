"""Shows robustness as a table and a figure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from serbench.results.compare.names import display_name
from serbench.results.compare.records import Difference, Estimate
from serbench.results.figure.figure import (
    Axis,
    Figure,
    Key,
    Line,
    Lines,
    Panel,
    ReferenceLine,
    percent_ends,
)
from serbench.results.figure.palette import styles_of
from serbench.results.report.notes import UNCORRECTED, interval_note
from serbench.results.table.columns import Column, bounds, make_table
from serbench.results.table.formats import DIFFERENCE, SCORE
from serbench.results.table.table import Record, Table
from serbench.running.store.run import TEACHER_PREFIX
from serbench.studies.robustness.conditions import CLEAN, NOISES, Condition, Family
from serbench.studies.robustness.measure import ConditionScore, Robustness
from serbench.studies.robustness.perturb import TALKERS
from serbench.studies.study import Shown

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
        f"Babble: {TALKERS} equally loud talkers from the fold's own training side (different "
        "speakers if it has that many)."
    ),
    "8khz": "8 kHz: resampled to 8 kHz and back, no codec.",
    "room": (
        "Rooms are synthetic: direct sound, then exponentially decaying noise of the same "
        "energy; a new room for each utterance."
    ),
}
"""How the audio of each family was made, for a note."""

PANELS = {"white": "White noise", "pink": "Pink noise", "babble": "Babble"}

MEAN = "mean"
"""The name of the mean in the CSV."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of the table.

    Attributes:
        scores: scores by method.
    """

    name: str
    scores: Mapping[str, ConditionScore]


def show_robustness(found: Robustness) -> Shown:
    """Show robustness."""
    return Shown(
        title=f"UA on {found.dataset} in noise, at other levels, over a narrow band, in rooms",
        certificates=(found.certificate,),
        tables=(robustness_table(found),),
        figures=(robustness_figure(found),),
    )


def robustness_table(found: Robustness) -> Table:
    """A row for each condition, with UA of each method, and its difference from the first."""
    first, *others = found.methods
    columns: list[Column[_Row]] = [
        Column("Condition", lambda row: row.name),
        Column(_title(first), _ua_of(first), SCORE),
    ]
    for method in others:
        columns += [
            Column(_title(method), _ua_of(method), SCORE),
            Column(f"Δ to {display_name(first)}", _difference_of(method), DIFFERENCE,
                   console="below"),
        ]  # fmt: skip
    return make_table(
        "robustness",
        f"UA in % on {found.dataset} in noise, at other levels, over a narrow band, in rooms",
        columns,
        _rows(found),
        records=tuple(_records(found)),
        notes=notes(found),
        warnings=found.notes,
    )


def _ua_of(method: str) -> Callable[[_Row], Estimate]:
    return lambda row: row.scores[method].ua


def _difference_of(method: str) -> Callable[[_Row], Difference | None]:
    return lambda row: row.scores[method].difference


def _rows(found: Robustness) -> dict[str, list[_Row]]:
    """Rows by their heading."""
    rows = {
        heading: [
            _Row(each.short, {method: found.scores[each, method] for method in found.methods})
            for each in found.conditions
            if each.family == family
        ]
        for family, heading in HEADINGS.items()
    }
    if found.mean:
        name = f"mean of the {len(found.noises)} noises and SNRs"
        rows["Summary"] = [_Row(name, found.mean)]
    return rows


def notes(found: Robustness) -> tuple[str, ...]:
    """How audio, intervals and differences were computed."""
    families = dict.fromkeys(condition.family for condition in found.conditions)
    made = [EXPLAINED[family] for family in families if family in EXPLAINED]
    if found.noises:
        made.insert(0, "SNR is relative to the power of the whole utterance, pauses included.")
    seeds = f"Each utterance counts once for each of {found.seeds} seeds. "
    return (
        *([" ".join(made)] if made else []),
        *_counts(found),
        "Every test utterance is disturbed once, in the same way for all methods. "
        f"{seeds if found.seeds > 1 else ''}{interval_note(found.repeats, found.speakers)} "
        f"{UNCORRECTED}",
    )


def _counts(found: Robustness) -> Iterator[str]:
    """How much was clipped, and how many utterances have no noise because they are silent."""
    for condition, (samples, utterances) in found.clipped.items():
        if condition.family == "gain" and (condition.level or 0) > 0:
            yield (
                f"At {condition.short}, {samples:,} samples in {utterances} of "
                f"{found.utterances} utterances are clipped at full scale."
            )
    if found.silent:
        yield f"{found.silent} utterances are silent: no noise was added to them."


def _title(method: str) -> str:
    return display_name(method) + (" (teacher)" if method.startswith(TEACHER_PREFIX) else "")


def _records(found: Robustness) -> Iterator[Record]:
    """One record for each condition and method, and for each method's mean, in 0 … 1."""
    for (condition, method), score in found.scores.items():
        samples, utterances = found.clipped[condition]
        clipped: Record = {"clipped_samples": samples, "clipped_utterances": utterances}
        yield _record(found, condition.name, method, score, condition) | clipped
    for method, score in found.mean.items():
        yield _record(found, MEAN, method, score, None)


def _record(
    found: Robustness, name: str, method: str, score: ConditionScore, condition: Condition | None
) -> Record:
    return {
        "protocol": found.certificate.protocol,
        "condition": name,
        "family": condition.family if condition else "",
        "level": condition.level if condition else None,
        "method": method,
        **bounds("ua", score.ua),
        **bounds("delta_ua", score.difference),
    }


def robustness_figure(found: Robustness) -> Figure:
    """A curve for each method and noise, from clean to the loudest, and all other conditions."""
    panels = [
        _panel(_curves(found, [CLEAN, *own]), PANELS[noise])
        for noise in NOISES
        if (own := [each for each in found.conditions if each.family == noise])
    ]
    others = [condition for condition in found.conditions if not condition.is_noise]
    if len(others) > 1 or not panels:
        panels.append(_panel(_points(found, others), "Level, band, rooms"))
    styles = styles_of(found.planned)
    return Figure(
        name="robustness",
        caption=f"UA on {found.dataset} in noise, at other levels, over a narrow band, in rooms",
        panels=tuple(panels),
        legend=tuple(Key(_title(method), styles[method]) for method in found.methods),
        warnings=found.notes,
        wide=True,
    )


def _panel(plot: Lines, heading: str) -> Panel:
    return Panel(plot, heading, plot.described)


def _curves(found: Robustness, conditions: Sequence[Condition]) -> Lines:
    ticks = ["clean", *(f"{condition.level:g}" for condition in conditions[1:])]
    return _lines(found, conditions, "SNR in dB", ticks, spread=0.0)


def _points(found: Robustness, conditions: Sequence[Condition]) -> Lines:
    """Methods next to each other at each condition."""
    return _lines(found, conditions, "", [_tick(each) for each in conditions], spread=0.7)


def _lines(
    found: Robustness,
    conditions: Sequence[Condition],
    title: str,
    ticks: Sequence[str],
    spread: float,
) -> Lines:
    """Lines of methods over conditions; with a ``spread``, points are side by side and not
    joined.
    """
    styles, step = styles_of(found.planned), spread / len(found.methods)
    lines = []
    for number, method in enumerate(found.methods):
        shift = (number - (len(found.methods) - 1) / 2) * step
        uas = [found.scores[condition, method].ua for condition in conditions]
        lines.append(
            Line(
                text=_title(method),
                style=styles[method],
                x=tuple(place + shift for place in range(len(conditions))),
                middle=tuple(100 * ua.value for ua in uas),
                low=tuple(100 * ua.low for ua in uas),
                high=tuple(100 * ua.high for ua in uas),
                bars=bool(spread),
                joined=not spread,
            )
        )
    chance = 100 / found.classes
    shown = [value for line in lines for value in (*line.low, *line.high)]
    along = tuple((float(place), tick) for place, tick in enumerate(ticks))
    return Lines(
        tuple(lines),
        Axis(title, -0.5, len(ticks) - 0.5, ticks=along),
        Axis("UA in %, with 95 % CI", *percent_ends([*shown, chance])),
        (ReferenceLine(chance, "chance"),),
    )


def _tick(condition: Condition) -> str:
    """A label that is narrow enough for seven of them next to each other."""
    if condition.family == "room":
        return condition.short.replace(" ", "\n", 1)
    return f"{condition.short}\ngain" if condition.family == "gain" else condition.short
