"""The contract of estimators."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial

import numpy as np
import torch
from numpy.typing import NDArray

from serbench.api import Estimator, EstimatorParams, StudentOutput, StudentShape
from serbench.api.fitted import EstimatorNetwork
from serbench.testing.checks import Check, together
from serbench.testing.common import instance_of, make, require

__tracebackhide__ = True

CLASSES = (2, 4, 8)
WIDTH, ROWS, SPEAKERS = 24, 160, 5
TOLERANCE = 1e-5

Made = Callable[[], Estimator]


def estimator_checks(cls: type, params: Mapping[str, object] | None = None) -> Iterator[Check]:
    """Checks of the contract of estimators; ``student_checks`` returns them for an estimator.

    It must fit random utterances of 2 to 8 classes and five speakers, without a warning that would
    stop a run. Its greatest posterior must be its prediction, also if training lacks a class. The
    same data and seed must give the same bytes. A stored classifier must load completely and
    contain listed classes only. Padding must change nothing.

    Examples:
        >>> from serbench_baselines.classical import Classical
        >>> [str(check) for check in estimator_checks(Classical)][-4:]
        ['a missing class', 'seed', 'stored', 'padding']

    Args:
        cls: the plugin class.
        params: if its ``Params`` have no defaults, or to check other values.
    """
    made = cache(lambda: _made(cls, params))
    yield Check("class and parameters", made)
    for num_classes in CLASSES:
        check = partial(_check_posteriors, made, num_classes)
        yield Check(f"posteriors of {num_classes} classes", check)
    yield Check("a missing class", lambda: _check_posteriors(made, 4, missing=2))
    yield Check("seed", lambda: _check_seed(made))
    yield Check("stored", lambda: _check_stored(made))
    yield Check("padding", lambda: _check_padding(made))


check_estimator = together(estimator_checks)
"""Run all ``estimator_checks`` and report every failure together in one ``AssertionError``."""


def _made(cls: type, params: Mapping[str, object] | None) -> Estimator:
    require(
        issubclass(getattr(cls, "Params", object), EstimatorParams),
        f"{cls.__name__}.Params must be a subclass of serbench.api.EstimatorParams",
    )
    return instance_of(make(cls, params), Estimator, cls.__name__)


def material(
    num_classes: int, width: int = WIDTH
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Random rows ``(U, d)`` that predict their classes, labels ``(U,)`` and speakers ``(U,)``."""
    draw = np.random.default_rng(num_classes)
    labels = np.arange(ROWS) % num_classes
    rows = draw.normal(size=(ROWS, width)) + draw.normal(size=(num_classes, width))[labels]
    return rows, labels, np.arange(ROWS) * SPEAKERS // ROWS


def _fitted(made: Made, num_classes: int, missing: int | None = None) -> EstimatorNetwork:
    rows, labels, speakers = material(num_classes)
    kept = labels != missing
    shape = StudentShape(num_classes, channels=1, n_mels=WIDTH, rows=True)
    network = instance_of(made().build(shape), EstimatorNetwork, "what build returns")
    network.fit(rows[kept], labels[kept], speakers[kept], seed=7)
    return network


def _check_posteriors(made: Made, num_classes: int, missing: int | None = None) -> None:
    network = _fitted(made, num_classes, missing)
    rows = material(num_classes)[0]
    posteriors = network.posteriors(rows)
    require(
        posteriors.shape == (ROWS, num_classes) and np.allclose(posteriors.sum(axis=1), 1),
        f"posteriors must be (U, {num_classes}) with rows that sum to 1",
    )
    predicted = np.asarray(network.fitted.predict(rows))
    differ = int((posteriors.argmax(axis=1) != predicted).sum())
    require(
        differ == 0,
        f"the greatest posterior differs from predict() for {differ} of {ROWS} utterances (SVC "
        "needs break_ties=True)",
    )
    require(missing not in predicted, f"it predicts class {missing}, which training lacked")


def _check_seed(made: Made) -> None:
    first, again = _fitted(made, 4), _fitted(made, 4)
    require(
        torch.equal(first.stored, again.stored),
        "two fits on the same data with the same seed differ: leave every random_state at "
        "None, so that serbench sets it",
    )


def _check_stored(made: Made) -> None:
    network = _fitted(made, 4)
    fresh = made().build(network.shape)
    fresh.load_state_dict(network.state_dict())
    rows = material(4)[0]
    require(
        np.array_equal(fresh.posteriors(rows), network.posteriors(rows)),
        "after storing and loading, its posteriors differ",
    )


def _check_padding(made: Made) -> None:
    """The harness masks padding when it pools; a plugin with its own network must do the same."""
    rows, labels, speakers = material(4, width=2)
    statistics = len(made().params.pool)
    shape = StudentShape(4, channels=1, n_mels=WIDTH)
    network = made().build(shape)
    network.fit(np.tile(rows, WIDTH * statistics // 2), labels, speakers, seed=7)
    features = torch.randn(2, 1, WIDTH, 90, generator=torch.Generator().manual_seed(1))
    output = instance_of(
        network(features, torch.tensor([30, 90])), StudentOutput, "what forward returns"
    )
    alone = network(features[:1, ..., :30], torch.tensor([30])).logits
    worst = float((output.logits[:1] - alone).abs().max())
    require(worst <= TOLERANCE, f"padding changes the logits by {worst:.1e}")
