"""Findings on the files' sound: durations, formats, silence, level, clipping."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from serbench.checks.finding import Finding, Outcome, Unit, named
from serbench.checks.survey.confounding import (
    Crossed,
    cross,
    guess_by_value,
    guess_text,
    shortcut_outcome,
)
from serbench.checks.survey.records import cut, plain_table
from serbench.checks.survey.sound import CLIPPED_RUN, Sound
from serbench.data.corpus.check import Unusable, problem_lines
from serbench.data.corpus.table import Utterance
from serbench.errors import joined, listed, numbered
from serbench.results.table.table import Table

SHORT_S = 0.5
"""Shorter files have one or two syllables, too few for people to recognise emotions reliably."""

FENCE = 3.0
"""Durations this many interquartile ranges beyond the quartiles, on a logarithmic scale, are
outliers (Tukey's outer fences; durations are skewed).
"""

LOW_DBFS = -60.0
"""Speech this quiet is within 40 dB of the rounding noise of 16-bit audio."""

SILENT_SHARE = 0.01
"""If at least this share of files is silent, their classes cannot be scored: a failure."""

CLIPPED_SHARE = 0.05
"""If at least this share of files is clipped, clipping is a trait of the corpus: a warning."""

MARGIN_S = 0.2
"""If the mean silences of classes differ by less, files were cut in the same way: soft and loud
voices begin and fade 0.1 s apart even if people cut the files.
"""

NOISE_DB = 6.0
"""Classes whose mean background differs by less than a factor of two in amplitude are alike."""

Sounds = Mapping[str, Sound]


def check_unreadable(problems: Mapping[str, Unusable], recordings: int) -> Finding:
    """Files that cannot be used: missing, empty, truncated, shorter than 0.1 s, not finite, …"""
    if not problems:
        return Finding("unreadable", "passed", f"All {recordings} files can be read completely.")
    rows = cut(((name, str(problem)) for name, problem in problems.items()), "files")
    first, *others = problem_lines(problems.values())
    return Finding(
        "unreadable",
        "failed",
        f"{len(problems)} of {recordings} files cannot be used: {first}"
        f"{', and others' if others else ''}.",
        "Replace them with good copies. The other findings are about the remaining files.",
        tuple(Unit(name, problem.reason) for name, problem in problems.items()),
        tables=(
            plain_table("unreadable", "Problem", ("Utterance", "Problem"), rows, ("Problem",)),
        ),
    )


def check_durations(utterances: Sequence[Utterance], sounds: Sounds) -> Finding:
    """The range of durations by class, very short files, and outliers."""
    seconds = np.array([utterance.duration_s for utterance in utterances])
    short = [u.id for u in utterances if u.duration_s < SHORT_S]
    low, high = fences(seconds)
    odd = [u.id for u in utterances if not low <= u.duration_s <= high and u.id not in short]
    what = (
        f"{seconds.min():.2f} to {seconds.max():.2f} s, median {np.median(seconds):.2f} s, "
        f"{_hours(float(seconds.sum()))} in total"
    )
    said = [
        numbered(len(ids), *kind)
        for ids, kind in (
            (short, (f"file shorter than {SHORT_S} s", f"files shorter than {SHORT_S} s")),
            (odd, ("outlier",)),
        )
        if ids
    ]
    tables = (_by_class(utterances, sounds), *_listed(utterances, [*short, *odd]))
    if not said:
        return Finding(
            "durations", "passed", f"{what}; no very short file, no outlier.", tables=tables
        )
    return Finding(
        "durations",
        "note",
        f"{what}; {joined(said)}.",
        "Listen to them: a cut-off utterance, or two in one file, has a wrong label.",
        named((*short, *odd)),
        tables=tables,
    )


def fences(values: ArrayLike) -> tuple[float, float]:
    """Range of ordinary durations, in seconds."""
    logs = np.log(np.asarray(values, dtype=np.float64))
    first, third = np.quantile(logs, [0.25, 0.75])
    room = FENCE * (third - first)
    return float(np.exp(first - room)), float(np.exp(third + room))


def check_format(utterances: Sequence[Utterance]) -> Finding:
    """Whether the format of a file predicts its class or speaker."""
    formats = [format_of(utterance) for utterance in utterances]
    counts = Counter(formats).most_common()
    if len(counts) == 1:
        return Finding("format", "passed", f"All files are {counts[0][0]}.")
    common = counts[0][0]
    by_label = cross(formats, [u.label for u in utterances])
    by_speaker = cross(formats, [u.speaker for u in utterances])
    ua = by_label.guess_across([u.speaker for u in utterances])
    outcome = shortcut_outcome(ua, len(by_label.columns))
    outcome = "note" if outcome == "passed" else outcome
    told = joined(f"{numbered(count, 'file')} of {name}" for name, count in counts)
    what = f"Formats are mixed: {told}"
    others = [
        (kind, own)
        for kind, table in (("class", by_label), ("speaker", by_speaker))
        if (own := with_another_format(table, common))
    ]
    for kind, own in others:
        what += f"; most files of {kind} {listed(own, 4)} are not {common}"
    if others and outcome == "note":
        outcome = "warning"
    advice = (
        "serbench reads all of them as 16 kHz mono, but band limits and recorders leave "
        "traces. Check whether files of another format belong to one class or speaker; if so, "
        "record or download all files in the same format."
    )
    rare = [u.id for u, its in zip(utterances, formats, strict=True) if its != common]
    what += (
        f". A classifier that sees only the format reaches {guess_text(ua, len(by_label.columns))}."
    )
    tables = (
        by_label.table("Files of each format by class", "Format"),
        by_speaker.transposed().table("Files of each speaker by format", "Speaker"),
    )
    return Finding("format", outcome, what, advice, named(rare), tables=tables)


def format_of(utterance: Utterance) -> str:
    """A format in words, for instance ``16,000 Hz mono``."""
    channels = {1: "mono", 2: "stereo"}.get(utterance.channels, f"{utterance.channels} channels")
    return f"{utterance.sample_rate_hz:,} Hz {channels}"


def with_another_format(table: Crossed, common: str) -> list[str]:
    """Columns of a table of formats in which most files have another format than the common one."""
    usual = table.counts[table.rows.index(common)]
    every = table.counts.sum(axis=0)
    return [name for name, u, n in zip(table.columns, usual, every, strict=True) if 2 * u < n]


def check_silence(sounds: Sounds) -> Finding:
    """Files without a sound, and very quiet ones."""
    levels = {i: sound.rms_dbfs for i, sound in sounds.items()}
    silent = [i for i, level in levels.items() if level == -np.inf]
    quiet = [i for i, level in levels.items() if -np.inf < level < LOW_DBFS]
    finite = [level for level in levels.values() if level > -np.inf]
    range_ = f"levels are {_db(min(finite))} to {_db(max(finite))} dBFS (RMS)" if finite else ""
    if not silent and not quiet:
        return Finding("silence", "passed", f"No file is silent; {range_}.")
    rows = tuple((i, "silent" if i in silent else _db(levels[i])) for i in [*silent, *quiet])
    told = (
        [f"{numbered(len(silent), 'file has', 'files have')} one constant value and no sound"]
        if silent
        else []
    )
    told += [f"{numbered(len(quiet), 'file')} below {_db(LOW_DBFS)} dBFS"] if quiet else []
    many = len(silent) > 1 and len(silent) >= SILENT_SHARE * len(sounds)
    outcome: Outcome = "failed" if many else "warning"
    return Finding(
        "silence",
        outcome,
        "; ".join(filter(None, (joined(told), range_))) + ".",
        "Leave silent files out. Check whether quiet ones were recorded with a broken microphone.",
        named((*silent, *quiet)),
        tables=(plain_table("level", "Level", ("Utterance", "dBFS"), cut(rows, "files")),),
    )


def check_margins(utterances: Sequence[Utterance], sounds: Sounds) -> Finding:
    """Whether silence before or after the speech predicts the class."""
    told, differs = [], False
    best = 0.0
    for where, values in (
        ("before", [sounds[u.id].lead_s for u in utterances]),
        ("after", [sounds[u.id].trail_s for u in utterances]),
    ):
        (least, low), (most, high) = extremes(values, utterances)
        if high - low >= MARGIN_S:
            differs, best = True, max(best, _guess(values, utterances))
        told.append(f"{low:.2f} s ({least}) to {high:.2f} s ({most}) {where} the speech")
    what = f"Mean silence by class: {joined(told)}."
    classes = len({u.label for u in utterances})
    outcome = shortcut_outcome(best, classes) if differs else "passed"
    if differs:
        what += f" A classifier that sees only this silence reaches {guess_text(best, classes)}."
    advice = (
        "Trim all files in the same way: a model can recognise a class by where the speech begins "
        "or ends."
    )
    return Finding("margins", outcome, what, "" if outcome == "passed" else advice)


def check_background(utterances: Sequence[Utterance], sounds: Sounds) -> Finding:
    """Whether the noise of the recording predicts the class."""
    values = [sounds[u.id].noise_dbfs for u in utterances]
    (least, low), (most, high) = extremes(values, utterances)
    what = (
        f"Noise floor (quietest 10 ms of a file), mean by class: {_db(low)} dBFS ({least}) to "
        f"{_db(high)} dBFS ({most})."
    )
    if high - low < NOISE_DB:
        return Finding("background", "passed", what)
    classes = len({u.label for u in utterances})
    ua = _guess(values, utterances)
    what += f" A classifier that sees only the noise floor reaches {guess_text(ua, classes)}."
    outcome = shortcut_outcome(ua, classes)
    advice = (
        "Measure with `serbench robustness` which scores remain in added noise, which masks the "
        "noise between words."
    )
    return Finding("background", outcome, what, "" if outcome == "passed" else advice)


def extremes(
    values: Sequence[float], utterances: Sequence[Utterance]
) -> tuple[tuple[str, float], tuple[str, float]]:
    """The classes with the lowest and the highest mean, with their means."""
    own: dict[str, list[float]] = {}
    for value, utterance in zip(values, utterances, strict=True):
        own.setdefault(utterance.label, []).append(value)
    means = sorted((float(np.mean(its)), label) for label, its in own.items())
    return (means[0][1], means[0][0]), (means[-1][1], means[-1][0])


def _guess(values: Sequence[float], utterances: Sequence[Utterance]) -> float:
    labels, speakers = [u.label for u in utterances], [u.speaker for u in utterances]
    return guess_by_value(values, labels, speakers)


def check_clipping(utterances: Sequence[Utterance], sounds: Sounds) -> Finding:
    """Files whose waves were cut off at full scale, by class."""
    clipped = [u for u in utterances if sounds[u.id].longest_run]
    if not clipped:
        return Finding(
            "clipping", "passed", f"No file has {CLIPPED_RUN} consecutive samples at full scale."
        )
    share = len(clipped) / len(utterances)
    every, own = Counter(u.label for u in utterances), Counter(u.label for u in clipped)
    most = max(own, key=lambda c: own[c] / every[c])
    worst = sorted(clipped, key=lambda u: -sounds[u.id].clipped)
    rows = (
        (u.id, u.label, f"{100 * sounds[u.id].clipped:.3f}", str(sounds[u.id].longest_run))
        for u in worst
    )
    classes = tuple(
        (c, str(own[c]), str(every[c]), f"{100 * own[c] / every[c]:.1f}") for c in sorted(every)
    )
    return Finding(
        "clipping",
        "warning" if share >= CLIPPED_SHARE else "note",
        f"{len(clipped)} of {numbered(len(utterances), 'file')} ({100 * share:.1f} %) are "
        f"clipped, most often in class {most} ({100 * own[most] / every[most]:.0f} % of its "
        "files).",
        "Distortion reveals loudness here: report this with the scores, or record the files again.",
        named(u.id for u in worst),
        tables=(
            plain_table(
                "by-class", "Clipped files by class", ("Class", "Clipped", "Files", "%"), classes
            ),
            plain_table(
                "files",
                "Clipped files, worst first",
                ("Utterance", "Class", "% of samples", "Longest run"),
                cut(rows, "files"),
                ("Class",),
            ),
        ),
    )


def _by_class(utterances: Sequence[Utterance], sounds: Sounds) -> Table:
    rows = []
    for label in sorted({u.label for u in utterances}):
        own = [u for u in utterances if u.label == label]
        seconds = np.array([u.duration_s for u in own])
        heard = [sounds[u.id] for u in own]
        levels = [s.rms_dbfs for s in heard if s.rms_dbfs > -np.inf]
        rows.append((
            label, str(len(own)), f"{seconds.min():.2f}", f"{np.median(seconds):.2f}",
            f"{seconds.max():.2f}", _db(float(np.mean(levels))) if levels else "–",
            _db(float(np.mean([s.noise_dbfs for s in heard]))),
            f"{np.mean([s.lead_s for s in heard]):.2f}",
            f"{np.mean([s.trail_s for s in heard]):.2f}",
        ))  # fmt: skip
    columns = (
        "Class", "Files", "Shortest (s)", "Median (s)", "Longest (s)", "Mean level (dBFS)",
        "Mean noise floor (dBFS)",
        "Mean silence before (s)", "after (s)",
    )  # fmt: skip
    return plain_table("by-class", "Sound by class", columns, rows)


def _listed(utterances: Sequence[Utterance], ids: Sequence[str]) -> tuple[Table, ...]:
    if not ids:
        return ()
    seconds = {u.id: u.duration_s for u in utterances}
    rows = cut(((i, f"{seconds[i]:.2f}") for i in ids), "files")
    return (plain_table("files", "Very short files and outliers", ("Utterance", "s"), rows),)


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.1f} min"


def _db(level: float) -> str:
    return f"{level:.1f}".replace("-", "−")
