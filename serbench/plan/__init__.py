"""From what the user asked for to everything that will be run, before anything is run."""

from serbench.plan.ablate import plan_ablation
from serbench.plan.dataset import OFFICIAL, DatasetPlan, LabelMap, Part, plan_dataset
from serbench.plan.names import method_spec
from serbench.plan.records import (
    Ablation,
    AblationRow,
    Candidate,
    MethodPlan,
    Request,
    RunPlan,
    describe_candidate,
    digest_of,
    stable_seed,
)
from serbench.plan.resolve import plan_run
from serbench.plan.sets import parse_set

__all__ = [
    "OFFICIAL",
    "Ablation",
    "AblationRow",
    "Candidate",
    "DatasetPlan",
    "LabelMap",
    "MethodPlan",
    "Part",
    "Request",
    "RunPlan",
    "describe_candidate",
    "digest_of",
    "method_spec",
    "parse_set",
    "plan_ablation",
    "plan_dataset",
    "plan_run",
    "stable_seed",
]
