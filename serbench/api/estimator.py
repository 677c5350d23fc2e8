"""What an estimator plugin is: a student that scikit-learn fits, in one go and without epochs."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from serbench.api.params import Params
from serbench.api.student import Student, StudentShape

if TYPE_CHECKING:
    from serbench.api.fitted import EstimatorNetwork

Statistic = Literal["mean", "std", "min", "max"]


class EstimatorParams(Params):
    """What every estimator can be set to; those of an estimator are a subclass."""

    pool: tuple[Statistic, ...] = ("mean", "std")
    """What is taken of each value over the frames of an utterance, in this order; a front end
    that gives one row for an utterance is heard as it is."""


class Estimator(Student):
    """An estimator plugin: a student that is not trained by gradient descent.

    It hears whole utterances: one row of numbers for each, as the front end gives it or pooled
    over its frames. The harness normalises them by the front end's ``normalise``, fitted on the
    training partition, so an estimator needs no scaler of its own. A method that names it has no
    loss, and its settings of windows, augmentation and training are not read.

    Examples:
        >>> import numpy as np
        >>> import torch
        >>> from sklearn.linear_model import LogisticRegression
        >>> from serbench.api import Estimator, EstimatorParams, StudentShape
        >>> class Regression(Estimator):
        ...     name = "regression"
        ...     Params = EstimatorParams
        ...
        ...     def classifier(self):
        ...         return LogisticRegression(C=0.1)
        >>> network = Regression(EstimatorParams()).build(StudentShape(3, channels=1, n_mels=8))
        >>> rows = np.random.default_rng(0).normal(size=(30, 16))  # mean and std of 8 values
        >>> network.fit(rows, np.arange(30) % 3, groups=np.arange(30) // 10, seed=0)
        >>> network(torch.zeros(2, 1, 8, 50), torch.tensor([50, 20])).logits.shape
        torch.Size([2, 3])
    """

    trusted: ClassVar[tuple[str, ...]] = ()
    """Classes that a fitted one may consist of besides those of scikit-learn, NumPy and SciPy, by
    full name, such as ``"my_package.my_module.MyScaler"``. Nothing else is ever loaded."""

    @abstractmethod
    def classifier(self) -> Any:
        """A fresh scikit-learn classifier or pipeline, not fitted.

        It needs ``fit(X, y)``, ``predict(X)``, ``classes_``, and ``predict_proba`` or
        ``decision_function``, whose greatest value must be that of the predicted class
        (``SVC(break_ties=True)``). The softmax of decision values serves as posteriors where there
        is no ``predict_proba``. ``X (U, d)`` is float64, ``y (U,)`` int64.
        What ``fit`` takes as ``groups``, be it that of a step of a pipeline, is given each
        utterance's group ``(U,)``, most often its speaker. A ``random_state`` that is None is set.
        """
        ...

    def build(self, shape: StudentShape) -> EstimatorNetwork:
        """The classifier as a module that harness, backends and studies can run."""
        from serbench.api.fitted import EstimatorNetwork

        return EstimatorNetwork(self, shape)
