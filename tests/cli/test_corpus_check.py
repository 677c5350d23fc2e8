from __future__ import annotations

from pathlib import Path

import pytest
from tests_support.surveyed import ENTRY, write_tones
from typer.testing import CliRunner

from serbench.cli import app


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["corpus", "check", *arguments])
    return result.exit_code, result.output


@pytest.fixture
def tones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SERBENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "serbench.toml").write_text(ENTRY)
    return write_tones(tmp_path / "tones")


def test_a_sound_corpus_passes(tones: Path) -> None:
    code, text = invoke("tones", "--data-dir", "tones", "--output", "tones.html")
    assert code == 0, text
    assert "serbench corpus check: tones" in text
    assert "24 utterances" in text
    assert text.rstrip().endswith("Page: tones.html")
    page = (tones.parent / "tones.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert "Speakers and emotions" in page


def test_a_faulty_one_does_not(tones: Path) -> None:
    (tones / "ann_ang_s1_1.wav").write_bytes(b"")
    (tones / "ann_ang_s1_2.wav").unlink()
    code, text = invoke("tones", "--data-dir", "tones")
    assert code == 1
    assert "failed counts:" in text
    assert "Which (1): ann_ang_s1_1 (" in text
    assert "checks: counts and unreadable)" in text


def test_missing_files_can_be_meant(tones: Path) -> None:
    (tones / "ann_ang_s1_2.wav").unlink()
    assert invoke("tones", "--data-dir", "tones")[0] == 1
    code, text = invoke("tones", "--data-dir", "tones", "--allow-incomplete")
    assert code == 0, text
    assert "warning counts:" in text


def test_other_folds_can_be_looked_at(tones: Path) -> None:
    code, text = invoke("tones", "--data-dir", "tones", "--folds", "kfold")
    assert code == 1
    assert "choose a number from 2 to 3" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tone",), "did you mean 'tones'"),
        (("tones", "--data-dir", "nowhere"), "does not exist"),
        (("tones", "--data-dir", "."), "names do not match the pattern (1): tones/odd.wav"),
    ],
)
def test_bad_input_is_one_message(tones: Path, arguments: tuple[str, ...], message: str) -> None:
    (tones / "odd.wav").touch()
    code, text = invoke(*arguments)
    assert code == 2
    assert message in " ".join(text.split())
    assert "Traceback" not in text


@pytest.mark.real
def test_emodb_passes_with_what_is_known_of_it(
    emodb: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERBENCH_CACHE", str(tmp_path / "cache"))
    code, text = invoke("emodb", "--data-dir", str(emodb))
    assert code == 0, text
    for told in (
        "535 utterances of 10 speakers in 7 classes, as the card declares",
        "1.23 to 8.98 s",
        "All files are 16,000 Hz mono",
        "None of 535 recordings is a copy",
        "None of 10 speakers has one emotion only",
        "anger, has 127 utterances; the smallest, disgust, has 46",
        "every class is on both sides of each fold; the smallest has 1 test utterance",
        "100.0 % of test utterances (535 of 535) have a sentence that is also in training",
        # Files are brought to one peak, so that soft voices bring their noise up with them.
        "−76.2 dBFS (anger) to −54.8 dBFS (sadness)",
        "no problem found (18 checks); warning: background; note: sentence-overlap",
    ):
        assert told in text, told
