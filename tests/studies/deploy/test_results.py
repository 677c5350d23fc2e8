from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from serbench.api import StoreError
from serbench.studies.deploy.results import DeployResults, read_results, results_text

Json = dict[str, Any]


@pytest.fixture
def results(deployed: Any) -> DeployResults:
    return deployed.study.results


def test_what_is_written_is_read_again(results: DeployResults, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(results_text(results))
    assert read_results(path, results.run) == results


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("better", "significantly better"),
        ("worse", "significantly worse"),
        ("cannot tell apart", "no significant difference"),
        ("same classes", "same classes"),
    ],
)
def test_verdicts_of_earlier_versions_are_read_as_they_are_called_now(
    results: DeployResults, tmp_path: Path, before: str, now: str
) -> None:
    content = json.loads(results_text(results))
    content["rows"][0]["accuracy"]["verdict"] = before
    path = tmp_path / "results.json"
    path.write_text(json.dumps(content))
    (first, *_) = read_results(path, results.run).rows
    assert first.accuracy is not None
    assert first.accuracy.verdict == now


def changed(**values: object) -> Callable[[Json], None]:
    return lambda content: content.update(values)


def first_row(**values: object) -> Callable[[Json], None]:
    return lambda content: content["rows"][0].update(values)


def first_round(key: str, value: object) -> Callable[[Json], None]:
    return lambda content: content["rows"][0]["rounds"][0].update({key: value})


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (changed(kind="other"), "is not a results.json"),
        (changed(schema_version=2), "has schema version 2, but this version of serbench reads 1"),
        (changed(extra=1), "is damaged: extra: Extra inputs are not permitted"),
        (lambda content: content.pop("machine"), "is damaged: machine: Field required"),
        (lambda content: content["run"].update(weights_sha256="0"), "which is another model than"),
        (lambda content: content["rows"].append(content["rows"][0]), "two rows have one name"),
        (first_row(rounds=[]), "torch has 0 rounds, not 1"),
        (first_row(reason="why"), "a row has a reason where it was not measured"),
        (first_row(device="tpu"), "rows.0.device"),
        (first_round("latency_s", {"1": [0.1]}), "other lengths or batches"),
        (first_round("latency_s", {"0.5": [0.1], "1": [-1]}), "rows.0.rounds.0.latency_s.1.0"),
        (first_round("batch_s", {"2": []}), "rows.0.rounds.0.batch_s.2"),
        (first_round("stages_s", {"open": 1.0}), "torch lacks a stage of its start"),
    ],
)
def test_what_does_not_fit_is_refused(
    results: DeployResults, tmp_path: Path, damage: Callable[[Json], None], message: str
) -> None:
    content = copy.deepcopy(results.model_dump(mode="json"))
    damage(content)
    path = tmp_path / "results.json"
    path.write_text(json.dumps(content))
    with pytest.raises(StoreError, match=message):
        read_results(path, results.run)


@pytest.mark.parametrize(
    ("text", "message"), [("{", "is not JSON"), ("[]", "is not a results.json"), ("NaN", "is not")]
)
def test_what_is_no_such_file_is_refused(
    results: DeployResults, tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(StoreError, match=message):
        read_results(path, results.run)


def test_a_file_that_is_not_text_is_refused(results: DeployResults, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StoreError, match="is not JSON"):
        read_results(path, results.run)
