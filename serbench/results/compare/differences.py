"""Every method against one, with intervals over the same draws and tests corrected together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from serbench.learning.evaluate import confusion_metric, resampled_metric
from serbench.results.compare.intervals import percentile_interval
from serbench.results.compare.paired import (
    corrected_t,
    hedges_dz,
    holm,
    sign_flip_test,
    smallest_p,
    ua_contributions,
)
from serbench.results.compare.records import Difference, Significance


def paired_differences(
    confusions: Mapping[str, NDArray[np.int64]],
    reference: NDArray[np.int64],
    weights: NDArray[np.int64],
    folds: Mapping[str, NDArray[np.float64]],
    test_share: float,
) -> dict[str, Difference]:
    """Differences of pooled UA to the reference, their p values corrected by Holm.

    Args:
        confusions: ``(S, C, C)`` of each method's speakers, summed over seeds.
        reference: likewise, of the method to compare with.
        weights: ``(repeats, S)``, how often each draw has each speaker.
        folds: of each method, ``(J,)`` differences of UA to the reference over folds and seeds;
            fewer than two are not tested.
        test_share: test utterances over training utterances, averaged over folds.

    Raises:
        SerbenchError: a method does not hold the same speakers and classes as the reference.
    """
    made = {
        method: _difference(own, reference, weights, folds[method], test_share)
        for method, own in confusions.items()
    }
    return _corrected(made)


def _difference(
    own: NDArray[np.int64],
    reference: NDArray[np.int64],
    weights: NDArray[np.int64],
    folds: NDArray[np.float64],
    test_share: float,
) -> tuple[Difference, Significance]:
    """Not yet corrected for being one of several."""
    contributions = ua_contributions(own, reference)
    draws = resampled_metric(own, weights, "ua") - resampled_metric(reference, weights, "ua")
    value = confusion_metric(own.sum(axis=0), "ua") - confusion_metric(reference.sum(axis=0), "ua")
    p, exact = sign_flip_test(contributions)
    significance = Significance(
        p=p,
        p_holm=p,
        exact=exact,
        smallest_p=smallest_p(len(contributions)),
        speakers_better=int(np.sum(contributions > 0)),
        speakers_worse=int(np.sum(contributions < 0)),
        effect_size=hedges_dz(contributions),
        folds=corrected_t(folds, test_share) if len(folds) > 1 else None,
    )
    interval = percentile_interval(draws, len(contributions))
    return Difference(float(value), *interval), significance


def _corrected(
    made: Mapping[str, tuple[Difference, Significance]],
) -> dict[str, Difference]:
    """With Holm's correction over all of them, of both kinds of test."""
    overall = holm([significance.p for _, significance in made.values()])
    tests = {name: own.folds for name, (_, own) in made.items() if own.folds is not None}
    by_fold = dict(zip(tests, holm([test.p for test in tests.values()]), strict=True))
    return {
        name: replace(
            difference,
            significance=replace(
                own,
                p_holm=p_holm,
                folds=replace(own.folds, p_holm=by_fold[name]) if own.folds else None,
            ),
        )
        for (name, (difference, own)), p_holm in zip(made.items(), overall, strict=True)
    }
