"""The list of all studies. A new one is a folder here and a line in ``STUDIES``."""

from __future__ import annotations

from typing import Any

from serbench.studies.deploy.study import DeployStudy
from serbench.studies.explain.study import ExplainStudy
from serbench.studies.inflation.study import InflationStudy
from serbench.studies.overlap.study import OverlapStudy
from serbench.studies.prune.study import PruneStudy
from serbench.studies.robustness.study import RobustnessStudy
from serbench.studies.study import Study

DEPLOY = DeployStudy()

STUDIES: tuple[Study[Any, Any], ...] = (
    InflationStudy(),
    ExplainStudy(),
    OverlapStudy(),
    RobustnessStudy(),
    PruneStudy(),
    DEPLOY,
)
"""All studies, in the order in which ``--help`` lists them."""
