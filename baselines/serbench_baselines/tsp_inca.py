"""The `tsp-inca` estimator: features ranked and chosen by INCA, then a cubic SVM.

T. Tuncer, S. Dogan, U. R. Acharya: Automated accurate speech emotion recognition system using twine
shuffle pattern and iterative neighborhood component analysis techniques. Knowledge-Based Systems
211, 2021. A reconstruction: no code was published, and only its abstract could be read.

Published: levels of a tunable Q wavelet transform, histograms of a pattern drawn from a shuffle
(front end ``tqwt-patterns``), features ranked by neighbourhood component analysis, the best of
several numbers of features, an SVM. Decided here:

- Values are scaled to 0 … 1 by the training side (``normalise = "range"``).
- Ranking: neighbourhood component analysis with one weight for each feature and a penalty on the
  weights (Yang, Wang, Zuo: Neighborhood component feature selection for high-dimensional data,
  Journal of Computers 7(1), 2012), but with squared distances, as in its original form (Goldberger
  et al., NeurIPS 2004). With these, a step is two matrix products instead of a loop over all pairs
  of utterances and all features.
- The number of features, 100 … 1000: the one with the fewest errors of the nearest neighbour among
  *other* speakers of the training side.
- The SVM: polynomial kernel (1 + γ x·y)³, γ = 1 / (features × variance), C = 1.

Ranking, number of features and SVM use only the training side. In the publication, which has random
folds, they may have used more.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from serbench.api import Estimator, EstimatorParams, Hears


class TspIncaParams(EstimatorParams):
    """Bounds of the number of features, and settings of their ranking."""

    least: PositiveInt = 100
    most: PositiveInt = 1000
    steps: int = Field(default=60, ge=1)
    """Steps of gradient ascent in the ranking."""
    penalty: PositiveFloat = 1.0
    """Penalty on the mean squared weight, in shares of one utterance."""
    C: PositiveFloat = 1.0

    @model_validator(mode="after")
    def _ordered(self) -> TspIncaParams:
        if self.most < self.least:
            msg = f"most = {self.most} is below least = {self.least}"
            raise ValueError(msg)
        return self


class TspInca(Estimator):
    """Twine shuffle patterns, INCA and a cubic SVM."""

    name = "tsp-inca"
    Params = TspIncaParams
    params: TspIncaParams
    trusted = (f"{__package__}.estimators.inca.Inca", f"{__name__}.Inca")
    reconstruction: ClassVar[bool] = True

    @property
    def hears(self) -> Hears:
        """Histograms of patterns, scaled to 0 … 1."""
        return Hears("tqwt-patterns", {"normalise": "range"})

    def classifier(self) -> Any:
        """See ``Estimator``."""
        from serbench_baselines.estimators.inca import Inca

        p = self.params
        return Inca(p.least, p.most, p.steps, p.penalty, p.C)


def __getattr__(name: str) -> object:
    """Find ``Inca``, which stored fits of earlier versions look for in this module."""
    if name == "Inca":
        from serbench_baselines.estimators.inca import Inca

        return Inca
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
