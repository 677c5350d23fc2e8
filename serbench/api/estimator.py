"""Estimator plugins: students that scikit-learn fits in one call, without epochs."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from serbench.api.params import Params
from serbench.api.student import Student, StudentShape

if TYPE_CHECKING:
    from serbench.api.fitted import EstimatorNetwork

Statistic = Literal["mean", "std", "min", "max"]


class EstimatorParams(Params):
    """Parameters of every estimator; each estimator's own are in a subclass."""

    pool: tuple[Statistic, ...] = ("mean", "std")
    """Statistics of each value over the frames of an utterance, in this order. A front end that
    gives one row per utterance is used without them.
    """


class Estimator(Student):
    """An estimator plugin: a student that is not trained by gradient descent.

    Its input is one row of numbers per utterance: the front end's row, or statistics over its
    frames. The harness normalises the rows by the front end's ``normalise``, fitted on the training
    partition, so an estimator needs no scaler of its own. A method with an estimator has no loss;
    its settings of windows, augmentation and training are not used.

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
    """Full names of classes that a fitted classifier may contain besides those of scikit-learn,
    NumPy and SciPy, such as ``"my_package.my_module.MyScaler"``. No other class is ever loaded.
    """

    @abstractmethod
    def classifier(self) -> Any:
        """A new, unfitted scikit-learn classifier or pipeline.

        It needs ``fit(X, y)``, ``predict(X)``, ``classes_``, and ``predict_proba`` or
        ``decision_function``. The greatest value must be that of the predicted class
        (``SVC(break_ties=True)``). Without ``predict_proba``, the softmax of decision values gives
        posteriors. ``X (U, d)`` is float64, ``y (U,)`` int64.

        A parameter ``groups`` of ``fit``, or of the ``fit`` of a step of a pipeline, receives each
        utterance's group ``(U,)``, usually its speaker. A ``random_state`` that is None is set.
        """
        ...

    def build(self, shape: StudentShape) -> EstimatorNetwork:
        """The classifier as a module that harness, backends and studies can run."""
        from serbench.api.fitted import EstimatorNetwork

        return EstimatorNetwork(self, shape)
