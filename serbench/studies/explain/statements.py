"""A method's readings, described in sentences."""

from __future__ import annotations

from serbench.results.table.formats import percent
from serbench.studies.explain.cases import CaseTally, tally
from serbench.studies.explain.load import Explanation
from serbench.studies.explain.readings import (
    BETA,
    GAMMA,
    POSTERIOR,
    RELIABLE,
    WEIGHTS,
    gate_bounds,
)


def title(explanation: Explanation) -> str:
    """The title of an explanation."""
    whom = "teachers" if len(explanation.teachers) > 1 else "teacher"
    return f"How far {explanation.method} trusts its {whom} on {explanation.dataset}"


def statements(explanation: Explanation) -> list[str]:
    """Describe the readings, and summarise what they show, in one or two sentences each."""
    cases, fits = explanation.cases, explanation.fits
    came_up = sum(len(fit.ids) for fit in fits)
    lines = [
        f"{cases['utterance'].nunique()} utterances in {len(fits)} refits "
        f"({len(explanation.run.plan['outer'])} outer folds, {explanation.run.seeds} "
        f"{'seed' if explanation.run.seeds == 1 else 'seeds'}): {len(cases)} cases. A case is one "
        "training utterance in one refit.",
        "All readings are of training utterances: serbench checked that none is of an utterance "
        f"that the refit was tested on. {_honesty(explanation)}",
    ]
    if len(cases) < came_up:
        lines.append(
            f"{came_up - len(cases)} more cases were never used in training: each epoch leaves "
            "out its last, incomplete batch, and there were few epochs."
        )
    if explanation.has(RELIABLE):
        lines.append(_gate_sentence(tally(cases), known=explanation.has(POSTERIOR)))
    if explanation.has(RELIABLE, GAMMA):
        lines.append(_bounds_sentence(*gate_bounds(fits)))
    if len(explanation.teachers) > 1 and explanation.has(POSTERIOR):
        lines.append(
            "“The teacher” means all teachers together: the sum of their posteriors, weighted by "
            f"w ({', '.join(explanation.teachers)})."
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
        "The soft targets are cross-fitted: each comes from a head that was not trained on the "
        "speaker of the utterance."
    )


def _gate_sentence(counts: CaseTally, *, known: bool) -> str:
    share = f"The gate closes in {_of(counts.closed, counts.cases)} cases"
    if not known:
        return f"{share}."
    return (
        f"{share}; in these the teacher is wrong in {_of(counts.closed_wrong, counts.closed)}. In "
        f"the open cases, the teacher is wrong in {_of(counts.open_wrong, counts.open)}."
    )


def _bounds_sentence(opened: float | None, closed: float | None) -> str:
    parts = []
    if opened is not None:
        parts.append(f"was open up to γ = {opened:.3f}")
    if closed is not None:
        parts.append(f"closed from γ = {closed:.3f} on")
    return (
        f"The gate {' and '.join(parts)}. γ is 1 minus the teacher's posterior of the true class. "
        "If the teacher is wrong, another class has a higher posterior, so γ is at least 0.5. A "
        "threshold of 0.5 or less therefore closes the gate on every wrong answer; the question "
        "is how many right but uncertain answers it also closes on."
    )


def _absent(explanation: Explanation) -> list[str]:
    known = (GAMMA, BETA, RELIABLE, WEIGHTS, POSTERIOR)
    missing = [name for name in known if not explanation.has(name)]
    lines = []
    if missing:
        lines.append(
            f"The loss records no {', no '.join(missing)}; figures and tables that need it are "
            "left out."
        )
    deep = [n for n in explanation.names if n not in known and _is_deep(explanation, n)]
    if deep:
        lines.append(
            f"Not shown, because they have several numbers for each utterance: {', '.join(deep)}."
        )
    return lines


def _is_deep(explanation: Explanation, name: str) -> bool:
    return explanation.fits[0].arrays[name].ndim > 2


def _of(part: int, whole: int) -> str:
    """A part of a whole in words, for instance ``3 of 40 (7.5 %)``."""
    return f"{part} of {whole} ({percent(part / whole)} %)" if whole else "none of 0"
