"""The contract of estimators notices what would break a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from serbench.api import Estimator, EstimatorParams, Params
from serbench.testing import check_estimator, check_student


def estimator_of(classifier: Callable[[], Any], **members: object) -> type[Estimator]:
    own = {"name": "e", "Params": EstimatorParams, "classifier": lambda _: classifier()}
    return type("E", (Estimator,), own | members)


class Noisy(TransformerMixin, BaseEstimator):
    """Adds what no seed decides."""

    def fit(self, X: Any, y: Any = None) -> Noisy:
        self.noise_ = np.random.default_rng().normal(size=X.shape[1])
        return self

    def transform(self, X: Any) -> Any:
        return X + self.noise_


def test_a_good_estimator_passes_either_way() -> None:
    good = estimator_of(lambda: RandomForestClassifier(5), trusted=("sklearn.tree._tree.Tree",))
    check_estimator(good)
    check_student(good)


def test_votes_that_are_not_the_decision_are_noticed() -> None:
    with pytest.raises(AssertionError, match="break_ties"):
        check_estimator(estimator_of(lambda: SVC(kernel="sigmoid", C=0.1, gamma=0.5)))


def test_a_fit_that_no_seed_decides_is_noticed() -> None:
    noisy = estimator_of(
        lambda: make_pipeline(Noisy(), LogisticRegression()), trusted=(f"{__name__}.Noisy",)
    )
    with pytest.raises(AssertionError, match="two fits on the same data"):
        check_estimator(noisy)


def test_classes_that_are_not_listed_are_noticed() -> None:
    with pytest.raises(AssertionError, match="does not list as trusted"):
        check_estimator(estimator_of(lambda: make_pipeline(Noisy(), LogisticRegression())))


def test_other_parameters_are_noticed() -> None:
    with pytest.raises(AssertionError, match="EstimatorParams"):
        check_estimator(estimator_of(LogisticRegression, Params=Params))
