from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import soundfile
from tests_support.surveyed import ENTRY, RATE_HZ, tone, write_tones

from serbench.api import Corpus
from serbench.checks.survey.page import survey_page
from serbench.checks.survey.records import CHECKS, Survey, verdict
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


def severities(found: Survey) -> dict[str, str]:
    return {finding.code: finding.severity for finding in found.findings}


def test_a_sound_corpus_has_nothing_that_harms(corpus: Corpus, tmp_path: Path) -> None:
    found = look(corpus, write_tones(tmp_path / "tones"))
    assert not found.harms
    assert [f.code for f in found.findings] == [
        code for code in CHECKS if code not in {"gender-label", "intensity-label"}
    ]
    assert {code for code, s in severities(found).items() if s != "ok"} == {
        "units", "sentence-overlap",
    }  # fmt: skip
    assert "2 notes to know" in verdict(found)


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
    found = severities(faulty)
    assert found["counts"] == found["unreadable"] == found["copies"] == found["folds"] == "error"
    assert found["silence"] == "warning"
    assert found["clipping"] == found["durations"] == "note"
    by_code = {finding.code: finding for finding in faulty.findings}
    assert by_code["unreadable"].names == ("ann_ang_s1_1",)
    assert by_code["copies"].names == ("bob_ang_s1_1 = cay_neu_s1_1",)
    assert by_code["silence"].names == ("bob_neu_s1_1",)
    assert by_code["clipping"].names == ("bob_neu_s1_2",)
    assert by_code["format"].names == ("bob_neu_s2_1",)
    assert "has loso, kfold" in by_code["folds"].what
    assert "sentence-overlap" not in found
    assert faulty.harms
    assert "counts, unreadable, copies and folds" in verdict(faulty)


def test_missing_files_may_be_meant(corpus: Corpus, tmp_path: Path) -> None:
    folder = write_tones(tmp_path / "tones")
    (folder / "ann_ang_s1_2.wav").unlink()
    assert severities(look(corpus, folder))["counts"] == "error"
    assert severities(look(corpus, folder, incomplete=True))["counts"] == "warning"


def test_nothing_readable_is_told_too(corpus: Corpus, tmp_path: Path) -> None:
    folder = write_tones(tmp_path / "tones")
    for path in folder.glob("*.wav"):
        path.write_text("no audio")
    found = look(corpus, folder)
    assert severities(found) == {"counts": "ok", "unreadable": "error"}
    assert "24 of 24 files cannot be used" in survey_page(found)


def test_the_page_says_everything_and_escapes_it(faulty: Survey) -> None:
    hostile = "<script>alert(1)</script>"
    text = survey_page(replace(faulty, dataset=hostile))
    assert hostile not in text
    for finding in faulty.findings:
        assert CHECKS[finding.code][0].split(",")[0] in text
    assert 'class="outcome broken"' in text
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
