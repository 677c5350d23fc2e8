"""Texts of a report about its methods, corpus and terms, and its BibTeX."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata, resources
from typing import Any

from serbench.results.compare.names import display_name
from serbench.results.report.results import MethodInfo, Results
from serbench.results.templating import escape_latex

TITLE = "serbench: the speech-emotion-recognition benchmark that cannot be fooled"
AUTHORS = "serbench maintainers"
"""The authors as in ``CITATION.cff``."""

UNKNOWN = re.compile(r"\s*(unknown\b|none\b|$)", re.IGNORECASE)
"""Beginning of a text that is not a citation, as for the demo corpus."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Something that a report builds on.

    Attributes:
        key: key in BibTeX.
        title: its title; empty if the citation has it.
        citation: authors, title, venue and year, as in its card.
        url: its home page; empty if there is none.
    """

    key: str
    title: str
    citation: str
    url: str = ""


def method_lines(results: Results) -> list[tuple[str, str]]:
    """Each trained method with its summary, then each teacher with its title."""
    lines = [
        (display_name(name), _about(results, info).get("summary", ""))
        for name, info in results.methods.items()
        if info.plan
    ]
    lines += [(f"{name} (teacher)", str(card["title"])) for name, card in _cards(results).items()]
    return [(name, said if said.endswith(".") else f"{said}.") for name, said in lines if said]


def glossary(results: Results, *, learning: bool) -> list[tuple[str, str]]:
    """The terms that the page uses, with what they mean here."""
    compared = results.comparison
    classes, design = len(compared.labels), compared.design
    unit = results.runs[0].certificate.unit
    several = len(compared.methods) > 1 and not results.leaky
    searched = any(run.inner_fits for run in results.runs)
    terms = {
        "UA": "Unweighted accuracy: the mean of the recalls of all classes, so that each class "
        f"counts the same. Chance is {100 / classes:.1f} % with {classes} classes.",
        "WA": "Weighted accuracy: the share of all utterances that are classified correctly. "
        "Frequent classes count more.",
        "Macro-F1": "The mean over classes of F1, the harmonic mean of precision and recall.",
        "Recall": "The share of a class's utterances that the model assigns to this class.",
        "95 % CI": "95 % confidence interval. The intervals of scores come from bootstrap draws of "
        "whole test speakers.",
        "Outer fold": f"A part of the corpus by {unit}. Each is held out once as the test side; "
        "the models that are tested on it were trained on the others."
        if len(compared.fold_counts) > 1
        else "The only test side of this run.",
        "Inner fold": "A part of a training side on which settings are validated. Test utterances "
        "are in none." if searched else "",
        "Refit": "The final training of a method on a whole training side.",
        "ΔUA": f"The UA of a method minus that of the reference, {display_name(compared.reference)}"
        ", in percentage points." if several else "",
        "p": "The probability of a difference at least this large if the methods did not differ"
        f"{_corrected(len(compared.methods) - 1)}. A difference is significant if p is at most "
        "0.05." if several else "",
        "Corrected t test": "A t test over the differences in the outer folds, whose variance is "
        "corrected because training sides overlap (Nadeau and Bengio, 2003)."
        if several and design.question == "method" else "",
        "ECE": "Expected calibration error: the mean distance between confidence and accuracy, "
        "over bins of confidence.",
        "Brier score": "The mean squared distance between the posterior and the true class; "
        "0 is best.",
        "Teacher": "A large pretrained model that is not trained here. Its own head is trained on "
        "the same training sides and tested on the same folds." if compared.teachers else "",
        "Loss": "The quantity that training minimises, as the sum of its terms."
        if learning else "",
    }  # fmt: skip
    return [(term, said) for term, said in terms.items() if said]


def _corrected(comparisons: int) -> str:
    return f", corrected for {comparisons} comparisons (Holm)" if comparisons > 1 else ""


def bibtex(results: Results) -> str:
    """BibTeX of serbench, the corpus, teachers and other pretrained models, and methods."""
    return "\n\n".join([_software(), *map(_entry, _references(results))])


def _software() -> str:
    return (
        "@software{serbench,\n"
        f"  title = {{{TITLE}}},\n"
        f"  author = {{{{{AUTHORS}}}}},\n"
        f"  version = {{{metadata.version('serbench')}}}\n"
        "}"
    )


def _references(results: Results) -> list[Reference]:
    """References that have a citation; each citation once."""
    found: dict[str, Reference] = {}
    for reference in (*_corpus(results), *_models(results), *_methods(results)):
        if not UNKNOWN.match(reference.citation):
            found.setdefault(reference.citation, reference)
    return list(found.values())


def _corpus(results: Results) -> Iterator[Reference]:
    card = results.runs[0].plan.get("about", {}).get("corpus", {})
    name = str(results.dataset["name"])
    yield Reference(
        name, str(card.get("title", "")), str(card.get("citation", "")), str(card.get("home", ""))
    )


def _models(results: Results) -> Iterator[Reference]:
    """Teachers, and the models that students and front ends use."""
    for run in results.runs:
        for entry in ("cards", "inherited", "heard"):
            for name, card in run.plan.get(entry, {}).items():
                yield Reference(
                    name, str(card["title"]), str(card["citation"]), str(card.get("home", ""))
                )


def _methods(results: Results) -> Iterator[Reference]:
    for info in results.methods.values():
        if info.plan:
            citation = _about(results, info).get("citation", "")
            yield Reference(str(info.plan["name"]), "", citation)


def _entry(reference: Reference) -> str:
    key = re.sub(r"[^A-Za-z0-9-]+", "-", reference.key).strip("-")
    fields = {
        "title": escape_latex(reference.title),
        "note": escape_latex(reference.citation),
        "howpublished": f"\\url{{{reference.url}}}" if "://" in reference.url else "",
    }
    body = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items() if value)
    return f"@misc{{{key},\n{body}\n}}"


def _cards(results: Results) -> dict[str, Mapping[str, Any]]:
    return {name: card for run in results.runs for name, card in run.plan.get("cards", {}).items()}


def _about(results: Results, info: MethodInfo) -> Mapping[str, str]:
    """Texts about a method from the run's plan. For a run of an older version they are from today's
    registry, for a method of this name with the same student and loss.
    """
    name = str(info.plan["name"])
    run = next(run for run in results.runs if run.folder == info.folder)
    if "about" in run.plan:
        return run.plan["about"].get("methods", {}).get(name, {})
    entry = _registry().get(name, {})
    same = all(entry.get(key, "") == info.plan.get(key, "") for key in ("student", "loss"))
    return {key: str(entry.get(key, "")) for key in ("summary", "citation")} if same else {}


def _registry() -> Mapping[str, Mapping[str, Any]]:
    text = resources.files("serbench").joinpath("registry.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)["methods"]
