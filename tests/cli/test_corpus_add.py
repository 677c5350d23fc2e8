from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from tests_support.surveyed import write_tones
from typer.testing import CliRunner

from serbench.cli import app

SAID = ("--language", "none", "--licence", "mine", "--elicitation", "synthetic", "--yes")


def invoke(*arguments: str, asked: str | None = None) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["corpus", "add", *arguments], input=asked)
    return result.exit_code, result.output


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SERBENCH_CACHE", str(tmp_path / "cache"))
    write_tones(tmp_path / "Our Tones")
    return tmp_path


def datasets(folder: Path, name: str = "serbench.toml") -> dict[str, dict]:
    return tomllib.loads((folder / name).read_text())["datasets"]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard input of the runner says that it is a terminal."""
    monkeypatch.setattr("serbench.cli.corpus_add.on_terminal", lambda: True)


def test_a_folder_becomes_a_dataset_that_can_be_checked(here: Path) -> None:
    code, text = invoke("Our Tones", *SAID)
    assert code == 0, text
    for told in ("Speakers by emotions", "ann_ang_s1_1.wav  ann", "corpus check our-tones"):
        assert told in text
    entry = datasets(here)["our-tones"]
    assert entry["path"] == str(here / "Our Tones")
    assert entry["params"]["card"]["per_label"] == {"anger": 12, "neutral": 12}
    result = CliRunner().invoke(app, ["corpus", "check", "our-tones"])
    assert result.exit_code == 0, result.output


def test_a_second_one_is_appended_and_the_first_one_refused(here: Path) -> None:
    assert invoke("Our Tones", *SAID)[0] == 0
    before = (here / "serbench.toml").read_text()
    code, text = invoke("Our Tones", *SAID)
    assert code == 2
    assert "a dataset 'our-tones' already exists" in text
    assert (here / "serbench.toml").read_text() == before
    assert invoke("Our Tones", "--name", "again", *SAID)[0] == 0
    assert (here / "serbench.toml").read_text().startswith(before)


def test_everything_that_is_missing_is_one_message(here: Path) -> None:
    (here / "Our Tones" / "odd one.wav").touch()
    code, text = invoke("Our Tones", "--licence", "mine")
    assert code == 2
    assert "names that do not fit (1): odd one.wav" in text
    assert "give --language, --elicitation" in text
    assert not (here / "serbench.toml").exists()
    code, text = invoke("Our Tones", *SAID[:-1])
    assert "move these files elsewhere" in text
    code, text = invoke("Our Tones", "--ignore", "odd.*", *SAID[:-1])
    assert code == 2
    assert "add --yes" in text
    assert invoke("Our Tones", "--ignore", "odd.*", *SAID)[0] == 0
    assert datasets(here)["our-tones"]["params"]["ignore"] == "odd.*"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere",), "is not a folder"),
        (("Our Tones", "--label", "ang"), "write --label OLD=NEW"),
        (("Our Tones", "--pattern", "(", *SAID), "is not a regular expression"),
        (("Our Tones", "--pattern", "x", *SAID), "has no group (?P<emotion>"),
        (("Our Tones", "--ignore", "(", *SAID), "is not a regular expression"),
        (("Our Tones", "--elicitation", "loud", *SAID[:4], "--yes"), "must be one of acted"),
        (
            ("Our Tones", "--label", "zzz=anger", *SAID),
            "cannot determine which part of the names is the emotion",
        ),
    ],
)
def test_what_is_wrong_is_said(here: Path, arguments: tuple[str, ...], message: str) -> None:
    code, text = invoke(*arguments)
    assert code == 2
    assert message in " ".join(text.split())
    assert "Traceback" not in text
    assert not (here / "serbench.toml").exists()


def test_a_pattern_and_templates_of_ones_own(here: Path) -> None:
    pattern = r"(?P<who>[a-z]+)_(?P<emotion>ang|neu)_(?P<said>s\d)_\d\.wav"
    arguments = (
        "--pattern",
        pattern,
        "--speaker",
        "{who}",
        "--text",
        "{said}",
        "--label",
        "neu=calm",
    )
    code, text = invoke("Our Tones", *arguments, "--output", "own.toml", *SAID)
    assert code == 0, text
    assert "corpus check our-tones --registry own.toml" in text
    entry = datasets(here, "own.toml")["our-tones"]["params"]
    assert entry["labels"] == {"ang": "anger", "neu": "calm"}
    assert (entry["pattern"], entry["speaker"], entry["text"]) == (pattern, "{who}", "{said}")


@pytest.mark.usefixtures("terminal")
def test_a_user_agrees(here: Path) -> None:
    code, text = invoke("Our Tones", asked="\n\nItalian\n\n\n")
    assert code == 0, text
    card = datasets(here)["our-tones"]["params"]["card"]
    assert (card["title"], card["language"]) == ("Our Tones", "Italian")
    assert (card["licence"], card["elicitation"]) == ("unknown", "acted")


@pytest.mark.usefixtures("terminal")
def test_a_user_corrects(here: Path) -> None:
    pattern = r"(?P<speaker>[a-z]+)_(?P<emotion>[a-z]+)_(?P<text>s\d)_(?P<take>\d)\.wav"
    answers = ["n", pattern, "", "calm", "", "-", "y", "Tones", "none", "", "synthetic"]
    code, text = invoke("Our Tones", asked="\n".join([*answers, ""]))
    assert code == 0, text
    params = datasets(here)["our-tones"]["params"]
    assert params["labels"] == {"ang": "anger", "neu": "calm"}
    assert "text" not in params


@pytest.mark.usefixtures("terminal")
def test_a_user_tells_what_numbers_mean_and_who_speaks(here: Path) -> None:
    folder = here / "coded"
    folder.mkdir()
    for emotion in (1, 2, 3):
        for take in range(4):
            (folder / f"{emotion}-{take}.wav").touch()
    (folder / "odd one.wav").touch()
    answers = ["nothing", "part1", "anger", "sadness", "-", "ann", "y", "", "", "none", "", "acted"]
    code, text = invoke("coded", asked="\n".join([*answers, ""]))
    assert code == 0, text
    assert "Choose one of part1, part2" in text
    params = datasets(here)["coded"]["params"]
    assert params["labels"] == {"1": "anger", "2": "sadness"}
    assert params["drop"] == ["3"]
    assert params["speaker"] == "ann"
    assert params["ignore"] == r"odd\ one\.wav"


@pytest.mark.usefixtures("terminal")
def test_names_that_fit_nothing_end_it(here: Path) -> None:
    (here / "Our Tones" / "odd one.wav").touch()
    code, text = invoke("Our Tones", asked="n\n")
    assert code == 2
    assert "names that do not fit (1): odd one.wav" in text


@pytest.fixture
def ambiguous(here: Path) -> Path:
    """Sentence and speaker in numbers, in folders of classes."""
    folder = here / "numbers"
    for emotion in ("angry", "sad"):
        (folder / emotion).mkdir(parents=True)
        for sentence in (1, 2, 3):
            for speaker in (1, 2, 3, 4):
                (folder / emotion / f"x-{sentence:02}-{speaker:02}.wav").touch()
    return folder


def test_yes_does_not_choose_among_parts_that_could_be_who_speaks(ambiguous: Path) -> None:
    code, text = invoke("numbers", *SAID)
    assert code == 2
    said = " ".join(text.split())
    assert "several parts of the names could be the speaker: {part1}: 3 values of 8 files" in said
    assert "{part2}: 4 values of 6 files (01, 02, 03 and 1 more); choose one with --speaker" in said
    assert not Path("serbench.toml").exists()
    code, text = invoke("numbers", "--speaker", "{part2}", *SAID)
    assert code == 0, text
    entry = datasets(ambiguous.parent)["numbers"]
    assert list(entry["params"]["card"]["per_speaker"]) == ["01", "02", "03", "04"]


@pytest.mark.usefixtures("terminal", "ambiguous")
def test_a_user_is_shown_the_parts_that_could_be_who_speaks(here: Path) -> None:
    answers = ["{part2}", "y", "", "none", "", "acted"]
    code, text = invoke("numbers", asked="\n".join([*answers, ""]))
    assert code == 0, text
    assert "{part1}: 3 values of 8 files (01, 02, 03)" in text
    assert datasets(here)["numbers"]["params"]["speaker"] == "{part2}"


def test_names_of_a_known_corpus_are_pointed_out(here: Path) -> None:
    folder = here / "berlin"
    folder.mkdir()
    for name in ("03a01Fa", "03a01Wa", "08a01Fa", "08a01Wa"):
        (folder / f"{name}.wav").touch()
    _, text = invoke("berlin", *SAID)
    assert "These are names of emodb, which serbench knows" in text
