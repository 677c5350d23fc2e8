"""Terms, methods, BibTeX and the paragraph for a paper."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tests_support.run_maker import make_run

from serbench.results.report.about import AUTHORS, TITLE, bibtex, glossary, method_lines
from serbench.results.report.methods_text import methods_text
from serbench.results.report.results import load_results

ROOT = Path(__file__).parents[3]
CARD = {
    "title": "Berlin Database of Emotional Speech (EmoDB)",
    "citation": "F. Burkhardt et al.: A database of German emotional speech. Interspeech 2005",
    "home": "http://emodb.bilderbar.info",
}
TEACHER = {"title": "Whisper base", "citation": "A. Radford & others, 2023", "home": "local folder"}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run whose plan says what its methods, corpus and teacher are."""
    folder = make_run(tmp_path / "run", {"akd": 0.9, "kd": 0.6, "teacher:whisper-base": 0.9}, 2)
    methods = {
        "akd": {"summary": "Distils", "citation": "Somebody: A method_1. 2024"},
        "kd": {"summary": "Distils too", "citation": ""},
    }
    change(folder, about={"corpus": CARD, "methods": methods}, cards={"whisper-base": TEACHER})
    return folder


def change(folder: Path, **changes: object) -> None:
    path = folder / "plan.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_methods_and_teachers_have_a_line(run: Path) -> None:
    assert method_lines(load_results([run])) == [
        ("akd", "Distils."), ("kd", "Distils too."), ("whisper-base (teacher)", "Whisper base."),
    ]  # fmt: skip


def test_of_an_older_run_the_registry_is_asked(tmp_path: Path) -> None:
    results = load_results([make_run(tmp_path / "run", {"akd": 0.9, "hybrid": 0.5})])
    assert method_lines(results) == [
        ("akd", "Adaptive knowledge distillation into the hybrid student.")
    ]
    assert "Khan et al." in bibtex(results)  # "hybrid" of this run has another loss than today's


def test_bibtex_has_each_thing_once_and_escaped(run: Path) -> None:
    text = bibtex(load_results([run]))
    assert re.findall(r"^@\w+\{([^,]+),", text, re.MULTILINE) == [
        "serbench", "emodb", "whisper-base", "akd",
    ]  # fmt: skip
    assert r"howpublished = {\url{http://emodb.bilderbar.info}}" in text
    assert r"A. Radford \& others, 2023" in text
    assert r"A method\_1. 2024" in text
    assert "local folder" not in text
    assert text.count("{") == text.count("}")


@pytest.mark.parametrize("citation", ["", "unknown", "none given", "none: it is synthetic"])
def test_no_citation_is_no_reference(run: Path, citation: str) -> None:
    change(run, about={"corpus": {**CARD, "citation": citation}, "methods": {}})
    assert "@misc{emodb" not in bibtex(load_results([run]))


def test_serbench_is_cited_as_its_citation_file_has_it() -> None:
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f'title: "{TITLE}"' in text
    assert f"- name: {AUTHORS}" in text


def test_the_glossary_has_only_what_the_page_has(run: Path, tmp_path: Path) -> None:
    terms = [term for term, _ in glossary(load_results([run]), learning=True)]
    assert {"UA", "p", "ΔUA", "Inner fold", "Teacher", "Loss"} <= set(terms)
    alone = load_results([make_run(tmp_path / "alone", {"akd": 0.9})])
    terms = [term for term, _ in glossary(alone, learning=False)]
    assert not {"p", "ΔUA", "Teacher", "Loss", "Corrected t test"} & set(terms)


def test_the_paragraph_is_made_from_the_plan(run: Path) -> None:
    text = methods_text(load_results([run]))
    assert text.startswith(
        "The methods akd and kd were evaluated on emodb (160 utterances, 8 speakers, 5 classes: "
    )
    for sentence in (
        "cross-validation over 4 outer folds by speaker: no speaker was in",
        "by a search over inner folds by unit of each training side",
        "trained with 2 seeds, serbench's profile standard and at most 60 epochs.",
        "The teacher whisper-base stayed frozen",
        "10000 bootstrap draws of the 8 test speakers.",
        "Differences in UA from akd were tested by Nadeau and Bengio's corrected t test over 4 "
        "folds, corrected for 2 comparisons by Holm's method",
        "Software: serbench 0.1.0, CPython 3.",
    ):
        assert sentence in text


def test_the_paragraph_of_a_leaky_run_says_so(tmp_path: Path) -> None:
    results = load_results([make_run(tmp_path / "run", {"akd": 0.9}, protocol="leaky-random")])
    text = methods_text(results)
    assert "The protocol leaky-random was used, which leaks on purpose" in text
    assert "no speaker was in" not in text
    assert "significant" not in text
