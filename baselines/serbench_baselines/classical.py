"""The `classical` estimator: a linear SVM, logistic regression, or nearest neighbours.

With eGeMAPS or ComParE functionals and the SVM it is the reference of the paralinguistic challenges
(Schuller et al., Interspeech 2009 to 2016; eGeMAPS: Eyben et al., IEEE Trans. Affective Computing
7(2), 2016). By convention, it has z-scores over the training side and a linear SVM with balanced
classes, whose C from 1e-5 to 1 is chosen on inner speakers. Not published, decided here: one
classifier for each class against the rest, with the squared hinge loss.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import PositiveFloat, PositiveInt

from serbench.api import Estimator, EstimatorParams, Hears


class ClassicalParams(EstimatorParams):
    """The kind of classifier, and its settings."""

    kind: Literal["svm", "logistic", "knn"] = "svm"
    C: PositiveFloat = 0.01
    """Inverse strength of the penalty of ``svm`` and ``logistic``."""
    neighbours: PositiveInt = 5
    """Number of neighbours of ``knn``."""


class Classical(Estimator):
    """A classifier of scikit-learn on functionals of whole utterances."""

    name = "classical"
    Params = ClassicalParams
    params: ClassicalParams
    trusted = (f"{__package__}.estimators.linear_svm.LinearSvm", f"{__name__}.LinearSvm")

    @property
    def hears(self) -> Hears:
        """Functionals of eGeMAPS as z-scores."""
        return Hears("egemaps")

    def classifier(self) -> Any:
        """See ``Estimator``."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.neighbors import KNeighborsClassifier

        from serbench_baselines.estimators.linear_svm import LinearSvm

        if self.params.kind == "svm":
            return LinearSvm(C=self.params.C)
        if self.params.kind == "logistic":
            return LogisticRegression(C=self.params.C, class_weight="balanced", max_iter=1000)
        return KNeighborsClassifier(self.params.neighbours, algorithm="brute")


def __getattr__(name: str) -> object:
    """Find ``LinearSvm``, which stored fits of earlier versions look for in this module."""
    if name == "LinearSvm":
        from serbench_baselines.estimators.linear_svm import LinearSvm

        return LinearSvm
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
