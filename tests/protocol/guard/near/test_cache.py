from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from tests_support.damage import DAMAGES

from serbench.api import StoreError
from serbench.protocol.guard.near.cache import (
    load_fingerprints,
    load_pairs,
    store_fingerprints,
    store_pairs,
)

A, B, C = ("a" * 64, "b" * 64, "c" * 64)
WORDS = {
    A: np.array([1, 2, 0xFFFFFFFF], np.uint32),
    B: np.empty(0, np.uint32),
    C: np.array([9], np.uint32),
}


def test_fingerprints_come_back_by_digest(tmp_path: Path) -> None:
    store_fingerprints(tmp_path / "near", WORDS)
    found = load_fingerprints(tmp_path / "near", {A, B, "d" * 64})
    assert sorted(found) == [A, B]
    for digest, words in found.items():
        np.testing.assert_array_equal(words, WORDS[digest])
        assert words.dtype == np.uint32


def test_blocks_add_up(tmp_path: Path) -> None:
    store_fingerprints(tmp_path, {A: WORDS[A]})
    store_fingerprints(tmp_path, {C: WORDS[C]})
    assert sorted(load_fingerprints(tmp_path, set(WORDS))) == [A, C]


def test_a_folder_that_is_not_there_has_nothing(tmp_path: Path) -> None:
    assert load_fingerprints(tmp_path / "no", {A}) == {}
    assert load_pairs(tmp_path / "no.json") is None


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_block_is_reported_and_removed(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    store_fingerprints(tmp_path, {A: WORDS[A]})
    (good,) = tmp_path.glob("*.npz")
    store_fingerprints(tmp_path, {C: WORDS[C]})
    (bad,) = set(tmp_path.glob("*.npz")) - {good}
    DAMAGES[damage](bad)
    with caplog.at_level(logging.WARNING):
        assert sorted(load_fingerprints(tmp_path, set(WORDS))) == [A]
    assert f"{bad} is damaged" in caplog.text
    assert list(tmp_path.glob("*.npz")) == [good]


def test_pairs_come_back(tmp_path: Path) -> None:
    rows = [("a", "b", 0.9876, -0.25), ("ä", "z", 1.0, 0.0)]
    store_pairs(tmp_path / "pairs" / "x.json", rows)
    assert load_pairs(tmp_path / "pairs" / "x.json") == rows


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_pairs_are_reported_and_removed(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "pairs.json"
    store_pairs(path, [("a", "b", 0.9876, -0.25)])
    DAMAGES[damage](path)
    with caplog.at_level(logging.WARNING):
        assert load_pairs(path) is None
    assert f"{path} is damaged" in caplog.text
    assert not path.exists()


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="cannot write"):
        store_fingerprints(tmp_path / "file", WORDS)
