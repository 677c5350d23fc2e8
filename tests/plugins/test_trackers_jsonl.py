from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests_support.told import tell

from serbench.api import EpochEvent, RunEvent
from serbench_trackers.jsonl import FILE, JsonLines, JsonLinesParams, heal, last_epochs

EPOCHS_AT = 3
"""Events before the first epoch of the run itself: its start, a canary's epoch, a pretraining."""


def tracker() -> JsonLines:
    return JsonLines(JsonLinesParams())


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / FILE).read_text().splitlines()]


def epochs(folder: Path) -> list[tuple[int, str, int]]:
    return [
        (line["canary"], line["fit"], line["epoch"])
        for line in lines(folder)
        if line["event"] == "fit_epoch"
    ]


def test_every_event_is_a_line_in_its_order(tmp_path: Path) -> None:
    told = lines(tell(tracker(), tmp_path))
    kinds = [line["event"] for line in told]
    assert kinds[:2] == ["run_started", "fit_epoch"]
    assert kinds[-2:] == ["fold_scored", "run_finished"]
    start, end = told[0], told[-1]
    assert start["schema"] == 1
    assert start["dataset"] == "probe"
    assert start["methods"] == ["plain", "ablation:row"]
    assert start["teachers"] == ["functionals"]
    assert start["command"] == "serbench run plain ablation:row --dataset probe | tee 'a file'"
    assert end["certificate"] == "1" * 64
    assert end["scores"][0] == {
        "method": "plain", "metric": "wa", "value": 0.5, "low": 0.375, "high": 0.625,
    }  # fmt: skip
    inner = next(line for line in told if "inner" in line.get("fit", ""))
    assert inner["validation_ua"] == 0.5
    assert inner["terms"] == {"ce": 1.0, "total": 2.0}
    assert inner["cached"] is False
    times = [datetime.fromisoformat(line["time"]) for line in told]
    assert times == sorted(times)
    assert times[0].utcoffset() is not None


def test_a_line_is_in_the_file_as_soon_as_it_is_told(tmp_path: Path) -> None:
    told = tracker()
    told.run_started(RunEvent(tmp_path, "d", 1))
    told.fit_epoch(EpochEvent("m/seed-0/outer-1", 1, 2, {"total": 1.0}))
    assert epochs(tmp_path) == [(0, "m/seed-0/outer-1", 1)]
    told.close()


def test_a_run_that_goes_on_appends_and_repeats_no_epoch_of_the_cache(tmp_path: Path) -> None:
    tell(tracker(), tmp_path, until=EPOCHS_AT + 5)
    before = lines(tmp_path)
    tell(tracker(), tmp_path, cached=True)
    after = lines(tmp_path)
    assert after[: len(before)] == before
    assert [line["event"] for line in after].count("run_started") == 2
    once = epochs(tell(tracker(), tmp_path / "other"))
    assert sorted(epochs(tmp_path)) == sorted(once)


def test_epochs_of_the_cache_that_the_file_lacks_are_marked(tmp_path: Path) -> None:
    tell(tracker(), tmp_path, cached=True)
    assert {line["cached"] for line in lines(tmp_path) if "fit" in line} == {True}


def test_a_fit_that_is_made_again_is_written_again(tmp_path: Path) -> None:
    tell(tracker(), tmp_path, until=EPOCHS_AT + 1)
    tell(tracker(), tmp_path, until=EPOCHS_AT + 1)
    assert epochs(tmp_path).count((0, "plain/seed-0/outer-1", 1)) == 2


@pytest.mark.parametrize("tail", [b'{"event": "fit_ep', b"\x00\x00\x00", b'{"event"\xff'])
def test_a_line_that_was_cut_short_is_taken_off(tmp_path: Path, tail: bytes) -> None:
    tell(tracker(), tmp_path)
    path = tmp_path / FILE
    whole = path.read_bytes()
    path.write_bytes(whole + tail)
    heal(path)
    assert path.read_bytes() == whole


def test_a_whole_last_line_without_its_end_is_kept(tmp_path: Path) -> None:
    tell(tracker(), tmp_path)
    path = tmp_path / FILE
    whole = path.read_bytes()
    path.write_bytes(whole.removesuffix(b"\n"))
    heal(path)
    assert path.read_bytes() == whole


def test_a_file_that_is_one_cut_line_becomes_empty(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b'{"event": "run_st')
    heal(tmp_path / FILE)
    assert (tmp_path / FILE).read_bytes() == b""


def test_damaged_and_foreign_lines_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_text(
        '{"event": "fit_epoch", "canary": 0, "fit": "m", "epoch": 2}\n'
        "\x00\x00\n[1, 2]\n"
        '{"event": "fit_epoch", "fit": "m", "epoch": 9}\n'
    )
    assert last_epochs(path) == {(0, "m"): 2}


def test_a_value_that_json_has_no_word_for_is_an_error(tmp_path: Path) -> None:
    told = tracker()
    told.run_started(RunEvent(tmp_path, "d", 1))
    with pytest.raises(ValueError, match="JSON compliant"):
        told.fit_epoch(EpochEvent("m", 1, 1, {"total": float("nan")}))
    told.close()
    assert len(lines(tmp_path)) == 1
