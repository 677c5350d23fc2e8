"""Differences of every method from one, with intervals and tests that are corrected together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from serbench.learning.evaluate import resampled_metric
from serbench.results.compare.intervals import percentile_interval
from serbench.results.compare.paired import (
    corrected_t,
    fold_residuals,
    hedges_dz,
    holm,
    holm_levels,
    sign_flip_test,
    smallest_p,
    ua_contributions,
)
from serbench.results.compare.records import (
    ALPHA,
    Difference,
    FoldDesign,
    Significance,
    SpeakerTest,
)


@dataclass(frozen=True, slots=True, eq=False)
class Tested:
    """Confusions of a method on the tested utterances, summed over seeds.

    Attributes:
        speakers: ``(S, C, C)``, confusions of each speaker.
        folds: ``(J, C, C)``, confusions of each independent fold.
    """

    speakers: NDArray[np.int64]
    folds: NDArray[np.int64]


def paired_differences(
    methods: Mapping[str, Tested],
    reference: Tested,
    weights: NDArray[np.int64],
    design: FoldDesign,
) -> dict[str, Difference]:
    """Differences of pooled UA from the reference; p values and intervals are corrected by Holm.

    Args:
        methods: the methods to compare.
        reference: the method with which they are compared.
        weights: ``(repeats, S)``, how often each draw has each speaker.
        design: design of the folds, and the question of the test.

    Raises:
        SerbenchError: a method does not have the same speakers and classes as the reference.
    """
    return corrected(
        {method: _difference(own, reference, weights, design) for method, own in methods.items()}
    )


def _difference(
    own: Tested, reference: Tested, weights: NDArray[np.int64], design: FoldDesign
) -> Difference:
    """The difference of one method, not yet corrected for several comparisons."""
    contributions = ua_contributions(own.speakers, reference.speakers)
    value = float(contributions.sum())
    p, exact = sign_flip_test(contributions)
    folds = None
    if design.question == "method":
        residuals = fold_residuals(own.folds, reference.folds)
        folds = corrected_t(value, residuals, design.test_share)
        interval = folds.interval(value, ALPHA)
    else:
        draws = [resampled_metric(each.speakers, weights, "ua") for each in (own, reference)]
        interval = percentile_interval(draws[0] - draws[1], len(contributions))
    significance = Significance(
        speakers=SpeakerTest(p, p, exact, smallest_p(len(contributions))),
        folds=folds,
        speakers_better=int(np.sum(contributions > 0)),
        speakers_worse=int(np.sum(contributions < 0)),
        effect_size=hedges_dz(contributions),
    )
    return Difference(value, *interval, significance)


def corrected(differences: Mapping[str, Difference]) -> dict[str, Difference]:
    """Apply Holm's correction over all differences, to both kinds of test and intervals by folds.

    Differences without a test do not change.
    """
    tests = {name: own.significance for name, own in differences.items() if own.significance}
    by_speaker = holm([test.speakers.p for test in tests.values()])
    by_fold = {name: test.folds.p for name, test in tests.items() if test.folds}
    fold_p = dict(zip(by_fold, holm([*by_fold.values()]), strict=True))
    levels = dict(zip(by_fold, holm_levels([*by_fold.values()]), strict=True))
    found = dict(differences)
    for (name, test), p_speaker in zip(tests.items(), by_speaker, strict=True):
        made = replace(test, speakers=replace(test.speakers, p_holm=p_speaker))
        own = differences[name]
        if test.folds:
            low, high = test.folds.interval(own.value, levels[name])
            made = replace(made, folds=replace(test.folds, p_holm=fold_p[name]))
            own = replace(own, low=low, high=high)
        found[name] = replace(own, significance=made)
    return found
