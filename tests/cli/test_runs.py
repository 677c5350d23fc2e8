from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests_support.run_maker import make_run
from typer.testing import CliRunner

from serbench.cli import app

TABLE = "method,ua,ua_low,ua_high\nakd,0.812,0.7,0.9\nvanilla-kd,0.7,0.6,0.8\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("here")
    scored = make_run(root / "runs" / "scored", {"akd": 0.9, "vanilla-kd": 0.5})
    (scored / "tables").mkdir()
    (scored / "tables" / "comparison.csv").write_text(TABLE)
    make_run(root / "runs" / "sweep" / "bare", {"akd": 0.4})
    make_run(root / "runs" / "leaky", {"akd": 0.9}, protocol="leaky-random")
    begun = make_run(root / "runs" / "begun", {"akd": 0.9})
    (begun / "timing.json").unlink()
    (make_run(root / "runs" / "broken", {"akd": 0.9}) / "plan.json").write_text("{")
    return root


@pytest.fixture
def here(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(made)
    return made


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["runs", *arguments])
    return result.exit_code, result.output


def rows(text: str) -> dict[str, list[str]]:
    """Cells of the plain table by the name of the run."""
    lines = text.split("\n\n", maxsplit=1)[0].splitlines()[2:]
    cells = [[cell for cell in line.split("  ") if cell.strip()] for line in lines]
    return {line[0]: [cell.strip() for cell in line[1:]] for line in cells}


def test_runs_are_listed_with_their_state(here: Path) -> None:
    code, text = invoke("--sort", "name")
    assert code == 0, text
    assert text.startswith("# 5 runs; UA in %\n")
    found = rows(text)
    assert list(found) == ["begun", "broken", "leaky", "scored", "sweep/bare"]
    assert found["scored"][:7] == [
        "emodb", "akd, vanilla-kd", "standard", "1", "finished", "81.2", "akd",
    ]  # fmt: skip
    assert found["begun"][4] == "unfinished: 0 of 4 students"
    assert found["leaky"][4] == "finished, leaky-random"
    assert found["broken"][4].startswith("damaged: plan.json: line 1, column 2")
    assert "leaky, sweep/bare: no UA without tables; `serbench report RUN` writes them." in text
    assert "do not compare its UA" in text


def test_filters_reach_the_list(here: Path) -> None:
    code, text = invoke("--method", "vanilla-kd", "--min-ua", "70", "--finished")
    assert code == 0
    assert text.startswith("# 1 of 5 runs")
    assert rows(text)["scored"][5:7] == ["70.0", "vanilla-kd"]
    assert set(rows(invoke("--unfinished")[1])) == {"begun", "broken"}


def test_nothing_that_fits_says_what_there_is(here: Path, tmp_path: Path) -> None:
    code, text = invoke("--dataset", "ravdess")
    assert code == 0
    assert "None of the 5 runs in runs matches. datasets: emodb; methods: akd, vanilla-kd" in text
    code, text = invoke("--runs", str(tmp_path))
    assert (code, text.startswith("No run is in ")) == (0, True)


def test_json_is_for_machines(here: Path) -> None:
    code, text = invoke("--json", "--sort", "ua")
    assert code == 0
    found = json.loads(text)
    assert found[0]["name"] == "scored"
    assert found[0]["ua"]["akd"] == {"value": 0.812, "low": 0.7, "high": 0.9}
    assert Path(found[0]["folder"], "plan.json").is_file()
    assert {entry["name"]: entry["state"] for entry in found}["broken"] == "damaged"
    assert json.loads(invoke("--json", "--dataset", "ravdess")[1]) == []


def test_two_runs_are_compared(here: Path) -> None:
    code, text = invoke("--compare", "scored", "sweep/bare")
    assert code == 0, text
    assert "First: scored\nSecond: bare\n" in text
    assert "Corpus and folds: no difference" in text
    assert "Settings: no difference" in text
    akd = next(line for line in text.splitlines() if line.startswith("akd "))
    assert akd.endswith("worse")
    assert "only in the first" in text
    assert "by Nadeau and Bengio's corrected t test over" in " ".join(text.split())
    code, text = invoke("--compare", "scored", "sweep/bare", "--json")
    found = json.loads(text)
    assert (found["runs"], found["refused"]) == (["scored", "bare"], "")
    assert {pair["method"]: pair["verdict"] for pair in found["methods"]} == {
        "akd": "significantly worse",
        "vanilla-kd": "only in the first",
    }
    assert found["methods"][0]["difference"] < 0


def test_runs_that_cannot_be_compared_say_why(here: Path) -> None:
    code, text = invoke("--compare", "scored", "begun")
    assert code == 0
    assert "UA is not compared: " in text
    assert "methods  akd, vanilla-kd  akd" in text
    code, text = invoke("--compare", "scored", "leaky")
    assert code == 0
    assert "UA is not compared: leaky runs cannot be combined" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--runs", "nowhere"), "the folder nowhere does not exist"),
        (("--min-ua", "0.7"), "give 70 for 70 %"),
        (("--compare", "scored", "scred"), "did you mean scored?"),
        (("--compare", "scored", "scored"), "are the same run"),
        (("--compare", "scored", "broken"), "plan.json is damaged"),
        (
            ("--compare", "scored", "leaky", "--method", "akd"),
            "takes two runs; leave the filters out",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_message(
    here: Path, arguments: tuple[str, ...], message: str
) -> None:
    code, text = invoke(*arguments)
    assert code == 2
    assert message in text
    assert "Traceback" not in text


def test_help_teaches_by_example() -> None:
    code, text = invoke("--help")
    assert code == 0
    assert "serbench runs --compare" in text
