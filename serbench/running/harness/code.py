"""Digests of the code that results depend on: a fit is trained again if its code has changed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import cast

import torch

from serbench.api import Backend, FrontEnd, Loss, Student
from serbench.files.source import core_digest, package_digest
from serbench.learning.fit.optimise import resolve_precision
from serbench.running.plan.records import Candidate, RunPlan, describe_candidate
from serbench.settings import SAMPLERS, OptimiserSettings

FIT = (
    "api/fitted.py",
    "learning/crops.py",
    "learning/fit",
    "learning/features.py",
    "learning/front_ends.py",
    "learning/segments.py",
    "learning/evaluate.py",
    "learning/teach/crossfit.py",
    "learning/teach/heads.py",
    "learning/teach/logistic.py",
)
"""Core modules that determine a fit's result."""

HEAD = ("learning/teach",)
"""Core modules that determine the result of a teacher's head."""

LEAKY = ("running/harness/leaky.py",)
"""The module that determines how fits of a broken protocol differ."""


def code_digests(plan: RunPlan) -> dict[str, str]:
    """Digests of the code that a run's fits use: a change makes it another run."""
    plugins = {
        type(plugin) for method in plan.methods for plugin in _plugins(method.candidates[0])
    } | {type(plan.backend)}
    core = {"fit": core_digest(FIT), "head": core_digest(HEAD)}
    own = {cls.__module__: package_digest(cls) for cls in plugins}
    return {**core, **dict(sorted(own.items()))}  # a set has another order in each process


def _plugins(candidate: Candidate) -> list[FrontEnd | Student | Loss]:
    """Plugins that train a candidate."""
    before = [candidate.objective] if candidate.objective else []
    own = [candidate.loss] if candidate.loss else []
    return [candidate.front_end, candidate.student, *own, *before]


def arithmetic(plan: RunPlan, device: str) -> dict[str, object]:
    """The libraries and precision that a run's arithmetic depends on, besides its code: torch, and
    each method's resolved precision.
    """
    return {
        "torch": torch.__version__,
        **({"scikit-learn": version("scikit-learn")} if _estimates(plan) else {}),
        **({"optuna": _version("optuna")} if plan.protocol.strategy in SAMPLERS else {}),
        "precision": {
            method.name: sorted(
                {
                    precision_on(device, candidate.settings.training)
                    for candidate in method.candidates
                }
            )
            for method in plan.methods
        },
    }


def _version(package: str) -> str:
    """Version of a package; empty if it is missing. A search that needs the package
    then reports it.
    """
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _estimates(plan: RunPlan) -> bool:
    """Whether scikit-learn fits any candidate."""
    return any(candidate.estimates for method in plan.methods for candidate in method.candidates)


def fit_identity(candidate: Candidate, device: str) -> dict[str, object]:
    """The part of a fit's address that says what is trained, and with which arithmetic.

    It contains the precision that is resolved on this machine, because ``auto`` depends on the
    processor. Pretraining is left out: the weights that a fit starts from have their own address.
    """
    described = describe_candidate(candidate)
    described.pop("objective", None)
    settings = cast("dict[str, dict[str, object]]", described["settings"])
    own: dict[str, object] = {"candidate": described, "device": device, "torch": torch.__version__}
    if candidate.estimates:
        return own | {"scikit-learn": version("scikit-learn")}
    del settings["pretrain"]
    settings["training"]["precision"] = precision_on(device, candidate.settings.training)
    return own


def precision_on(device: str, settings: OptimiserSettings) -> str:
    """The precision of settings on ``device``, with ``auto`` resolved."""
    return resolve_precision(settings.precision, torch.device(device))


def backend_identity(backend: Backend) -> list[object]:
    """The part of an address for the runtime of the predictions: its name, parameters and code."""
    params = backend.params.model_dump(mode="json")
    return [backend.name, params, package_digest(type(backend))]


def plugin_digests(candidate: Candidate) -> list[str]:
    """Digests of the packages of a candidate's student and loss."""
    own = [candidate.student, *([candidate.loss] if candidate.loss else [])]
    return [package_digest(type(plugin)) for plugin in own]
