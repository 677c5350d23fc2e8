"""What a method read of its teachers, as tables and as sentences."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from serbench.results.report.marks import marked, warning_lines
from serbench.results.report.tables import NOTHING, Row, Section, Table, numeric, percent
from serbench.studies.explain.cases import MEAN, Tally, by_utterance, part_of, tally
from serbench.studies.explain.load import Explanation
from serbench.studies.explain.readings import (
    BETA,
    GAMMA,
    POSTERIOR,
    RELIABLE,
    WEIGHTS,
    FitReadings,
    gate_bounds,
)

SHOWN_UNITS = 6
"""Test speakers of a fold that a row names."""


def title(explanation: Explanation) -> str:
    """What the page is about, behind the mark of a leaky run."""
    whom = "teachers" if len(explanation.teachers) > 1 else "teacher"
    text = f"How far {explanation.method} trusts its {whom} on {explanation.dataset}"
    return marked(explanation.run.certificate.protocol, text)


def explanation_tables(explanation: Explanation, top: int) -> tuple[Table, ...]:
    """The tables that the readings allow: the gate by fold, class and speaker, the ``top``
    utterances that it closes on most, the teachers' weights.
    """
    tables: list[Table] = []
    if explanation.has(RELIABLE, POSTERIOR):
        tables.append(_crossed(explanation))
    if explanation.has(RELIABLE) or explanation.has(POSTERIOR):
        tables += [
            _by(explanation, "label", "class", explanation.labels),
            _by(explanation, "speaker", "speaker", sorted(explanation.cases["speaker"].unique())),
        ]
    if explanation.has(RELIABLE):
        tables.append(_top(explanation, top))
    if explanation.has(WEIGHTS) and len(explanation.teachers) > 1:
        tables.append(_weights(explanation))
    return tuple(tables)


def statements(explanation: Explanation) -> list[str]:
    """What the readings are, and what they say in short, a sentence or two each."""
    cases, fits = explanation.cases, explanation.fits
    came_up = sum(len(fit.ids) for fit in fits)
    lines = [
        f"{cases['utterance'].nunique()} utterances in {len(fits)} refits "
        f"({len(explanation.run.plan['outer'])} outer folds, {explanation.run.seeds} "
        f"{'seed' if explanation.run.seeds == 1 else 'seeds'}): {len(cases)} cases, each a "
        "training utterance in a refit.",
        "Every reading is of an utterance that its refit was trained on, and none of one that it "
        f"was tested on; that was checked. {_honesty(explanation)}",
    ]
    if len(cases) < came_up:
        lines.append(
            f"{came_up - len(cases)} more never came up: the last, incomplete batch of an epoch is "
            "left out, and there were few epochs."
        )
    if explanation.has(RELIABLE):
        lines.append(_gate_sentence(tally(cases), known=explanation.has(POSTERIOR)))
    if explanation.has(RELIABLE, GAMMA):
        lines.append(_bounds_sentence(*gate_bounds(fits)))
    if len(explanation.teachers) > 1 and explanation.has(POSTERIOR):
        lines.append(
            "“The teacher” is all of them: the sum of their posteriors, weighted by w "
            f"({', '.join(explanation.teachers)})."
        )
    if explanation.has(WEIGHTS) and len(explanation.teachers) == 1:
        lines.append(
            f"{explanation.teachers[0]} is the only teacher, so its weight w is 1 throughout."
        )
    return lines + _absent(explanation)


def _honesty(explanation: Explanation) -> str:
    head = explanation.planned.get("settings", {}).get("head", {})
    if head.get("soft_targets") == "in-sample":
        return (
            "The soft targets are in-sample: the teacher's head was fitted on these labels, so it "
            "looks better here than it is."
        )
    return (
        "The soft targets are cross-fitted: what a teacher says of an utterance comes from a head "
        "that never saw its speaker."
    )


def _gate_sentence(counts: Tally, *, known: bool) -> str:
    share = f"The gate closes in {_of(counts.closed, counts.cases)} cases"
    if not known:
        return f"{share}."
    return (
        f"{share}; there the teacher is wrong in {_of(counts.closed_wrong, counts.closed)}. "
        f"Where it is open, the teacher is wrong in {_of(counts.open_wrong, counts.open)}."
    )


def _bounds_sentence(opened: float | None, closed: float | None) -> str:
    parts = []
    if opened is not None:
        parts.append(f"was open up to γ = {opened:.3f}")
    if closed is not None:
        parts.append(f"closed from γ = {closed:.3f} on")
    return (
        f"The gate {' and '.join(parts)}. γ is 1 minus the teacher's posterior of the true class. "
        "A wrong teacher gives another class more, so its γ is at least 0.5: a threshold of 0.5 or "
        "less catches every wrong answer, and the question is how many right but unsure ones it "
        "closes on too."
    )


def _absent(explanation: Explanation) -> list[str]:
    known = (GAMMA, BETA, RELIABLE, WEIGHTS, POSTERIOR)
    missing = [name for name in known if not explanation.has(name)]
    lines = []
    if missing:
        lines.append(f"The loss gives no {', no '.join(missing)}; what needs it is left out.")
    deep = [n for n in explanation.names if n not in known and _is_deep(explanation, n)]
    if deep:
        lines.append(
            f"Not shown, since they are several numbers for each utterance: {', '.join(deep)}."
        )
    return lines


def _is_deep(explanation: Explanation, name: str) -> bool:
    return explanation.fits[0].arrays[name].ndim > 2


def _of(part: int, whole: int) -> str:
    """For instance ``3 of 40 (7.5 %)``."""
    return f"{part} of {whole} ({percent(part / whole)} %)" if whole else "none of 0"


def _share(part: int, whole: int) -> str:
    """For instance ``3 (7.5 %)``."""
    return f"{part} ({percent(part / whole)} %)" if whole else NOTHING


def _table(
    explanation: Explanation,
    name: str,
    caption: str,
    columns: Row,
    rows: Iterable[Row],
    *,
    alignment: str | None = None,
    notes: tuple[str, ...] = (),
) -> Table:
    certificate = explanation.run.certificate
    return Table(
        name=name,
        caption=marked(certificate.protocol, caption),
        columns=columns,
        alignment=alignment or numeric(len(columns) - 1),
        sections=(Section(tuple(rows)),),
        data=pd.DataFrame(),
        notes=notes,
        warnings=warning_lines([certificate]),
    )


def _crossed(explanation: Explanation) -> Table:
    """Gate against teacher, for all folds and for each."""
    parts = {"all": explanation.cases}
    for outer in explanation.run.plan["outer"]:
        own = part_of(explanation.cases, "fold", outer["name"])
        parts[_fold_title(outer["name"], outer["test_units"])] = own
    rows = []
    for name, part in parts.items():
        n = tally(part)
        counts = (n.closed_wrong, n.closed_right, n.open_wrong, n.open_right)
        rows.append((name, str(n.cases), *(_share(count, n.cases) for count in counts)))
    return _table(
        explanation,
        "gate",
        "Gate and teacher, in cases (share of the row's)",
        (
            "Refits",
            "Cases",
            "Closed, teacher wrong",
            "Closed, teacher right",
            "Open, teacher wrong",
            "Open, teacher right",
        ),
        rows,
        notes=(
            "Closed: in more than half of the epochs in which the utterance came up. Teacher wrong:"
            " its most probable class (posterior at T = 1, mean over epochs) is not the label.",
        ),
    )


def _fold_title(name: str, units: list[str]) -> str:
    tested = ", ".join(map(str, units)) if len(units) <= SHOWN_UNITS else f"{len(units)} units"
    return f"{name} (tests {tested})"


def _by(explanation: Explanation, column: str, word: str, groups: Iterable[str]) -> Table:
    """How often the gate closes and the teacher errs, for each class or speaker."""
    gate, known = explanation.has(RELIABLE), explanation.has(POSTERIOR)
    columns = (word.capitalize(), "Utterances", "Cases")
    if gate:
        columns += ("Gate closed",)
    if gate and known:
        columns += ("Teacher wrong where closed", "Teacher wrong where open")
    elif known:
        columns += ("Teacher wrong",)
    rows = []
    for group in groups:
        part = part_of(explanation.cases, column, group)
        n = tally(part)
        cells = (group, str(part["utterance"].nunique()), str(n.cases))
        if gate:
            cells += (_share(n.closed, n.cases),)
        if gate and known:
            cells += (_share(n.closed_wrong, n.closed), _share(n.open_wrong, n.open))
        elif known:
            cells += (_share(n.wrong, n.cases),)
        rows.append(cells)
    return _table(explanation, f"by-{word}", f"By {word}: cases, with their share", columns, rows)


def _top(explanation: Explanation, top: int) -> Table:
    """The utterances with the largest γ among those on which the gate closes."""
    known, gamma = explanation.has(POSTERIOR), explanation.has(GAMMA)
    closed = by_utterance(explanation.cases, explanation.labels).query("closed_fits > 0")
    columns = ("Utterance", "Speaker", "Label")
    columns += ("Teacher says",) * known + ("γ",) * gamma + ("Closed in",)
    rows = []
    for row in closed.head(top).to_dict("records"):
        cells = (str(row["utterance"]), str(row["speaker"]), str(row["label"]))
        if known:
            cells += (f"{row['teacher_says']} ({row['p_teacher_says']:.2f})",)
        if gamma:
            cells += (f"{row[MEAN + GAMMA]:.2f}",)
        rows.append((*cells, f"{row['closed_fits']} of {row['fits']} fits"))
    says = "; behind what the teacher says, its posterior" if known else ""
    return _table(
        explanation,
        "closed",
        f"Where the gate closes: {len(rows)} of {len(closed)} utterances, "
        f"{'the largest γ' if gamma else 'the most fits'} first",
        columns,
        rows,
        alignment="lll" + "l" * known + "r" * (gamma + 1),
        notes=(f"Means over the epochs and refits that trained on the utterance{says}.",),
    )


def _weights(explanation: Explanation) -> Table:
    """Each teacher's mean weight at the start and at the end of training."""
    start, end = (_weights_at(explanation.fits, place) for place in (0, -1))
    label = dict(zip(explanation.cases["utterance"], explanation.cases["label"], strict=True))
    rows = [("all", *map(_change, start.mean(), end.mean()))]
    for each in explanation.labels:
        own = [frame[frame.index.map(label) == each].mean() for frame in (start, end)]
        rows.append((each, *map(_change, *own)))
    return _table(
        explanation,
        "weights",
        "Weight w of each teacher, mean over cases: first epoch → last epoch",
        ("Class", *explanation.teachers),
        rows,
        notes=(f"Equal weights would be {1 / len(explanation.teachers):.2f}.",),
    )


def _weights_at(fits: Iterable[FitReadings], epoch: int) -> pd.DataFrame:
    """Weights of each fit's first or last epoch: a column for each teacher, utterances as index."""
    frames = [pd.DataFrame(fit.arrays[WEIGHTS][epoch], index=[*fit.ids]) for fit in fits]
    return pd.concat(frames).astype(np.float64)


def _change(start: float, end: float) -> str:
    return " → ".join(NOTHING if np.isnan(value) else f"{value:.2f}" for value in (start, end))
