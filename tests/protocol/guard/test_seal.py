"""L8: outer test labels are handed out once, also across threads, processes and crashes."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from serbench.api import LeakageError, SplitError, StoreError
from serbench.protocol.guard.seal import Seal
from serbench.protocol.guard.view import id_set_digest
from serbench.protocol.splits.records import Partition


def test_labels_come_in_the_partition_s_order(toy, tmp_path: Path) -> None:
    test = toy.outer()[0].test
    labels = Seal(tmp_path / "seal").open("akd", 1, 0, "digest", toy.table, test)
    np.testing.assert_array_equal(
        labels, [toy.table.labels.index(i.split("-")[2]) for i in test.ids]
    )
    assert labels.dtype == np.int64


def test_each_method_fold_and_seed_opens_its_own(toy, tmp_path: Path) -> None:
    ledger = Seal(tmp_path)
    outer = toy.outer()
    methods = ["akd", "AKD", "teacher:a/b", "teacher:a b", "ü" * 300]
    for method in methods:
        for seed in (0, 1):
            for number, split in enumerate(outer, start=1):
                digest = f"{method} {number} {seed}"
                ledger.open(method, number, seed, digest, toy.table, split.test)
    openings = ledger.openings()
    assert len(openings) == len(list(tmp_path.iterdir())) == len(methods) * 2 * 3
    assert {o.method for o in openings} == set(methods)
    first = openings[0]
    assert (first.method, first.outer, first.seed) == ("AKD", 1, 0)
    assert (first.partition, first.utterances) == ("outer-1/test", 18)
    assert first.ids_digest == id_set_digest(outer[0].test.ids)
    assert first.predictions_digest == "AKD 1 0"


def test_the_same_predictions_may_be_scored_again(toy, tmp_path: Path) -> None:
    test = toy.outer()[0].test
    first = Seal(tmp_path).open("akd", 1, 0, "digest", toy.table, test)
    entry = next(tmp_path.iterdir()).read_bytes()
    again = Seal(tmp_path).open("akd", 1, 0, "digest", toy.table, test)
    np.testing.assert_array_equal(first, again)
    assert next(tmp_path.iterdir()).read_bytes() == entry


def test_l8_other_predictions_are_refused(toy, tmp_path: Path) -> None:
    test = toy.outer()[0].test
    Seal(tmp_path).open("akd", 1, 0, "digest", toy.table, test)
    with pytest.raises(LeakageError, match=r"already read for akd, seed 0, with other predictions"):
        Seal(tmp_path).open("akd", 1, 0, "better digest", toy.table, test)


def test_l8_the_same_predictions_for_other_utterances_are_refused(toy, tmp_path: Path) -> None:
    first, second, _ = toy.outer()
    Seal(tmp_path).open("akd", 1, 0, "digest", toy.table, first.test)
    with pytest.raises(LeakageError, match="with other utterances"):
        Seal(tmp_path).open("akd", 1, 0, "digest", toy.table, second.test)


def test_l8_no_labels_before_predictions(toy, tmp_path: Path) -> None:
    with pytest.raises(LeakageError, match="L8: outer-1/test cannot be opened before"):
        Seal(tmp_path).open("akd", 1, 0, "", toy.table, toy.outer()[0].test)
    assert not list(tmp_path.iterdir())


def test_l8_holds_in_a_new_process(toy, tmp_path: Path) -> None:
    test = toy.outer()[0].test
    Seal(tmp_path / "seal").open("akd", 1, 0, "digest", toy.table, test)
    toy.table.__dict__.pop("by_id", None)  # a read-only mapping, made anew there
    (tmp_path / "case.pickle").write_bytes(pickle.dumps((toy.table, test)))
    script = """
import pickle, sys
from pathlib import Path
from serbench.api import LeakageError
from serbench.protocol.guard.seal import Seal
table, test = pickle.loads(Path(sys.argv[1], "case.pickle").read_bytes())
ledger = Seal(Path(sys.argv[1], "seal"))
print(len(ledger.open("akd", 1, 0, "digest", table, test)))
try:
    ledger.open("akd", 1, 0, "other digest", table, test)
except LeakageError as error:
    print(error.code)
"""
    result = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["18", "L8"]


def test_l8_of_many_at_once_one_wins(toy, tmp_path: Path) -> None:
    test = toy.outer()[0].test

    def attempt(digest: str) -> str:
        try:
            Seal(tmp_path).open("akd", 1, 0, digest, toy.table, test)
        except LeakageError as error:
            return error.code
        return digest

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(attempt, [f"digest {n}" for n in range(8)]))
    assert outcomes.count("L8") == 7
    (opening,) = Seal(tmp_path).openings()
    assert opening.predictions_digest in outcomes


def test_l8_a_rival_that_was_faster_by_a_moment_is_not_overwritten(
    toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = toy.outer()[0].test
    link = Path.hardlink_to

    def late(path: Path, target: Path) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(Path, "hardlink_to", link)
            Seal(tmp_path).open("akd", 1, 0, "rival digest", toy.table, test)
        link(path, target)

    monkeypatch.setattr(Path, "hardlink_to", late)
    with pytest.raises(LeakageError, match="with other predictions"):
        Seal(tmp_path).open("akd", 1, 0, "digest", toy.table, test)
    (opening,) = Seal(tmp_path).openings()
    assert opening.predictions_digest == "rival digest"


def test_a_crash_before_the_entry_is_whole_hands_out_nothing(
    toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device")

    test = toy.outer()[0].test
    ledger = Seal(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", no_room)
        with pytest.raises(StoreError, match=r"No space left .* test labels stay sealed"):
            ledger.open("akd", 1, 0, "digest", toy.table, test)
    assert not list(tmp_path.iterdir()), "no half-written entry is left"
    assert len(ledger.open("akd", 1, 0, "other digest", toy.table, test)) == 18


def test_the_entry_is_on_the_disk_before_the_labels_are_out(
    toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = []
    fsync, link, read = os.fsync, Path.hardlink_to, Path.read_bytes
    monkeypatch.setattr(os, "fsync", lambda f: (events.append("fsync"), fsync(f)))
    monkeypatch.setattr(Path, "hardlink_to", lambda *a: (events.append("publish"), link(*a)))
    monkeypatch.setattr(Path, "read_bytes", lambda path: (events.append("read"), read(path))[1])
    Seal(tmp_path).open("akd", 1, 0, "digest", toy.table, toy.outer()[0].test)
    folder_synced = ["fsync"] if os.name == "posix" else []
    assert events == ["read", "fsync", "publish", *folder_synced, "read"]


def test_a_file_system_without_hard_links_will_do(
    toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", no_links)
    test = toy.outer()[0].test
    Seal(tmp_path).open("akd", 1, 0, "digest", toy.table, test)
    assert [p.suffix for p in tmp_path.iterdir()] == [".json"]
    with pytest.raises(LeakageError, match="L8"):
        Seal(tmp_path).open("akd", 1, 0, "other digest", toy.table, test)


@pytest.mark.parametrize("damage", [b"", b"{", b"{}", b"\xff\xfe"])
def test_a_damaged_entry_keeps_the_labels_sealed(toy, tmp_path: Path, damage: bytes) -> None:
    test = toy.outer()[0].test
    ledger = Seal(tmp_path)
    ledger.open("akd", 1, 0, "digest", toy.table, test)
    next(tmp_path.iterdir()).write_bytes(damage)
    with pytest.raises(StoreError, match="serbench does not know whether the test labels"):
        ledger.open("akd", 1, 0, "digest", toy.table, test)
    with pytest.raises(StoreError, match="cannot be read"):
        ledger.openings()


def test_a_file_in_place_of_the_ledger_is_refused(toy, tmp_path: Path) -> None:
    (tmp_path / "seal").write_text("")
    with pytest.raises(StoreError, match="seal"):
        Seal(tmp_path / "seal").open("akd", 1, 0, "digest", toy.table, toy.outer()[0].test)


def test_a_partition_of_another_corpus_is_refused_and_opens_nothing(toy, tmp_path: Path) -> None:
    with pytest.raises(SplitError, match="that are not in toy: ghost"):
        Seal(tmp_path).open("akd", 1, 0, "d", toy.table, Partition("p", ("ghost",), (), "test"))
    assert not list(tmp_path.iterdir())


def test_an_entry_says_what_it_is(toy, tmp_path: Path) -> None:
    Seal(tmp_path).open("teacher:a/b", 2, 3, "digest", toy.table, toy.outer()[1].test)
    (path,) = tmp_path.iterdir()
    assert path.name.startswith("teacher_a_b-")
    assert path.name.endswith("-outer-2-seed-3.json")
    assert json.loads(path.read_text())["method"] == "teacher:a/b"


def test_an_unopened_ledger_is_empty(tmp_path: Path) -> None:
    assert Seal(tmp_path / "never made").openings() == ()
