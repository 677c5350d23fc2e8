"""A paragraph for a paper on how a run was done, made from its plan only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from serbench.errors import joined
from serbench.results.compare.names import display_name
from serbench.results.compare.records import ALPHA
from serbench.results.report.marks import LEAKS
from serbench.results.report.results import Results
from serbench.running.store.finished import StoredRun

SOFTWARE = ("torch", "numpy", "scikit-learn", "scipy")
"""Packages whose versions a paper names."""


def methods_text(results: Results) -> str:
    """Write about corpus, folds, inner search, training, statistics and software."""
    return " ".join(
        sentence
        for part in (_corpus, _protocol, _search, _training, _statistics, _software)
        for sentence in part(results)
    )


def _corpus(results: Results) -> Iterator[str]:
    compared, dataset = results.comparison, results.dataset
    names = joined([display_name(each.method) for each in compared.students])
    subject = "The method" if len(compared.students) == 1 else "The methods"
    verb = "was" if len(compared.students) == 1 else "were"
    speakers, classes = len(compared.speaker_counts), len(compared.labels)
    yield (
        f"{subject} {names} {verb} evaluated on {dataset.get('title') or dataset['name']} "
        f"({results.size}, {speakers} speakers, {classes} classes: {joined(compared.labels)})."
    )
    if trained := [each["name"] for each in dataset.get("training", ())]:
        yield f"Training used {joined(trained)} instead of the tested corpus."


def _protocol(results: Results) -> Iterator[str]:
    run, count = results.runs[0], len(results.comparison.fold_counts)
    unit = run.certificate.unit
    if results.leaky:
        yield (
            f"The protocol {results.protocol} was used, which leaks on purpose: "
            f"{LEAKS[results.protocol]}."
        )
    elif count > 1:
        yield (
            f"Evaluation was cross-validation over {count} outer folds by {unit}: no {unit} was in "
            "the training side and in the test side of a fold."
        )
    else:
        yield f"There was a single test side, and no {unit} of it was in training."


def _search(results: Results) -> Iterator[str]:
    if not any(run.inner_fits for run in results.runs):
        yield "No setting was searched; all were fixed before the run."
        return
    inner = results.runs[0].plan["protocol"].get("inner")
    folds = f"{inner} inner folds" if isinstance(inner, int) else "inner folds by unit"
    yield (
        f"Settings were chosen by a search over {folds} of each training side; the chosen setting "
        "was then trained on the whole training side."
    )


def _training(results: Results) -> Iterator[str]:
    seeds = max(run.seeds for run in results.runs)
    profiles = joined(dict.fromkeys(str(run.plan["profile"]) for run in results.runs))
    epochs = {
        int(epochs)
        for info in results.methods.values()
        if (epochs := info.plan.get("settings", {}).get("training", {}).get("epochs"))
    }
    said = [f"{seeds} seed{'s' * (seeds > 1)}", f"serbench's profile {profiles}"]
    if epochs:
        low, high = min(epochs), max(epochs)
        said.append(f"at most {high} epochs" if low == high else f"at most {low} to {high} epochs")
    yield f"Each method was trained with {joined(said)}."
    teachers = [display_name(each.method) for each in results.comparison.teachers]
    if teachers:
        yield (
            f"The {'teacher' if len(teachers) == 1 else 'teachers'} {joined(teachers)} stayed "
            "frozen; heads were trained on the same training sides."
        )


def _statistics(results: Results) -> Iterator[str]:
    compared = results.comparison
    yield (
        "The scores are unweighted accuracy (UA, the mean recall of the classes), weighted "
        "accuracy and macro-F1 of all test utterances, pooled over the test sides, with 95 % "
        f"confidence intervals from {compared.repeats} bootstrap draws of the "
        f"{len(compared.speaker_counts)} test speakers."
    )
    others = len(compared.methods) - 1
    if results.leaky or not others:
        return
    test = (
        f"Nadeau and Bengio's corrected t test over {compared.design.folds} folds"
        if compared.design.question == "method"
        else "a paired permutation test over speakers"
    )
    corrected = f", corrected for {others} comparisons by Holm's method" if others > 1 else ""
    yield (
        f"Differences in UA from {display_name(compared.reference)} were tested by {test}"
        f"{corrected}; p ≤ {ALPHA:g} was taken as significant."
    )


def _software(results: Results) -> Iterator[str]:
    run = results.runs[0]
    versions = [f"serbench {run.plan['serbench_version']}", *_versions(run)]
    device = run.plan.get("device")
    yield f"Software: {', '.join(versions)}{f'; device {device}' if device else ''}."
    digests = joined([each[:12] for each in results.certificates])
    yield f"The leakage checks are documented by certificate {digests}."


def _versions(run: StoredRun) -> Iterator[str]:
    environment: Mapping[str, Any] = run.environment
    if python := environment.get("python"):
        yield str(python)
    packages = environment.get("packages", {})
    yield from (f"{name} {packages[name]}" for name in SOFTWARE if name in packages)
