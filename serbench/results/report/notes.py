"""Notes under tables about intervals and tests, with the same wording everywhere."""

from __future__ import annotations

from serbench.results.compare.paired import needed_errors, smallest_p
from serbench.results.compare.records import ALPHA, FoldDesign, Question
from serbench.results.report.results import Results

FEW_SPEAKERS = 6
"""With fewer speakers, simulated 95 % intervals contain the true value less than 9 times in 10."""

ASKED: dict[Question, str] = {
    "method": "for methods trained again on other speakers",
    "models": "for these trained models on unseen speakers",
}
"""The question that a p or an interval answers, in words."""

FEW_FOLDS = 4
"""With fewer folds, a difference must be 7 times its standard error or more to be significant."""

UNCORRECTED = "Δ: percentage points, over the same draws; not corrected for several comparisons."
"""The note if only intervals are computed."""

SMALLER = 0.9
"""More folds are suggested if differences of this share of today's would then be significant."""


def interval_note(repeats: int, speakers: int) -> str:
    """How intervals were computed."""
    few = " (so few that it is too narrow)" if speakers < FEW_SPEAKERS else ""
    return (
        f"[…]: 95 % interval from {repeats} bootstrap draws of the {speakers} test speakers{few}, "
        f"{ASKED['models']}."
    )


def difference_note(
    metric: str, comparisons: int, speakers: int, design: FoldDesign | None = None
) -> str:
    """Say which question differences of ``metric``, p and verdicts answer, and how many were
    corrected together.

    Without a ``design``, the same trained models were run in several ways.
    """
    corrected = f", corrected for {comparisons} comparisons (Holm)" if comparisons > 1 else ""
    question = design.question if design else "models"
    about = f"Δ{metric} (percentage points), its interval, p and verdict: {ASKED[question]}"
    if design and question == "method":
        assumed = ", assuming training on all other utterances" if design.assumed else ""
        return (
            f"{about}, by Nadeau and Bengio's corrected t test over {design.folds} folds, seeds "
            f"averaged{assumed}{corrected}. Significant: p at most {ALPHA:g}, that is, if "
            "the interval (95 % or more) does not contain 0."
        )
    note = (
        f"{about}. Interval: over the same draws. p: paired permutation test over speakers"
        f"{corrected}. Significant: p at most {ALPHA:g}."
    )
    if (best := smallest_p(speakers)) > ALPHA:
        note += f" With {speakers} speakers p is at least {best:.2g}: no difference can be shown."
    if design and design.folds < 2:
        note += " A single test fold cannot test methods that are trained again."
    return note


def folds_note(results: Results) -> str:
    """How little a few folds show, and how to get more; empty if there is nothing to say."""
    design, unit = results.comparison.design, results.runs[0].certificate.unit
    units = len({name for fold in results.outer for name in fold["test_units"]})
    if design.question != "method":
        return ""
    now = needed_errors(design.folds, design.test_share)
    then = needed_errors(units, 1 / (units - 1)) if units > design.folds else now
    if then > SMALLER * now:
        if design.folds >= FEW_FOLDS:
            return ""
        return (
            f"With {design.folds} folds, only large differences are significant: at least "
            f"{now:.0f} times their standard error."
        )
    return (
        f"With {design.folds} folds, only large differences are significant. Leave-one-{unit}-out "
        f"(--set protocol.folds=loso) has {units} folds: there, differences {then / now:.2g} times "
        "as large are significant."
    )


def compared_notes(results: Results) -> tuple[str, ...]:
    """The notes under a comparison."""
    compared = results.comparison
    speakers, others = len(compared.speaker_counts), len(compared.methods) - 1
    notes = [interval_note(compared.repeats, speakers)]
    if others:
        notes.append(difference_note("UA", others, speakers, compared.design))
        notes.append(folds_note(results))
    return tuple(filter(None, notes))
