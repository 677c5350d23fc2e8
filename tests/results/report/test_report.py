from __future__ import annotations

import io
import json
import re
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from tests_support.run_maker import FOLDS, LABELS, certificate, make_run

from serbench.api import StoreError
from serbench.results.report import comparison
from serbench.results.report.build import unique_slugs
from serbench.results.report.results import load_results
from serbench.results.report.settings import duration, flatten
from serbench.results.report.write import render_comparison, write_report
from serbench.results.table.formats import parameter_count, signed
from serbench.results.templating import escape_latex, escape_markdown

SKILL = {"akd_v2 & co": 0.9, "kd": 0.4, "teacher:w|base": 0.95}
TABLES = ("comparison", "significance", "folds", "speakers", "settings", "chosen")


@pytest.fixture(scope="module")
def run(figure_files: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_run(tmp_path_factory.mktemp("runs") / "one", SKILL)
    for path in (folder / "fits").glob("*.json"):
        fit = json.loads(path.read_text())
        fit["values"] = {"loss.temperature": 2.0 + fit["outer"]} if fit["method"] == "kd" else {}
        path.write_text(json.dumps(fit))
    assert write_report([folder], folder) == folder / "report.md"
    return folder


def markdown_rows(text: str) -> list[list[str]]:
    """Cells of every row of every Markdown table."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line.removesuffix("|"))[1:]]
        for line in lines
    ]


def test_every_table_comes_in_four_formats_with_the_certificate(run: Path) -> None:
    confusions = ["confusion-akd_v2-co", "confusion-kd", "confusion-teacher-w-base"]
    names = {path.name for path in (run / "tables").iterdir()}
    suffixes = ("md", "csv", "tex", "html")
    made = {f"{name}.{suffix}" for name in (*TABLES, *confusions) for suffix in suffixes}
    assert names == made | {"predictions.csv", "comparison.json"}
    for name in (*TABLES, *confusions):
        for suffix in suffixes:
            assert certificate().digest in (run / "tables" / f"{name}.{suffix}").read_text()


def test_markdown_tables_are_rectangular(run: Path) -> None:
    for path in (run / "tables").glob("*.md"):
        rows = markdown_rows(path.read_text())
        assert len({len(row) for row in rows}) == 1, path.name


def test_the_comparison_says_what_the_numbers_are(run: Path) -> None:
    results = load_results([run])
    akd, kd, teacher = results.comparison.methods
    rows = markdown_rows((run / "tables" / "comparison.md").read_text())
    assert rows[0][8] == "ΔUA to akd_v2 & co"
    assert [row[0] for row in rows[2:]] == [
        "akd_v2 & co",
        "kd",
        "*Teachers, by their own head on the same folds*",
        r"w\|base",
    ]
    ua = akd.pooled["ua"]
    assert rows[2][4] == f"{100 * ua.value:.1f} [{100 * ua.low:.1f}, {100 * ua.high:.1f}]"
    assert rows[2][1:3] == ["hybrid-small", "0.391 M"]
    assert rows[2][9:] == ["–", "reference"]
    assert rows[3][9:] == ["0.023", "significantly worse"]
    assert rows[5][1:3] == ["–", "–"]
    data = pd.read_csv(run / "tables" / "comparison.csv")
    assert data["method"].tolist() == ["akd_v2 & co", "kd", "teacher:w|base"]
    assert data["ua"].tolist() == pytest.approx(
        [each.pooled["ua"].value for each in (akd, kd, teacher)], abs=1e-6
    )
    assert kd.difference is not None
    assert data["delta_ua_low"].tolist()[1] == pytest.approx(kd.difference.low, abs=1e-6)
    assert data["parameters_max"].tolist()[0] == 391_207
    assert "391207.0" not in (run / "tables" / "comparison.csv").read_text()


def test_folds_name_their_units_and_speakers_their_counts(run: Path) -> None:
    folds = markdown_rows((run / "tables" / "folds.md").read_text())
    assert folds[0][0] == "Fold: test speakers"
    assert [row[0] for row in folds[2:-1]] == [
        f"{number}: {', '.join(units)}" for number, units in enumerate(FOLDS, start=1)
    ]
    assert folds[-1][:2] == ["mean ± sd", "160"]
    speakers = markdown_rows((run / "tables" / "speakers.md").read_text())
    assert [row[0] for row in speakers[2:-1]] == [unit for units in FOLDS for unit in units]
    lowest = min(float(row[3]) for row in speakers[2:-1])
    assert speakers[-1] == ["lowest", "", speakers[-1][2], f"{lowest:.1f}", speakers[-1][4]]


def test_of_many_units_a_fold_names_the_first_and_the_file_has_all(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "SHOWN_UNITS", 1)
    table = comparison.folds_table(load_results([run]))
    assert table.sections[0].rows[0][0].text == "1: 03 and 1 more"
    assert table.records[0]["test_units"] == "03, 08"


def test_confusions_hold_every_utterance_and_its_recall(run: Path) -> None:
    rows = markdown_rows((run / "tables" / "confusion-kd.md").read_text())
    assert rows[0] == ["True", *LABELS, "Recall"]
    counts = [[int(cell) for cell in row[1:-1]] for row in rows[2:]]
    assert sum(map(sum, counts)) == 160
    for place, row in enumerate(counts):
        assert float(rows[2 + place][-1]) == pytest.approx(100 * row[place] / sum(row), abs=0.06)
    data = pd.read_csv(run / "tables" / "confusion-kd.csv")
    assert data[list(LABELS)].to_numpy().tolist() == counts


def test_the_report_holds_what_a_reviewer_asks_for(run: Path) -> None:
    text = (run / "report.md").read_text()
    assert text.startswith("# emodb: akd_v2 & co, kd\n")
    assert "160 utterances, 8 speakers, 5 classes · profile standard · 4 outer folds" in text
    assert "serbench run akd_v2 & co kd --dataset emodb --profile standard\n" in text
    assert "| kd | 0 | loss.temperature 3.0 | loss.temperature 4.0 |" in text
    assert "| training.learning_rate | 0.001 | ″ |" in text
    assert "| Wall time | 1 h 02 min |" in text
    assert "| L10 | better than chance on permuted labels | passed |" in text
    assert re.search(
        r"- kd reaches .*, significantly worse than akd_v2 & co by \d+\.\d points \(p", text
    )
    for picture in re.findall(r"!\[[^]]*\]\(([^)]+)\)", text):
        assert (run / picture).is_file()
    assert "\n\n\n" not in text


def png_size(content: bytes) -> tuple[int, int]:
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", content[16:24])
    return width, height


def test_the_latex_comparison_fits_a_column(run: Path, tmp_path: Path) -> None:
    text = (run / "tables" / "comparison.tex").read_text()
    assert r"Method & UA & $\Delta$UA to akd\_v2 \& co & p \\" in text
    assert "\\begin{table}" in text
    assert "resizebox" not in text
    write_report([run], tmp_path / "own", columns=("wa", "f1"))
    text = (tmp_path / "own" / "tables" / "comparison-columns.tex").read_text()
    assert r"Method & WA & Macro-F1 \\" in text
    assert latex_problems(text) == []
    wide = (tmp_path / "own" / "tables" / "comparison.tex").read_text()
    assert wide == (run / "tables" / "comparison.tex").read_text()
    for names, said in ((("mae",), "--columns mae: there is no such column"), ((), "no column")):
        with pytest.raises(StoreError, match=said):
            write_report([run], tmp_path / "own", columns=names)


def test_figures_are_pngs_large_enough_to_read(run: Path) -> None:
    names = {path.stem for path in (run / "figures").iterdir()}
    confusions = {f"confusion-{name}" for name in ("akd_v2-co", "kd", "teacher-w-base")}
    assert names == {"ua", "flops", *confusions}
    assert {path.suffix for path in (run / "figures").iterdir()} == {".png", ".pdf", ".svg"}
    for path in (run / "figures").glob("*.png"):
        assert min(png_size(path.read_bytes())) >= 400


def latex_problems(text: str) -> list[str]:
    """What would stop LaTeX: unbalanced braces and environments, bare specials, ragged rows."""
    problems = []
    body = re.sub(r"(?<!\\)%.*|\\label\{[\w:.-]+\}", "", text.replace("@{}", ""))
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", body):
        depth += 1 if brace == "{" else -1
        if depth < 0:
            problems.append("a brace closes too early")
    if depth:
        problems.append(f"{depth} braces stay open")
    stack: list[str] = []
    for verb, name in re.findall(r"\\(begin|end)\{(\w+)\}", body):
        if verb == "begin":
            stack.append(name)
        elif not stack or stack.pop() != name:
            problems.append(f"{name} ends where it was not begun")
    problems += [f"{name} is not ended" for name in stack]
    problems += [f"bare {bare}" for bare in re.findall(r"(?<!\\)[#_^~]", body)]
    problems += [f"not ASCII: {each}" for each in re.findall(r"[^\x00-\x7f]", body)]
    grid = re.search(r"\\begin\{tabular\}\{(\w+)\}(.*)\\end\{tabular\}", body, re.DOTALL)
    assert grid
    rules = r"\\(toprule|midrule|bottomrule)"
    for row in re.sub(rules, "", grid[2]).split(r"\\"):
        cells = len(re.findall(r"(?<!\\)&", row)) + 1
        if row.strip() and "multicolumn" not in row and cells != len(grid[1]):
            problems.append(f"{cells} cells in {len(grid[1])} columns: {row.strip()}")
    return problems


def test_latex_tables_would_compile(run: Path) -> None:
    for path in (run / "tables").glob("*.tex"):
        text = path.read_text()
        assert latex_problems(text) == [], path.name
        assert all(rule in text for rule in (r"\toprule", r"\midrule", r"\bottomrule"))
    text = (run / "tables" / "comparison.tex").read_text()
    assert r"akd\_v2 \& co & " in text
    assert r"w\textbar{}base" in text


def test_latex_tables_compile(run: Path, tmp_path: Path) -> None:
    latex = shutil.which("pdflatex")
    if latex is None:
        pytest.skip("pdflatex is not installed")
    tables = sorted((run / "tables").glob("*.tex"))
    body = "\n".join(f"\\input{{{path}}}\\clearpage" for path in tables)
    (tmp_path / "all.tex").write_text(
        "\\documentclass{article}\\usepackage{booktabs,graphicx}"
        f"\\begin{{document}}{body}\\end{{document}}"
    )
    made = subprocess.run(
        [latex, "-interaction=nonstopmode", "-halt-on-error", "all.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout[-2000:]
    assert "Missing character" not in made.stdout
    assert (tmp_path / "all.pdf").stat().st_size > 10_000


def test_every_number_of_the_comparison_follows_from_the_predictions(run: Path) -> None:
    """By pandas alone: what a reader can do with the two CSV files."""
    rows = pd.read_csv(run / "tables" / "predictions.csv")
    assert set(rows["certificate"]) == {certificate().digest}
    assert {"method", "seed", "outer", "utterance", "speaker"} < set(rows.columns)
    rows["right"] = rows["label"] == rows["predicted"]
    shown_numbers = pd.read_csv(run / "tables" / "comparison.csv").set_index("method")
    for method, own in rows.groupby("method"):
        line = shown_numbers.loc[method]
        assert line["wa"] == pytest.approx(own["right"].mean(), abs=1e-6)
        ua = own.groupby("label")["right"].mean().mean()
        assert line["ua"] == pytest.approx(ua, abs=1e-6)
        folds = [fold.groupby("label")["right"].mean().mean() for _, fold in own.groupby("outer")]
        assert line["ua_fold_mean"] == pytest.approx(np.mean(folds), abs=1e-6)
        assert line["ua_fold_sd"] == pytest.approx(np.std(folds, ddof=1), abs=1e-6)
        reference = rows[rows["method"] == "akd_v2 & co"].groupby("label")["right"].mean().mean()
        if method != "akd_v2 & co":
            assert line["delta_ua"] == pytest.approx(ua - reference, abs=1e-6)


def test_html_tables_are_whole_and_escaped(run: Path) -> None:
    for path in (run / "tables").glob("*.html"):
        text = path.read_text()
        rows = [
            re.findall(r"<t[hd]\b", row) for row in re.findall(r"<tr>.*?</tr>", text, re.DOTALL)
        ]
        widths = {len(row) for row in rows if len(row) > 1}
        assert len(widths) == 1, path.name
        assert text.count("<table ") == text.count("</table>") == 1
        assert '<meta charset="utf-8">' in text
        assert "& co" not in text
    text = (run / "tables" / "comparison.html").read_text()
    assert "akd_v2 &amp; co" in text
    assert '<th scope="row">kd</th>' in text


def test_the_tests_of_a_difference_stand_in_a_table(run: Path) -> None:
    rows = markdown_rows((run / "tables" / "significance.md").read_text())
    assert [row[0] for row in rows[2:]] == ["kd", r"w\|base (teacher)"]
    data = pd.read_csv(run / "tables" / "significance.csv").set_index("method")
    found = load_results([run]).comparison.methods[1].difference
    assert found is not None
    assert found.significance is not None
    line = data.loc["kd"]
    assert line["p_holm"] == pytest.approx(found.significance.p_holm, abs=1e-6)
    assert line["speakers_better"] + line["speakers_worse"] <= 8
    assert bool(line["exact"])
    text = (run / "tables" / "significance.md").read_text()
    assert "corrected for 2 comparisons (Holm)" in text
    assert "for methods trained again on other speakers, by Nadeau and Bengio's" in text
    assert "p (speakers): for these trained models on unseen speakers" in text
    assert line["p"] == pytest.approx(found.significance.folds.p, abs=1e-6)  # pyright: ignore[reportOptionalMemberAccess]
    assert line["p_speakers"] == pytest.approx(found.significance.speakers.p, abs=1e-6)


@pytest.mark.parametrize(
    "broken",
    [
        r"\begin{tabular}{lr}a & b & c \\\end{tabular}",
        r"\begin{tabular}{lr}a_b & c \\\end{tabular}",
        r"\begin{tabular}{lr}{a & c \\\end{tabular}",
        r"\begin{table}\begin{tabular}{lr}a & c \\\end{tabular}",
    ],
)
def test_the_latex_check_finds_faults(broken: str) -> None:
    assert latex_problems(broken)


@settings(max_examples=40)
@given(st.text(alphabet="ab\\&%$#_{}~^<>|[]±−Δχ⁶√→–…“”≤ ", max_size=20))
def test_any_text_is_escaped_for_latex_and_markdown(text: str) -> None:
    table = rf"\begin{{tabular}}{{l}}x{escape_latex(text)}\\\end{{tabular}}"
    assert latex_problems(table) == []
    cell = escape_markdown(text)
    assert not re.search(r"(?<!\\)(\\\\)*[|*`<>]", cell.replace("\\\\", ""))


def typeset(folder: Path, *tables: Path) -> str:
    """What pdflatex prints of a two-column document with the tables."""
    body = "".join(rf"\input{{{path}}}\clearpage " for path in tables)
    text = (
        r"\documentclass[twocolumn]{article}\usepackage[T1]{fontenc}"
        rf"\usepackage{{booktabs,graphicx}}\begin{{document}}{body}"
        rf"{escape_latex('χ² 10⁶ λ √ →')}\end{{document}}"
    )
    (folder / "t.tex").write_text(text, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    return done.stdout


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex is not installed")
def test_latex_sets_every_table_and_the_comparison_fits(run: Path, tmp_path: Path) -> None:
    typeset(tmp_path, *sorted(run.glob("tables/*.tex")))
    assert "Overfull" not in typeset(tmp_path, run / "tables" / "comparison.tex")


def test_rendering_anew_changes_nothing(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "one")
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    write_report([copy], copy)
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before


def shown(*folders: Path, width: int = 80) -> str:
    written = io.StringIO()
    Console(width=width, file=written).print(render_comparison(*folders))
    return written.getvalue()


def test_the_terminal_table_fits_eighty_columns(run: Path) -> None:
    text = shown(run)
    assert max(map(len, text.splitlines())) <= 80
    for word in ("akd_v2 & co", "w|base", "reference", "worse", certificate().digest[:12]):
        assert word in text
    akd = load_results([run]).comparison.methods[0].pooled["ua"]
    assert f"{100 * akd.value:.1f}" in text
    assert f"{100 * akd.low:.1f}–{100 * akd.high:.1f}" in text


def test_runs_over_the_same_folds_stand_in_one_table(tmp_path: Path) -> None:
    one = make_run(tmp_path / "one", {"akd": 0.9, "kd": 0.6, "teacher:w": 0.9})
    two = make_run(tmp_path / "two", {"akd": 0.9, "hybrid": 0.3, "teacher:w": 0.9})
    results = load_results([one, two])
    assert [result.method for result in results.comparison.methods] == [
        "akd (one)",
        "kd",
        "akd (two)",
        "hybrid",
        "teacher:w (one)",
        "teacher:w (two)",
    ]
    assert write_report([one, two], tmp_path / "both").is_file()
    text = (tmp_path / "both" / "report.md").read_text()
    assert text.count("serbench run ") == 2
    with pytest.raises(StoreError, match="is the folder of a run"):
        write_report([one, two], two)


def test_a_teacher_that_predicts_the_same_in_two_runs_is_listed_once(tmp_path: Path) -> None:
    one = make_run(tmp_path / "a" / "run", {"akd": 0.9, "teacher:w": 1.0})
    two = make_run(tmp_path / "b" / "run", {"akd": 0.9, "teacher:w": 1.0})
    names = [result.method for result in load_results([one, two]).comparison.methods]
    assert names == [f"akd ({one})", f"akd ({two})", "teacher:w"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"folds_digest": "e" * 64}, "folds digest differs"),
        ({"dataset": {"corpus_digest": "f" * 64}}, "corpus digest differs"),
    ],
)
def test_runs_that_cannot_be_compared_are_refused(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    one = make_run(tmp_path / "one", {"akd": 0.9})
    two = make_run(tmp_path / "two", {"kd": 0.9})
    path = two / "plan.json"
    plan = json.loads(path.read_text())
    for key, value in change.items():
        plan[key] = plan[key] | value if isinstance(value, dict) else value
    path.write_text(json.dumps(plan))
    with pytest.raises(StoreError, match=f"one and two cannot be in one table: their {message}"):
        load_results([one, two])


def test_a_changed_certificate_is_refused(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "one", {"akd": 0.9})
    path = folder / "certificate.json"
    path.write_text(path.read_text().replace('"utterances": 160', '"utterances": 161'))
    with pytest.raises(StoreError, match=r"certificate\.json was changed"):
        load_results([folder])


def test_a_run_without_a_planned_method_is_not_reported(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "one", {"akd": 0.9, "kd": 0.5})
    path = folder / "predictions.parquet"
    rows = pd.read_parquet(path)
    rows[rows["method"] != "kd"].to_parquet(path)
    with pytest.raises(StoreError, match="no predictions of kd; finish it with the same command"):
        write_report([folder], folder)


def test_seeds_are_said_where_there_are_several(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "one", {"akd": 0.9, "kd": 0.5}, seeds=2)
    text = " ".join(shown(folder, width=200).split())
    assert "Each utterance counts once for each of 2 seeds." in text
    assert load_results([folder]).comparison.methods[0].confusion.sum() == 320


def test_small_words() -> None:
    assert [duration(value) for value in (4.23, 59.94, 185, 3725, 7199)] == [
        "4.2 s",
        "59.9 s",
        "3 min 05 s",
        "1 h 02 min",
        "2 h 00 min",
    ]
    assert [signed(value) for value in (0.0123, -0.0123, -0.0001, 0.0)] == [
        "+1.2",
        "−1.2",
        "0.0",
        "0.0",
    ]
    assert parameter_count((623, 623)) == "623"
    assert parameter_count((623, 1_400)) == "0.000623–0.0014 M"
    assert parameter_count((391_207, 391_207)) == "0.391 M"
    assert parameter_count((391_207, 1_400_000)) == "0.391–1.4 M"
    assert unique_slugs(["teacher:x", "teacher-x", "…"]) == {
        "teacher:x": "teacher-x",
        "teacher-x": "teacher-x-2",
        "…": "method",
    }
    assert dict(flatten({"a": {"b": [1, "x"], "c": None}, "d": "t"})) == {
        "a.b": "1, x",
        "a.c": "null",
        "d": "t",
    }
