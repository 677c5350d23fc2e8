from __future__ import annotations

import io
import json
import re
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console
from tests_support.run_maker import UNDECLARED, make_run

from serbench.api import StoreError
from serbench.protocol.guard.certificate import TeacherRecord
from serbench.results.report.build import report_texts
from serbench.results.report.results import load_results
from serbench.results.report.write import write_report
from serbench.running.plan.ablation import Ablation, AblationRow
from serbench.studies.ablation.measure import ablation_results
from serbench.studies.ablation.output import addition, render_ablation

SKILL = {
    "akd": 0.72, "hybrid": 0.4, "akd:no-hint": 0.7, "akd:no-gate": 0.2, "teacher:w|base": 0.95,
}  # fmt: skip


def row(name: str, part: str, label: str, method: str = "", **more: object) -> AblationRow:
    fields = {"teacher": False, "changes": (), "same": ""} | more
    return AblationRow(name, part, label, method, **fields)  # pyright: ignore[reportArgumentType]


ROWS = (
    row("teacher", "models", "Teacher", teacher=True),
    row("labels", "models", "Labels alone", "hybrid", changes=("method hybrid",)),
    row("all", "models", "All | of it", "akd"),
    row("no-hint", "terms", "without hint", "akd:no-hint", changes=("loss.lambda_hint = 0.0",)),
    row("no-gate", "terms", "without β & gate", "akd:no-gate", changes=("loss.gate_kl = false",)),
    row("no-w", "terms", "without weights", same="the same as akd with 1 teacher"),
)


def ablate(
    folder: Path,
    rows: tuple[AblationRow, ...] = ROWS,
    skill: dict[str, float] = SKILL,
    teachers: tuple[TeacherRecord, ...] = (UNDECLARED,),
) -> Path:
    """A finished ablation in ``folder``."""
    make_run(folder, skill, teachers=teachers)
    plan = json.loads((folder / "plan.json").read_text())
    titles = {"models": "Models", "terms": "Term by term"}
    parts = {part: titles[part] for part in dict.fromkeys(each.part for each in rows)}
    plan["ablation"] = asdict(Ablation("akd", "akd", "What it is worth", parts, rows))
    (folder / "plan.json").write_text(json.dumps(plan))
    return folder


@pytest.fixture(scope="module")
def run(figure_files: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = ablate(tmp_path_factory.mktemp("runs") / "one")
    write_report([folder], folder, addition)
    return folder


@pytest.fixture(scope="module")
def data(run: Path) -> pd.DataFrame:
    return pd.read_csv(run / "tables" / "ablation.csv", keep_default_na=False, dtype=str).set_index(
        "row"
    )


def test_an_ablation_is_written_in_every_format(run: Path) -> None:
    for name in ("ablation.md", "tables/ablation.md", "tables/ablation.csv", "tables/ablation.tex",
                 "figures/ablation.png"):  # fmt: skip
        assert (run / name).stat().st_size > 100, name
    texts = report_texts(run, addition)
    for name in ("ablation.md", "tables/ablation.csv"):  # what `serbench verify` makes anew
        assert texts[name] == (run / name).read_text()


def test_rows_stand_in_their_parts_in_order(data: pd.DataFrame) -> None:
    assert list(data.index) == [each.name for each in ROWS]
    assert data["part"].tolist() == ["Models"] * 3 + ["Term by term"] * 3
    assert data.loc["teacher", "label"] == "Teacher: w|base"
    assert data.loc["no-hint", "changes"] == "loss.lambda_hint = 0.0"


def test_scores_and_differences_are_those_of_the_comparison(run: Path, data: pd.DataFrame) -> None:
    compared = pd.read_csv(run / "tables" / "comparison.csv", keep_default_na=False, dtype=str)
    compared = compared.set_index("method")
    run_rows = data[data["method"] != ""]
    assert set(run_rows["method"]) == set(SKILL)
    for name in ("wa", "wa_low", "wa_high", "ua", "ua_low", "ua_high", "delta_ua", "delta_ua_low",
                 "delta_ua_high", "verdict", "parameters_min", "parameters_max"):  # fmt: skip
        assert run_rows[name].tolist() == compared.loc[run_rows["method"], name].tolist(), name
    assert data.loc["all", "verdict"] == "reference"
    assert data.loc["no-gate", "verdict"] == "significantly worse"
    assert data.loc["no-hint", "verdict"] == "no significant difference"


def test_a_row_that_was_not_run_has_its_reason_and_no_numbers(
    run: Path, data: pd.DataFrame
) -> None:
    assert data.loc["no-w", "verdict"] == "not run: the same as akd with 1 teacher"
    assert data.loc["no-w", ["method", "ua", "delta_ua", "seeds"]].tolist() == [""] * 4
    line = "| without weights | – | – | – | – | – | not run: the same as akd with 1 teacher |"
    assert line in (run / "tables" / "ablation.md").read_text()


def test_marks_and_certificate_stand_under_it(run: Path) -> None:
    digest = load_results([run]).runs[0].certificate.digest
    for name in ("tables/ablation.md", "tables/ablation.tex"):
        text = (run / name).read_text()
        assert digest in text
        assert "overlap with emodb cannot be excluded" in text
    assert "overlap with emodb cannot be excluded" in (run / "ablation.md").read_text()
    protocols = pd.read_csv(run / "tables" / "ablation.csv")["protocol"].unique().tolist()
    assert protocols == ["speaker-independent"]


def test_the_page_says_what_each_row_changes(run: Path) -> None:
    text = (run / "ablation.md").read_text()
    assert text.startswith("# Ablation of akd on emodb\n\nWhat it is worth\n")
    assert "| Term by term | `no-hint` | without hint | loss.lambda_hint = 0.0 |" in text
    assert r"| Models | `all` | All \| of it | – |" in text


def test_latex_has_no_character_that_it_cannot_set(run: Path) -> None:
    text = (run / "tables" / "ablation.tex").read_text()
    assert r"without $\beta$ \& gate" in text
    assert text.isascii()
    bodies = [line for line in text.splitlines() if line.endswith(r"\\") and "multi" not in line]
    assert {len(re.findall(r"(?<!\\)&", line)) for line in bodies} == {6}


def test_the_full_method_is_shown_where_no_row_is_it(tmp_path: Path) -> None:
    folder = ablate(tmp_path / "run", ROWS[3:4], {"akd": 0.7, "akd:no-hint": 0.6})
    ablation = ablation_results(load_results([folder]))
    assert ablation is not None
    assert list(ablation.parts) == ["Full method", "Term by term"]
    (line,) = ablation.parts["Full method"]
    assert line.result is not None
    assert (line.label, line.result.difference) == ("akd", None)


def test_a_row_of_teachers_has_a_line_for_each_and_one_where_there_is_none(tmp_path: Path) -> None:
    none = ablate(tmp_path / "none", ROWS[:1], {"akd": 0.7})
    two = ablate(tmp_path / "two", ROWS[:1], {"akd": 0.7, "teacher:a": 0.8, "teacher:b": 0.9})
    found = [ablation_results(load_results([folder])) for folder in (none, two)]
    labels = [[line.label for line in each.parts["Models"]] for each in found if each]
    assert labels == [["Teacher"], ["Teacher: a", "Teacher: b"]]
    assert found[0] is not None
    assert found[0].parts["Models"][0].same == "the run has no teacher"


def test_it_fits_a_terminal_of_eighty_columns(run: Path) -> None:
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(render_ablation(run))
    text = console.export_text()
    for shown in ("Term by term", "without weights", "not run", "reference", "worse"):
        assert shown in text
    assert "cannot be excluded" in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 80


def test_a_run_that_is_none_has_none(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    write_report([folder], folder, addition)
    assert not (folder / "ablation.md").exists()
    assert not (folder / "tables" / "ablation.csv").exists()
    with pytest.raises(StoreError, match="is not an ablation; make one with `serbench ablate`"):
        render_ablation(folder)


def test_a_report_over_several_runs_has_none(run: Path, tmp_path: Path) -> None:
    other = make_run(tmp_path / "other", {"kd": 0.5})
    write_report([run, other], tmp_path / "both")
    assert (tmp_path / "both" / "report.md").is_file()
    assert not (tmp_path / "both" / "ablation.md").exists()
