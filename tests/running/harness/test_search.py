"""Searches of a part of a grid: never dearer than the grid, always on the same inner folds."""

from __future__ import annotations

import itertools
import json
import re
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import serbench
from serbench.api import RegistryError
from serbench.cli import app
from serbench.errors import SerbenchError
from serbench.running.harness.nested import Nested
from serbench.running.harness.search import Fit, Search, most_fits
from serbench.settings import SAMPLERS, STRATEGIES

HAS_OPTUNA = find_spec("optuna") is not None
AVAILABLE = ("grid", *(STRATEGIES if HAS_OPTUNA else ("halving",)))
needs_optuna = pytest.mark.skipif(not HAS_OPTUNA, reason="optuna is not installed")

NUMBERS, KINDS = [1e-4, 1e-2, 1.0], ["a", "b", ["c", 1]]


def grid_of(numbers: int = 3, kinds: int = 3) -> list[dict[str, object]]:
    """Candidates of two axes, as a plan has them."""
    points = itertools.product(NUMBERS[:numbers], KINDS[:kinds])
    return [{"student.C": number, "loss.kind": kind} for number, kind in points]


def finished(
    strategy: str,
    scores: dict[Fit, float],
    values: Sequence[Mapping[str, object]] = tuple(grid_of()),
    folds: int = 4,
    trials: int = 4,
) -> tuple[Search, list[list[Fit]]]:
    """A search told of ``scores``, and its stages."""
    search = Search(strategy, values, folds, trials, seed=7)
    stages = []
    while stage := search.next():
        assert search.next() == []  # scores are due
        stages.append(stage)
        for fit in stage:
            search.take(fit, scores.get(fit, 0.0))
    return search, stages


@settings(deadline=None)
@given(
    st.sampled_from(AVAILABLE), st.integers(1, 3), st.integers(1, 3), st.integers(1, 5),
    st.integers(1, 9), st.randoms(use_true_random=False),
)  # fmt: skip
def test_no_search_makes_more_fits_than_the_grid(
    strategy: str, numbers: int, kinds: int, folds: int, trials: int, random: Random
) -> None:
    """No fit twice; the chosen candidate has all inner folds; the best of those that have."""
    values = grid_of(numbers, kinds)
    count = len(values)
    trials = min(trials, count)
    grid = list(itertools.product(range(count), range(folds)))
    scores = {fit: random.random() for fit in grid}
    search, stages = finished(strategy, scores, values, folds, trials)
    made = [fit for stage in stages for fit in stage]
    assert len(made) == len(set(made))
    assert set(made) <= set(grid)
    assert len(made) <= most_fits(strategy, count, folds, trials) <= len(grid)
    if strategy in SAMPLERS:
        assert len({candidate for candidate, _ in made}) <= trials
    complete = {
        c: sum(scores[c, f] for f in range(folds))
        for c in range(count)
        if all((c, f) in search.scores for f in range(folds))
    }
    assert complete[search.best] == pytest.approx(max(complete.values()))
    again, repeated = finished(strategy, scores, values, folds, trials)
    assert (again.best, repeated) == (search.best, stages)


def test_halving_keeps_the_better_half_on_the_same_folds() -> None:
    scores = {(c, f): c / 10 for c in range(9) for f in range(4)}
    search, stages = finished("halving", scores)
    assert stages == [
        [(c, 0) for c in range(9)],
        [(c, 1) for c in range(4, 9)],
        [(c, f) for c in (6, 7, 8) for f in (2, 3)],
    ]
    assert search.best == 8


def test_halving_takes_the_first_of_equals() -> None:
    search, stages = finished("halving", {}, grid_of(2, 3))
    assert [sorted({c for c, _ in stage}) for stage in stages] == [
        [0, 1, 2, 3, 4, 5], [0, 1, 2], [0, 1],
    ]  # fmt: skip
    assert search.best == 0


@needs_optuna
def test_a_sampler_learns_from_scores() -> None:
    """TPE draws the best candidates more often than chance does."""
    scores = {(c, f): -abs(c - 4.0) for c in range(9) for f in range(4)}
    assert {c for c, _ in finished("tpe", scores, trials=9)[0].scores} == set(range(9))
    one = finished("tpe", scores, trials=6)[1]
    other = finished("tpe", {fit: -ua for fit, ua in scores.items()}, trials=6)[1]
    assert one[:2] == other[:2]
    assert one != other


def test_without_optuna_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(SerbenchError, match=r"protocol.search = tpe: .*serbench\[optuna\]"):
        Search("tpe", grid_of(), 2, 2, seed=1).next()


REGISTRY = """
[methods.mine]
summary = "A linear SVM"
student = "linear-svm"
front_end = "log-mel"
[methods.mine.grids]
small = { "student.C" = [1e-4, 1e-2, 1.0] }
wide = { "student.C" = { low = 1e-5, high = 10.0, steps = 7, log = true } }
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SERBENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "serbench.toml").write_text(REGISTRY)
    return tmp_path


def searched(search: str, out: str = "runs", **changes: object) -> serbench.Run:
    corpus = {"corpus.speakers": 4, "corpus.takes": 1, "protocol.folds": "loso"}
    sets = {**corpus, "protocol.inner": 3, "protocol.search": search, **changes}
    return serbench.run("mine", dataset="demo", jobs=1, settings=sets, out=out, progress=False)


@pytest.mark.parametrize(
    ("search", "points", "most"),
    [("halving", 3, 3 + 2 + 1), pytest.param("tpe:wide", 7, 3 * 3, marks=needs_optuna)],
)
def test_the_certificate_says_what_was_searched_and_verify_repeats_it(
    mine: Path, monkeypatch: pytest.MonkeyPatch, search: str, points: int, most: int
) -> None:
    """A search that is stopped in the middle continues with what it had, to the same bytes."""
    kept = Nested._keep
    ended: list[str] = []

    def stop(*arguments: object) -> object:
        ended.append("fit")
        if len(ended) == 5:
            raise KeyboardInterrupt
        return kept(*arguments)  # pyright: ignore[reportArgumentType]

    with monkeypatch.context() as patch:
        patch.setattr(Nested, "_keep", stop)
        with pytest.raises(KeyboardInterrupt):
            searched(search)
    made = searched(search)
    assert made.plan["protocol"]["search"] in {"halving:small", "tpe:wide"}
    found = json.loads((made.folder / "certificate.json").read_text())["searches"]
    assert [(each["outer"], each["points"]) for each in found] == [(n, points) for n in range(1, 5)]
    for each in found:
        assert sum(len(trial["ua"]) for trial in each["trials"]) <= most
        assert each["chosen"] in {trial["candidate"] for trial in each["trials"]}
    assert "## Searches" in (made.folder / "certificate.md").read_text()
    result = CliRunner().invoke(app, ["verify", str(made.folder)])
    assert result.exit_code == 0, result.output
    monkeypatch.setenv("SERBENCH_CACHE", str(mine / "other"))
    whole = searched(search, out="whole")
    for name in ("certificate.json", "predictions.parquet"):
        assert (whole.folder / name).read_bytes() == (made.folder / name).read_bytes()
    fit = next(each for each in (made.folder / "fits").iterdir() if "inner-1" in each.name)
    fit.unlink()
    result = CliRunner().invoke(app, ["verify", str(made.folder)])
    assert result.exit_code == 1
    assert "has no inner fit of candidate" in result.output


def test_halving_makes_the_fits_of_the_grid_and_a_grid_has_no_record(mine: Path) -> None:
    grid = searched("small")
    assert "searches" not in json.loads((grid.folder / "certificate.json").read_text())
    assert "trials" not in grid.plan["protocol"]
    timing = json.loads((searched("halving:small").folder / "timing.json").read_text())
    assert timing["fits_run"] == 0
    assert mine.is_dir()


@pytest.mark.usefixtures("mine")
@pytest.mark.parametrize(
    ("search", "changes", "message"),
    [
        ("halvin:small", {}, "no search is called 'halvin'; did you mean 'halving'?"),
        ("halving:smal", {}, "no method has a grid called 'smal'; did you mean 'small'?"),
        ("smal", {}, "no method has a grid called 'smal'; did you mean 'small'?"),
        ("small", {"protocol.trials": 2}, "only random and tpe count trials"),
    ],
)
def test_a_wrong_search_gets_one_message(
    search: str, changes: dict[str, int], message: str
) -> None:
    with pytest.raises(RegistryError, match=re.escape(message)):
        searched(search, **changes)  # pyright: ignore[reportArgumentType]


@pytest.mark.usefixtures("mine")
def test_a_search_needs_a_grid_and_a_sampler_a_number() -> None:
    with pytest.raises(RegistryError, match="the profile has no grid; name one"):
        serbench.run("mine", dataset="demo", profile="demo", settings=["protocol.search=halving"])
    with pytest.raises(RegistryError, match=r"mine has no grid of this profile.*protocol.trials"):
        serbench.run("mine", dataset="demo", profile="demo", settings=["protocol.search=tpe:wide"])
