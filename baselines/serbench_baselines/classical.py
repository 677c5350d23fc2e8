"""The `classical` estimator: a linear SVM, logistic regression, or nearest neighbours.

With eGeMAPS or ComParE functionals and the SVM it is the reference of the paralinguistic challenges
(Schuller et al., Interspeech 2009 to 2016; eGeMAPS: Eyben et al., IEEE Trans. Affective Computing
7(2), 2016). By convention: z-scores of the training side, a linear SVM with balanced classes, its C
from 1e-5 to 1 by inner speakers. Not published, decided here: one classifier for each class against
the rest with the squared hinge loss.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveFloat, PositiveInt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC

from serbench.api import Estimator, EstimatorParams, Hears

Floats = NDArray[np.float64]


class ClassicalParams(EstimatorParams):
    """Which classifier, and how strongly it is held back."""

    kind: Literal["svm", "logistic", "knn"] = "svm"
    C: PositiveFloat = 0.01
    """Inverse strength of the penalty of ``svm`` and ``logistic``."""
    neighbours: PositiveInt = 5
    """Of ``knn``."""


class LinearSvm(ClassifierMixin, BaseEstimator):
    """``LinearSVC`` with balanced classes; as quick with thousands of features as with hundreds.

    With more features than rows, the best weights are sums of the rows. So it is fitted on the
    rows' coordinates within their own span, at most U of them, which changes no decision, and the
    weights are turned back.
    """

    def __init__(self, C: float = 1.0) -> None:
        self.C = C

    def fit(self, X: Floats, y: NDArray[np.int64]) -> LinearSvm:
        """Fit ``coef_ (K, d)``, one row for two classes, and ``intercept_ (K,)``."""
        wide = X.shape[1] > len(X)
        span, rows = np.linalg.qr(X.T) if wide else (None, X.T)
        svm = LinearSVC(
            C=self.C, class_weight="balanced", tol=1e-6, max_iter=10_000,
            dual=False,  # pyright: ignore[reportArgumentType] - its stub is behind
        )  # fmt: skip
        svm.fit(rows.T, y)
        self.classes_ = svm.classes_
        self.coef_ = svm.coef_ if span is None else svm.coef_ @ span.T
        self.intercept_ = svm.intercept_
        return self

    def decision_function(self, X: Floats) -> Floats:
        """``(N, K)``; of two classes ``(N,)``, above 0 for the second."""
        scores = X @ self.coef_.T + self.intercept_
        return scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X: Floats) -> NDArray[np.int64]:
        """The class of the greatest decision value."""
        scores = self.decision_function(X)
        best = scores.argmax(axis=1) if scores.ndim == 2 else (scores > 0).astype(int)
        return self.classes_[best]


class Classical(Estimator):
    """A classifier of scikit-learn on functionals of whole utterances."""

    name = "classical"
    Params = ClassicalParams
    params: ClassicalParams
    trusted = (f"{__name__}.LinearSvm",)

    @property
    def hears(self) -> Hears:
        """Functionals of eGeMAPS, by their z-scores."""
        return Hears("egemaps")

    def classifier(self) -> Any:
        """See ``Estimator``."""
        if self.params.kind == "svm":
            return LinearSvm(C=self.params.C)
        if self.params.kind == "logistic":
            return LogisticRegression(C=self.params.C, class_weight="balanced", max_iter=1000)
        return KNeighborsClassifier(self.params.neighbours, algorithm="brute")
