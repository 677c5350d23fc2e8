from __future__ import annotations

import io
import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from tests_support.corpora import change_plan, digest, make_corpus_run

from serbench.api import StoreError
from serbench.results.compare.ranks import Ranks, rank_methods
from serbench.results.figure.figure import Diagram
from serbench.results.figure.layout import WIDTH_IN, Layout, laid_out
from serbench.results.figure.png import drawn, png
from serbench.results.report import ranks_output
from serbench.results.report.ranks import load_ranking, span_corpora
from serbench.results.report.ranks_output import ranks_figure, ranks_table, write_ranked_report
from serbench.results.report.results import load_results
from serbench.results.table.console import console_table

SKILLS = {"akd": 0.9, "kd": 0.6, "plain": 0.3}
TEACHER = {"teacher:w": 0.95}
CORPORA = ("one", "two", "three", "four")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three methods on four corpora, always in the same order; a fourth on two of them."""
    root = tmp_path_factory.mktemp("runs")
    extra = {"one": {"mha": 0.5}, "three": {"mha": 0.5}}
    return [
        make_corpus_run(root / corpus, corpus, {**SKILLS, **extra.get(corpus, {}), **TEACHER})
        for corpus in CORPORA
    ]


@pytest.fixture(scope="module")
def written(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ranked_report(runs[:2], tmp_path_factory.mktemp("out") / "ranks")[0].parent


def test_ranks_are_those_of_pooled_ua(runs: list[Path]) -> None:
    ranking = load_ranking(runs)
    ranks = ranking.ranks
    assert ranks is not None
    assert ranks.corpora == CORPORA
    assert ranks.methods == ("akd", "kd", "plain")
    assert ranks.average.tolist() == [1.0, 2.0, 3.0]
    assert ranks.friedman.p == pytest.approx(6 / 6**4)
    for row, folder in enumerate(runs):
        compared = load_results([folder]).comparison
        pooled = {each.method: each.pooled["ua"].value for each in compared.methods}
        assert ranks.scores[row].tolist() == [pooled[method] for method in ranks.methods]
    assert ranks.groups == (("akd", "kd"), ("kd", "plain"))


def test_methods_that_are_not_on_every_corpus_are_named(runs: list[Path]) -> None:
    ranking = load_ranking(runs)
    assert [(each.method, each.reason) for each in ranking.left_out] == [
        ("mha", "not run on two, four")
    ]
    table = ranks_table(ranking)
    assert "Left out of the ranks: mha (not run on two, four)." in table.notes
    assert table.sections[1].heading == "Left out of the ranks"
    row = [cell.text for cell in table.sections[1].rows[0]]
    assert row[0] == "mha"
    assert (row[2], row[4], row[5]) == ("–", "–", "–")
    assert float(row[1]) > 0


def test_a_method_in_two_runs_of_a_corpus_is_left_out(tmp_path: Path) -> None:
    folders = [
        make_corpus_run(tmp_path / "a", "one", SKILLS),
        make_corpus_run(tmp_path / "b", "one", {"akd": 0.8}),
        make_corpus_run(tmp_path / "c", "two", SKILLS),
    ]
    ranking = load_ranking(folders)
    assert [(each.method, each.reason) for each in ranking.left_out] == [
        ("akd", "in several runs of one")
    ]
    assert ranking.ranks is not None
    assert ranking.ranks.methods == ("kd", "plain")
    assert " / " in ranks_table(ranking).sections[1].rows[0][1].text


def test_the_table_shows_scores_ranks_and_groups(runs: list[Path]) -> None:
    ranking = load_ranking(runs)
    table = ranks_table(ranking)
    assert table.columns == ("Method", *CORPORA, "Average rank", "Group")
    best = [cell.text for cell in table.sections[0].rows[0]]
    assert (best[0], best[-2], best[-1]) == ("akd", "1.00", "a")
    assert all(cell.endswith(" (1)") for cell in best[1:-2])
    assert [row[-1].text for row in table.sections[0].rows] == ["a", "a b", "b"]
    notes = " ".join(table.notes)
    assert "(exact): p = 0.005, the methods differ." in notes
    assert "F(2, 6) = ∞, p < 0.001" in notes
    assert "average ranks differ if they are at least 1.66 apart" in notes
    assert list(table.records[0])[:4] == ["protocol", "method", "corpus", "ua"]
    assert len(table.records) == 3 * 4


def test_two_corpora_are_said_to_prove_nothing(runs: list[Path]) -> None:
    notes = " ".join(ranks_table(load_ranking(runs[:2])).notes)
    assert "p = 0.17, no significant difference" in notes
    assert "With 2 corpora p is at least 0.17: too few to show a difference." in notes
    assert "not used because Friedman's finds no difference" in notes


def test_everything_is_written(written: Path, runs: list[Path]) -> None:
    names = {path.name for path in written.iterdir()}
    assert names == {
        *(f"ranks.{suffix}" for suffix in ("md", "csv", "tex", "html", "png")),
        *(f"corpus-{corpus}" for corpus in CORPORA[:2]),
    }
    text = (written / "ranks.md").read_text()
    for folder, corpus in zip(runs[:2], CORPORA, strict=False):
        held = json.loads((folder / "certificate.json").read_text())["digest"]
        assert held in text
        assert held in (written / "ranks.tex").read_text()
        assert (written / f"corpus-{corpus}" / "tables" / "comparison.md").is_file()
        assert f"[{corpus}](corpus-{corpus}/report.md)" in text
    assert "](ranks.png)" in text
    data = pd.read_csv(written / "ranks.csv")
    assert data.groupby("method")["average_rank"].first().to_dict() == {
        "akd": 1.0,
        "kd": 2.0,
        "plain": 3.0,
    }


def test_the_same_runs_give_the_same_files(
    written: Path, runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(ranks_output, "write_report", lambda *each: asked.append(each))
    again = write_ranked_report(runs[:2], tmp_path / "again")[0].parent
    assert asked == [
        ([folder], again / f"corpus-{corpus}")
        for folder, corpus in zip(runs[:2], CORPORA, strict=False)
    ]
    for path in written.iterdir():
        if path.is_file():
            assert (again / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_terminal_shows_the_ranks(runs: list[Path]) -> None:
    written = io.StringIO()
    Console(width=110, file=written).print(console_table(ranks_table(load_ranking(runs))))
    text = " ".join(written.getvalue().split())
    assert "Average rank Group" in text
    assert "Left out of the ranks: mha (not run on two, four)." in text


def test_a_leaky_run_is_refused(runs: list[Path], tmp_path: Path) -> None:
    leaky = make_corpus_run(tmp_path / "bad", "five", SKILLS, protocol="leaky-normaliser")
    with pytest.raises(StoreError, match=r"cannot be ranked: bad \(protocol leaky-normaliser\)"):
        write_ranked_report([runs[0], leaky], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_corpus_counts_once(runs: list[Path], tmp_path: Path) -> None:
    other = make_corpus_run(tmp_path / "x", "one", SKILLS, folds="loso")
    with pytest.raises(StoreError, match="their folds digest differs"):
        load_ranking([runs[0], other])
    part = make_corpus_run(tmp_path / "z", "one-limit-100", SKILLS)
    change_plan(part, dataset={"evaluated": "one", "subset": {"limit": 100}})
    with pytest.raises(StoreError, match=r"one and one-limit-100 are the same corpus: .* name"):
        load_ranking([runs[0], part])
    renamed = make_corpus_run(tmp_path / "y", "uno", SKILLS)
    change_plan(renamed, dataset={"corpus_digest": digest("one")})
    with pytest.raises(StoreError, match=r"one and uno are the same corpus: .* same recordings"):
        load_ranking([runs[0], renamed])


def test_runs_of_one_corpus_span_none(runs: list[Path], tmp_path: Path) -> None:
    other = make_corpus_run(tmp_path / "x", "one", {"mha": 0.4})
    assert not span_corpora([runs[0], other])
    assert span_corpora(runs[:2])
    with pytest.raises(StoreError, match="at least two corpora"):
        load_ranking([runs[0]])
    with pytest.raises(StoreError, match="no run folder"):
        span_corpora([tmp_path / "nowhere"])
    (other / "plan.json").write_text('{"dataset": 3}')
    with pytest.raises(StoreError, match=r"plan\.json is damaged \(digest: Field required"):
        span_corpora([other])


def test_nothing_is_ranked_where_too_little_is_shared(runs: list[Path], tmp_path: Path) -> None:
    other = make_corpus_run(tmp_path / "x", "five", {"akd": 0.9, "new": 0.4})
    with pytest.raises(
        StoreError, match=r"one, five share fewer than two methods.*kd: not run on five;.*new: not"
    ):
        write_ranked_report([runs[0], other], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_methods_that_were_trained_otherwise_are_told(tmp_path: Path) -> None:
    folders = [make_corpus_run(tmp_path / name, name, SKILLS) for name in ("one", "two")]
    plan = json.loads((folders[1] / "plan.json").read_text())
    plan["methods"][0]["settings"]["training"]["epochs"] = 7
    plan["methods"][1] |= {"student": "a", "loss": "b", "teachers": [], "pretrained": True}
    plan["methods"][1]["settings"]["training"]["learning_rate"] = 1
    (folders[1] / "plan.json").write_text(json.dumps(plan))
    warnings = load_ranking(folders).warnings
    said = "akd was trained differently on one and two: settings.training.epochs differs."
    assert said in warnings
    assert (
        "kd was trained differently on one and two: loss, pretrained, settings.training."
        "learning_rate, student and 1 more differ." in warnings
    )
    assert "Pretrained without labels on other speech: kd." in warnings
    assert len(warnings) == 3


def test_hostile_names_are_escaped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks_output, "write_report", lambda *_: None)
    evil = "<b>|x[red]$_"
    folders = [
        make_corpus_run(tmp_path / str(number), f"{evil}{number}", {evil: 0.9, "kd": 0.2})
        for number in range(2)
    ]
    page, table = write_ranked_report(folders, tmp_path / "out")
    assert r"\<b\>\|x[red]$\_" in page.read_text()
    assert "<b>" not in page.with_suffix(".html").read_text()
    written = io.StringIO()
    Console(width=140, file=written).print(console_table(table))
    assert "x[red]$_" in written.getvalue()


# ── The diagram ──────────────────────────────────────────────────────────────────────────────────


def many(count: int, corpora: int = 20) -> Ranks:
    random = np.random.default_rng(5)
    table = random.normal(size=(corpora, count)) + np.linspace(0, 3, count)
    return rank_methods(pd.DataFrame(table).rename(columns="a rather long method {}".format))


def layout_of(ranks: Ranks) -> Layout:
    plot = ranks_figure(ranks).panels[0].plot
    assert isinstance(plot, Diagram)
    return laid_out(plot)


@pytest.mark.parametrize("count", [2, 3, 7, 12])
def test_the_diagram_keeps_apart_what_must_not_touch(count: int) -> None:
    ranks = many(count)
    layout = layout_of(ranks)
    names = [each for each in layout.words if "  " in each.text]
    assert [each.text.split()[-1] for each in names] == [f"{rank:.2f}" for rank in ranks.average]
    bars = [each.points for each in layout.strokes if each.kind == "bar"]
    for anchor in ("start", "end"):
        heights = sorted(each.y for each in names if each.anchor == anchor)
        assert all(b - a > 0.2 for a, b in itertools.pairwise(heights))
        assert max((y for bar in bars for _, y in bar), default=0) < heights[0] < layout.height
    for (one, y), (end, _) in bars:
        for (other, level), (last, _) in bars:
            if y == level and one != other:
                assert end < other or last < one
    assert len(bars) == sum(len(group) > 1 for group in ranks.groups)
    assert all(len(each.text.rpartition("  ")[0]) <= 22 for each in names)


def test_a_critical_difference_beyond_the_picture_is_said() -> None:
    scores = {"one": {"a": 0.9, "b": 0.1}, "two": {"a": 0.9, "b": 0.1}}
    layout = layout_of(rank_methods(scores, alpha=0.01))
    assert not [each for each in layout.strokes if each.kind == "critical"]
    assert [each for each in layout.words if each.text.endswith("any two ranks can differ")]
    wide = [each for each in layout_of(many(3)).strokes if each.kind == "critical"]
    assert max(x for each in wide for x, _ in each.points) < WIDTH_IN


@pytest.mark.usefixtures("figure_files")
def test_the_figure_names_every_method_and_says_who_cannot_be_told_apart() -> None:
    ranks = many(5)
    figure = ranks_figure(ranks)
    texts = [text.get_text() for text in drawn(figure).axes[0].texts]
    for method, rank in zip(ranks.methods, ranks.average, strict=True):
        assert any(text.startswith(method[:21]) and f"{rank:.2f}" in text for text in texts)
        assert f"{method} {rank:.2f}" in figure.panels[0].description
    assert "Critical difference" in figure.panels[0].description
    assert png(ranks_figure(ranks)) == png(figure)
