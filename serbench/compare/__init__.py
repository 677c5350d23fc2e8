"""Paired statistics of methods that were tested on the same utterances."""

from serbench.compare.intervals import REPEATS, estimate, percentile_interval
from serbench.compare.methods import check_paired, comparison
from serbench.compare.paired import smallest_p
from serbench.compare.records import (
    ALPHA,
    KEYS,
    METRICS,
    TEACHER_PREFIX,
    Comparison,
    Difference,
    Estimate,
    FoldScores,
    FoldTest,
    MethodResult,
    Significance,
    Spread,
    Verdict,
)

__all__ = [
    "ALPHA",
    "KEYS",
    "METRICS",
    "REPEATS",
    "TEACHER_PREFIX",
    "Comparison",
    "Difference",
    "Estimate",
    "FoldScores",
    "FoldTest",
    "MethodResult",
    "Significance",
    "Spread",
    "Verdict",
    "check_paired",
    "comparison",
    "estimate",
    "percentile_interval",
    "smallest_p",
]
