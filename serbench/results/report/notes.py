"""What stands under tables about intervals and tests, in one wording for all."""

from __future__ import annotations

from serbench.results.compare.paired import smallest_p
from serbench.results.compare.records import ALPHA, Comparison

FEW_SPEAKERS = 6
"""With fewer, simulated intervals of 95 % hold the truth less than 9 times in 10."""

UNCORRECTED = "Δ: percentage points, over the same draws; not corrected for several comparisons."
"""Where only intervals are taken."""


def interval_note(repeats: int, speakers: int) -> str:
    """How intervals came about."""
    few = "; with so few, too narrow" if speakers < FEW_SPEAKERS else ""
    return (
        f"[…]: 95 % interval from {repeats} bootstrap draws of the {speakers} test speakers{few}."
    )


def difference_note(metric: str, comparisons: int, speakers: int) -> str:
    """How differences of ``metric`` and verdicts came about, so many being corrected together."""
    corrected = f", corrected for {comparisons} comparisons (Holm)" if comparisons > 1 else ""
    note = (
        f"Δ{metric}: percentage points, over the same draws. p: paired permutation test over "
        f"speakers{corrected}; “cannot tell apart”: p above {ALPHA:g}."
    )
    if (best := smallest_p(speakers)) > ALPHA:
        note += f" With {speakers} speakers p is at least {best:.2g}: no difference can be shown."
    return note


def compared_notes(compared: Comparison) -> str:
    """Both notes, of a comparison."""
    speakers = len(compared.speaker_counts)
    others = len(compared.methods) - 1
    intervals = interval_note(compared.repeats, speakers)
    return f"{intervals} {difference_note('UA', others, speakers)}" if others else intervals
