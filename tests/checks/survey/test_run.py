from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import soundfile
from tests_support.surveyed import ENTRY, RATE_HZ, tone, unit_names, write_tones

from serbench.api import Corpus
from serbench.checks.survey.page import survey_page
from serbench.checks.survey.records import CHECKS, Survey
from serbench.checks.survey.run import survey
from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    overlay = tmp_path_factory.mktemp("registry") / "serbench.toml"
    overlay.write_text(ENTRY)
    return cast("Corpus", load_registry(load_plugins(), overlay).make("corpora", "tones"))


def look(corpus: Corpus, folder: Path, folds: str = "loso", incomplete: bool = False) -> Survey:
    return survey(
        corpus, "tones", folder, folds, folder.parent / "cache", lambda *_: None, incomplete
    )


def outcomes(found: Survey) -> dict[str, str]:
    return {finding.check: finding.outcome for finding in found.findings.found}


def test_a_sound_corpus_has_nothing_that_harms(corpus: Corpus, tmp_path: Path) -> None:
    found = look(corpus, write_tones(tmp_path / "tones"))
    assert found.findings.passed
    assert [f.check for f in found.findings.found] == [
        code for code in CHECKS if code not in {"gender-label", "intensity-label"}
    ]
    assert {code for code, s in outcomes(found).items() if s != "passed"} == {
        "units", "voices", "sentence-overlap",
    }  # fmt: skip
    assert "notes: units, sentence-overlap" in found.findings.verdict
    assert "not run: voices (too little speech to compare voices" in found.findings.verdict


@pytest.fixture(scope="module")
def faulty(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Survey:
    """The same corpus with one fault of every kind."""
    folder = write_tones(tmp_path_factory.mktemp("faulty") / "tones")
    (folder / "ann_ang_s1_1.wav").write_bytes(b"")
    (folder / "ann_ang_s1_2.wav").unlink()
    shutil.copyfile(folder / "bob_ang_s1_1.wav", folder / "cay_neu_s1_1.wav")
    soundfile.write(folder / "bob_neu_s1_1.wav", np.zeros(RATE_HZ), RATE_HZ)
    soundfile.write(folder / "bob_neu_s1_2.wav", np.clip(40 * tone(99), -1, 1), RATE_HZ)
    soundfile.write(folder / "bob_neu_s2_1.wav", tone(98, 0.3), 44_100)
    return look(corpus, folder, "nope")


def test_every_fault_is_found_and_the_rest_still_looked_at(faulty: Survey) -> None:
    found = outcomes(faulty)
    assert found["counts"] == found["unreadable"] == found["copies"] == found["folds"] == "failed"
    assert found["silence"] == "warning"
    assert found["clipping"] == found["durations"] == "note"
    by_code = {finding.check: finding for finding in faulty.findings.found}
    assert unit_names(by_code["unreadable"]) == ("ann_ang_s1_1",)
    assert unit_names(by_code["copies"]) == ("bob_ang_s1_1 = cay_neu_s1_1",)
    assert unit_names(by_code["silence"]) == ("bob_neu_s1_1",)
    assert unit_names(by_code["clipping"]) == ("bob_neu_s1_2",)
    assert unit_names(by_code["format"]) == ("bob_neu_s2_1",)
    assert "has loso, kfold" in by_code["folds"].message
    assert "sentence-overlap" not in found
    assert not faulty.findings.passed
    assert "(4 of 15 checks: counts, unreadable, copies and folds)" in faulty.findings.verdict


def test_missing_files_may_be_meant(corpus: Corpus, tmp_path: Path) -> None:
    folder = write_tones(tmp_path / "tones")
    (folder / "ann_ang_s1_2.wav").unlink()
    assert outcomes(look(corpus, folder))["counts"] == "failed"
    assert outcomes(look(corpus, folder, incomplete=True))["counts"] == "warning"


def test_nothing_readable_is_told_too(corpus: Corpus, tmp_path: Path) -> None:
    folder = write_tones(tmp_path / "tones")
    for path in folder.glob("*.wav"):
        path.write_text("no audio")
    found = look(corpus, folder)
    assert outcomes(found) == {"counts": "passed", "names": "passed", "unreadable": "failed"}
    assert "24 of 24 files cannot be used" in survey_page(found)


def test_the_page_says_everything_and_escapes_it(faulty: Survey) -> None:
    hostile = "<script>alert(1)</script>"
    text = survey_page(replace(faulty, dataset=hostile))
    assert hostile not in text
    for finding in faulty.findings.found:
        assert CHECKS[finding.check][0].split(",")[0] in text
    assert 'class="outcome worse"' in text
    assert text.count('class="alarm"') == 4


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 375])
def test_the_page_can_be_read_anywhere(
    browser: Any, faulty: Survey, tmp_path: Path, width: int, scheme: str
) -> None:
    path = tmp_path / "page.html"
    path.write_text(survey_page(faulty), encoding="utf-8")
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True
    )
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: said.append(request.url))
    page.goto(path.as_uri())
    assert said == [path.as_uri()]
    page.evaluate("document.querySelectorAll('details').forEach((e) => { e.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    axe = pytest.importorskip(
        "axe_playwright_python", reason="axe-playwright-python is not installed"
    )
    page.evaluate((Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("() => axe.run({ resultTypes: ['violations'] })")["violations"]
    assert [(each["id"], each["nodes"][0]["html"]) for each in found] == []
    context.close()
