"""Damaged files of a run folder: each ends in one message that names file and place."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests_support.run_maker import make_run

from serbench.api import StoreError
from serbench.running.store.finished import load_run
from serbench.running.store.run import RunStore

UTTERANCES = b"utterance,fold,speaker,label,pcm_sha256\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("made") / "run", per_speaker=5)


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "run"))


def set_at(path: Path, place: str, value: object) -> None:
    content: Any = json.loads(path.read_text())
    *parents, last = [int(key) if key.isdigit() else key for key in place.split(".")]
    held = content
    for key in parents:
        held = held[key]
    held[last] = value
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("file", "place", "value"),
    [
        ("plan", "methods", {}),
        ("plan", "methods.0.name", 3),
        ("plan", "methods.0.name", ""),
        ("plan", "methods.1.name", "akd"),
        ("plan", "methods.0.settings", []),
        ("plan", "methods.0.candidates", [3]),
        ("plan", "dataset.labels", ["anger"]),
        ("plan", "dataset.labels.1", "anger"),
        ("plan", "dataset.utterances", "many"),
        ("plan", "dataset.utterances", True),
        ("plan", "protocol", None),
        ("plan", "outer.0.test_units", [3]),
        ("plan", "seeds", [-1]),
        ("plan", "teachers", {"x": {"plugin": 3, "params": {}}}),
        ("plan", "code", {"fit": 3}),
        ("plan", "backend", {"name": "torch"}),
        ("environment", "packages", []),
        ("environment", "plugins", [{"entry_point": 3}]),
        ("timing", "wall_s", "long"),
        ("timing", "wall_s", -1),
        ("timing", "fits_run", 1e300),
        ("certificate", "digest", 3),
        ("certificate", "folds", {}),
    ],
)
def test_a_value_of_another_type_is_named(run: Path, file: str, place: str, value: object) -> None:
    path = run / f"{file}.json"
    set_at(path, place, value)
    with pytest.raises(StoreError) as told:
        load_run(run, "run")
    assert str(path) in str(told.value)
    assert place.split(".", maxsplit=1)[0] in str(told.value)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("outer", 5, "plan.json has no outer fold 5"),
        ("outer", 0, "outer: Input should be greater"),
        ("method", 3, "method: Input should be a valid string"),
        ("values", 3, "values: Input should be a valid dict"),
        ("seconds", "1", "seconds: Input should be a valid number"),
        ("history.0.epoch", None, "history.0.epoch"),
    ],
)
def test_a_fit_must_belong_to_the_plan(run: Path, place: str, value: object, message: str) -> None:
    path = min((run / "fits").glob("*.json"))
    set_at(path, place, value)
    with pytest.raises(StoreError, match=rf"\.json is damaged \({message}"):
        RunStore(run).fits()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda rows: rows.assign(seed=1.5),
            "column seed contains values that are not whole numbers",
        ),
        (lambda rows: rows.assign(seed=7), "no seed '7'"),
        (lambda rows: rows.assign(outer=9), "no outer '9'"),
        (lambda rows: rows.assign(label="joy"), "no label 'joy'"),
        (
            lambda rows: rows.assign(predicted=3),
            "column predicted contains values that are not text",
        ),
        (lambda rows: rows.assign(method=None), "column method contains values that are not text"),
        (lambda rows: rows.assign(p_anger=float("nan")), "column p_anger .* finite numbers"),
        (lambda rows: rows.assign(p_anger="x"), "column p_anger .* finite numbers"),
    ],
)
def test_predictions_hold_what_their_columns_say(
    run: Path, change: Callable[[pd.DataFrame], pd.DataFrame], message: str
) -> None:
    path = run / "predictions.parquet"
    change(pd.read_parquet(path)).to_parquet(path, index=False)
    with pytest.raises(StoreError, match=rf"predictions\.parquet is damaged \(.*{message}"):
        RunStore(run).predictions()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"utterance,fold\n", "it has no column speaker, label, pcm_sha256"),
        (UTTERANCES + b"a,1,s\n", "row 2 has more or fewer cells"),
        (UTTERANCES + b"a,1,s,l,p,q\n", "row 2 has more or fewer cells"),
        (UTTERANCES + b"a,1,s,l,p\na,1,s,l,p\n", "an utterance occurs twice"),
        (UTTERANCES.decode().encode("utf-16"), "it is UTF-16"),
        (UTTERANCES + b"\xff", "line 2 is not UTF-8"),
        (UTTERANCES + b'"a', "after line 1: unexpected end of data"),
        (UTTERANCES + b"x" * 200_000, "after line 1: field larger"),
    ],
)
def test_utterances_are_a_whole_table(run: Path, content: bytes, message: str) -> None:
    (run / "utterances.csv").write_bytes(content)
    with pytest.raises(StoreError, match=rf"utterances\.csv is damaged \({message}"):
        RunStore(run).utterances()
