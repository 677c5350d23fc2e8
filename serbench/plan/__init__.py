"""From what the user asked for to everything that will be run, before anything is run."""

from serbench.plan.records import (
    Candidate,
    MethodPlan,
    Request,
    RunPlan,
    describe_candidate,
    digest_of,
    stable_seed,
)
from serbench.plan.resolve import method_spec, plan_run
from serbench.plan.sets import parse_set

__all__ = [
    "Candidate",
    "MethodPlan",
    "Request",
    "RunPlan",
    "describe_candidate",
    "digest_of",
    "method_spec",
    "parse_set",
    "plan_run",
    "stable_seed",
]
