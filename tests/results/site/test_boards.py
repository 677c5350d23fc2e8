from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from tests_support.corpora import change_plan, digest, make_corpus_run

from serbench.results.compare.methods import comparison
from serbench.results.site.boards import CHOICE, Board, corpora, rank_boards
from serbench.results.site.collect import Collection, collect
from serbench.running.store.run import RunStore

pytestmark = pytest.mark.usefixtures("plain_pages")


def boards(collection: Collection) -> dict[str, tuple[Board, ...]]:
    return {corpus.name: corpus.boards for corpus in corpora(collection)}


def shown(board: Board) -> list[tuple[str, str]]:
    return [(line.entry.label, line.method) for line in board.students]


def test_only_runs_with_the_same_recordings_and_folds_share_a_board(
    collection: Collection,
) -> None:
    found = boards(collection)
    assert list(found) == ["one", "two"]
    first, second = found["one"]
    assert [entry.label for entry in first.entries] == ["deep/er/one-first", "one-more"]
    assert [entry.label for entry in second.entries] == ["one-other-folds"]
    assert (first.name, second.name) == (
        "4 by speaker (pairs), set 1",
        "4 by speaker (pairs), set 2",
    )
    assert found["two"][0].name == "4 by speaker (pairs)"


def test_a_leaky_run_is_on_no_board(collection: Collection) -> None:
    one = corpora(collection)[0]
    assert [entry.label for entry in one.leaky] == ["all-heard"]
    assert all(entry.label != "all-heard" for board in one.boards for entry in board.entries)


def test_the_best_comes_first_and_the_others_are_compared_with_it(
    collection: Collection, runs: Path
) -> None:
    board = boards(collection)["one"][0]
    assert shown(board) == [
        ("deep/er/one-first", "akd"),
        ("one-more", "akd"),
        ("deep/er/one-first", "kd"),
        ("one-more", "mha"),
    ]
    names = [f"{method} of {label}" for label, method in shown(board)]
    parts = []
    for name, (label, method) in zip(names, shown(board), strict=True):
        predictions = RunStore(runs / label).predictions()
        parts.append(predictions[predictions["method"] == method].assign(method=name))
    labels = RunStore(runs / "one-more").plan()["dataset"]["labels"]
    expected = comparison(pd.concat(parts), labels, names).methods
    assert [line.difference for line in board.students] == [each.difference for each in expected]
    assert [line.result.pooled for line in board.students] == [each.pooled for each in expected]
    assert board.students[0].difference is None
    assert board.fault == ""


def test_a_board_gives_each_method_the_score_of_its_own_run(collection: Collection) -> None:
    for own in boards(collection).values():
        for board in own:
            for line in board.students:
                alone = line.entry.results.comparison.methods
                (single,) = (each for each in alone if each.method == line.method)
                assert line.result.pooled == single.pooled


def test_a_teacher_that_says_the_same_is_listed_once(collection: Collection) -> None:
    first, second = boards(collection)["one"]
    assert [(line.method, line.entry.label) for line in first.teachers] == [
        ("teacher:w", "one-more"),
        ("teacher:w", "deep/er/one-first"),
    ]
    assert second.teachers == ()


def test_the_same_teacher_in_two_runs_is_one_line(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make_corpus_run(tmp_path / name, "one", {"teacher:w": 1.0, "kd": 0.5})
    (board,) = boards(collect(tmp_path))["one"]
    assert [line.entry.label for line in board.teachers] == ["a"]
    assert len(board.students) == 2


def test_runs_that_were_tested_otherwise_are_listed_and_not_compared(tmp_path: Path) -> None:
    make_corpus_run(tmp_path / "a", "one", {"akd": 0.9})
    make_corpus_run(tmp_path / "b", "one", {"kd": 0.5}, per_speaker=15)
    (board,) = boards(collect(tmp_path))["one"]
    assert "were not tested on the same utterances" in board.fault
    assert [line.difference for line in board.students] == [None, None]


# ── Ranks ────────────────────────────────────────────────────────────────────────────────────────


def test_ranks_take_the_first_board_and_one_run_of_each_method(collection: Collection) -> None:
    ranked = rank_boards(corpora(collection))
    assert ranked.ranking is not None
    ranks = ranked.ranking.ranks
    assert ranks is not None
    assert ranks.methods == ("akd", "kd")
    one, two = (own[0] for own in boards(collection).values())
    assert [board.name for board in ranked.chosen] == [one.name, two.name]
    # The run with two seeds, and not the other.
    chosen = {line.method: line for line in one.students if line.entry.label.startswith("deep")}
    assert ranks.scores[0].tolist() == [
        chosen[method].result.pooled["ua"].value for method in ranks.methods
    ]
    assert [each.method for each in ranked.ranking.left_out] == ["mha"]
    assert "more seeds" in CHOICE


def test_a_choice_never_looks_at_scores(tmp_path: Path) -> None:
    make_corpus_run(tmp_path / "a", "one", {"akd": 0.95})
    make_corpus_run(tmp_path / "b", "one", {"akd": 0.3, "kd": 0.6})
    make_corpus_run(tmp_path / "c", "two", {"akd": 0.5, "kd": 0.4})
    found = corpora(collect(tmp_path))
    ranking = rank_boards(found).ranking
    assert ranking is not None
    (contender,) = ranking.corpora["one"].contenders["akd"]
    (board,) = found[0].boards
    larger = next(line for line in board.students if line.entry.label == "b" and
                  line.method == "akd")  # fmt: skip
    assert contender.result.pooled == larger.result.pooled


def test_one_corpus_is_not_ranked(runs: Path) -> None:
    ranked = rank_boards(corpora(collect(runs / "two")))
    assert ranked.ranking is None
    assert ranked.said == ""


def test_a_subset_is_not_ranked(tmp_path: Path) -> None:
    for name in ("one", "two", "one-limit-100"):
        run = make_corpus_run(tmp_path / name, name, {"akd": 0.9, "kd": 0.5})
    change_plan(run, dataset={"evaluated": "one", "subset": {"limit": 100}})
    ranking = rank_boards(corpora(collect(tmp_path))).ranking
    assert ranking is not None
    assert [*ranking.corpora] == ["one", "two"]


def test_nothing_in_common_is_said(tmp_path: Path) -> None:
    make_corpus_run(tmp_path / "a", "one", {"akd": 0.9, "x": 0.5})
    make_corpus_run(tmp_path / "b", "two", {"akd": 0.9, "y": 0.5})
    ranked = rank_boards(corpora(collect(tmp_path)))
    assert ranked.said == "No ranks: no two methods were run on every corpus."


def test_one_corpus_under_two_names_is_not_ranked(tmp_path: Path) -> None:
    make_corpus_run(tmp_path / "a", "one", {"akd": 0.9, "kd": 0.5})
    make_corpus_run(tmp_path / "b", "uno", {"akd": 0.9, "kd": 0.5})
    change_plan(tmp_path / "b", dataset={"corpus_digest": digest("one")})
    said = rank_boards(corpora(collect(tmp_path))).said
    assert "one and uno are the same corpus: they have the same recordings" in said


def test_a_fold_file_is_named_without_its_place(tmp_path: Path) -> None:
    make_corpus_run(tmp_path / "a", "one", {"akd": 0.9})
    change_plan(tmp_path / "a", folds="/home/someone/secret/folds.csv")
    (board,) = boards(collect(tmp_path))["one"]
    assert board.name == "4 by speaker (folds.csv)"
