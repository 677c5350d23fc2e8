from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner, Result

from serbench.cli import app

GOOD = "utterance,fold\n03a01Wa,1\n03b02Na,1\n08a01Wa,2\n08b02Na,2\n"
BAD = "utterance,split\n03a01Wa,train\n08a01Wa,train\n03b02Na,test\n09b02Na,test\n"


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.csv").write_text(GOOD)
    (tmp_path / "bad.csv").write_text(BAD)


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["audit", *arguments])


def test_a_clean_file_exits_with_0_and_says_what_was_not_checked() -> None:
    result = invoke("good.csv", "--corpus", "emodb")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "Source: good.csv"
    assert "Read as: fold = the fold that tests the utterance" in lines
    assert "# Folds" in lines
    assert lines[-1] == (
        "passed: no leak found (3 checks); note: L9; "
        "not run: L4, L5 (no audio; give --data-dir, or paths of existing files)"
    )


def test_a_leak_exits_with_1_and_names_its_units() -> None:
    result = invoke("bad.csv", "-c", "emodb")
    assert result.exit_code == 1
    assert "  fold 1, speakers in train and test (1): 03\n" in result.stdout
    assert "FAILED: the splits leak (1 of 3 checks: L1 in 1 fold)" in result.stdout


def test_a_corpus_goes_by_its_other_names_too() -> None:
    result = invoke("bad.csv", "--dataset", "Emo-DB")
    assert result.exit_code == 1
    assert "Corpus: emodb\n" in result.stdout
    unknown = invoke("bad.csv", "--dataset", "emodbb")
    assert unknown.exit_code == 2
    assert "no dataset is called 'emodbb'; did you mean 'emodb'" in unknown.stderr


def test_without_a_corpus_speakers_are_not_known_and_nothing_passes_in_silence() -> None:
    result = invoke("bad.csv")
    assert result.exit_code == 0
    assert "L1 (speakers are unknown; give --corpus, or a speaker column)" in result.stdout
    assert "emodb: give --corpus emodb, which knows the speakers." in result.stdout


def test_json_to_a_file_has_everything(tmp_path: Path) -> None:
    result = invoke("bad.csv", "--corpus", "emodb", "--json", "out/audit.json")
    assert result.exit_code == 1
    assert "# Folds" in result.stdout
    content = json.loads((tmp_path / "out" / "audit.json").read_text(encoding="utf-8"))
    assert content["schema_version"] == 2
    (finding,) = [each for each in content["findings"] if each["outcome"] == "failed"]
    assert (finding["check"], finding["fold"]) == ("L1", "1")
    assert finding["units"][0]["numbers"] == {"train": 1, "test": 1}


def test_json_to_stdout_leaves_nothing_else_there() -> None:
    result = invoke("bad.csv", "--corpus", "emodb", "--json", "-")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["facts"]["format"] == "csv"
    assert "FAILED: the splits leak (1 of 3 checks: L1 in 1 fold)" in result.stderr


def test_junit_and_markdown_say_the_same_and_an_error_too(tmp_path: Path) -> None:
    files = ("--junit", "a.xml", "--markdown", "a.md", "--json", "a.json")
    result = invoke("bad.csv", "--corpus", "emodb", *files)
    assert result.exit_code == 1
    (suite,) = ET.parse("a.xml").getroot()
    assert (suite.get("name"), suite.get("failures")) == ("serbench audit", "1")
    assert (
        Path("a.md").read_text(encoding="utf-8").startswith("### serbench audit: bad.csv: FAILED")
    )
    result = invoke("nowhere.csv", *files)
    assert result.exit_code == 2
    (suite,) = ET.parse("a.xml").getroot()
    assert suite.get("errors") == "1"
    assert "nowhere.csv: not found" in Path("a.md").read_text(encoding="utf-8")
    assert "nowhere.csv: not found" in json.loads(Path("a.json").read_text())["error"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere.csv",), "nowhere.csv: not found"),
        (("good.csv", "--corpus", "emodbb"), "no dataset is called 'emodbb'; did you mean 'emodb'"),
        (("good.csv", "--corpus", "demo"), "demo knows none of the 4 utterances"),
        (("good.csv", "--data-dir", "nowhere"), "nowhere is not a folder"),
        (("good.csv", "--corpus", "emodb", "--data-dir", "nowhere"), "nowhere"),
        (("good.csv", "--format", "emobox"), "but emobox needs another layout"),
        (("good.csv", "--registry", "nowhere.toml", "-c", "emodb"), "nowhere.toml"),
    ],
)
def test_wrong_input_exits_with_2_and_one_message(arguments: tuple[str, ...], message: str) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert message in result.stderr
    assert result.stderr.startswith("serbench: ")


def test_the_example_of_the_docs_prints_what_the_docs_show(tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "howto-audit.md"
    text = page.read_text(encoding="utf-8")
    (table,) = re.findall(r"^```csv\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (shown,) = re.findall(r"^```\n(Source: .*?)^```$", text, re.MULTILINE | re.DOTALL)
    (tmp_path / "folds.csv").write_text(table)
    assert invoke("folds.csv", "--corpus", "emodb").stdout.split() == shown.split()


def test_progress_of_audio_goes_to_stderr(tmp_path: Path) -> None:
    for number, part in enumerate(("train", "test")):
        (tmp_path / "hf" / part).mkdir(parents=True)
        noise = 0.1 * np.random.default_rng(number).standard_normal(8000)
        soundfile.write(tmp_path / "hf" / part / f"{number}.wav", noise, 16_000)
    result = invoke("hf")
    assert result.exit_code == 0, result.output
    assert "audio: done" in result.stderr
    assert "audio: done" not in result.stdout
