from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from serbench.running.executors.packing import LARGE, Array, Packer, in_file

LONG = LARGE // 8


@pytest.fixture
def mapped(tmp_path: Path) -> np.memmap[Any, Any]:
    values = np.arange(4.0 * LONG).reshape(-1, 4)
    np.save(tmp_path / "values.npy", values)
    return np.load(tmp_path / "values.npy", mmap_mode="r")


def test_an_array_that_several_items_share_travels_once() -> None:
    sent: dict[str, Array] = {}
    packer = Packer(sent.__setitem__, by_path=True)
    shared, own = np.arange(LONG), np.ones(LONG, np.float64)
    first, second = packer.pack({"of": shared}), packer.pack([shared, own, shared.copy()])
    assert len(sent) == 2
    assert first.arrays == second.arrays[:1]
    assert len(second.arrays) == 2  # a copy has the same content, and so the same name
    assert len(first.pickled) + len(second.pickled) < 2_000
    again = second.unpack(sent)
    for value, wanted in zip(again, (shared, own, shared), strict=True):
        np.testing.assert_array_equal(value, wanted)


def test_mapped_arrays_and_parts_of_them_are_read_from_their_file(mapped: Any) -> None:
    sent: dict[str, Array] = {}
    part = mapped[100:-5]
    packed = Packer(sent.__setitem__, by_path=True).pack((mapped, part))
    assert not sent
    whole, cut = packed.unpack({})
    np.testing.assert_array_equal(whole, mapped)
    np.testing.assert_array_equal(cut, part)
    whole[0] = -1.0  # torch may have it: nothing is written to the file
    assert mapped[0, 0] == 0.0


def test_parts_that_are_not_end_to_end_in_the_file_are_sent(mapped: Any) -> None:
    sent: dict[str, Array] = {}
    columns = mapped[:, 1:3]
    assert in_file(columns) is None
    packed = Packer(sent.__setitem__, by_path=True).pack(columns)
    np.testing.assert_array_equal(packed.unpack(sent), columns)


def test_without_a_shared_folder_mapped_arrays_are_sent(mapped: Any) -> None:
    sent: dict[str, Array] = {}
    packed = Packer(sent.__setitem__, by_path=False).pack(mapped)
    assert [len(each) for each in sent.values()] == [len(mapped)]
    np.testing.assert_array_equal(packed.unpack(sent), mapped)


def test_another_file_at_the_same_place_is_not_read(mapped: Any, tmp_path: Path) -> None:
    packed = Packer(lambda *_: None, by_path=True).pack(mapped)
    np.save(tmp_path / "values.npy", np.ones(3))
    with pytest.raises(FileNotFoundError, match=r"values\.npy"):
        packed.unpack({})


def test_tensors_are_kept_apart_too_and_may_be_written_to() -> None:
    sent: dict[str, Array] = {}
    weights = torch.arange(float(LONG), dtype=torch.float64)
    packed = Packer(sent.__setitem__, by_path=True).pack({"w": weights, "b": torch.ones(2)})
    assert len(sent) == 1
    for each in sent.values():
        each.flags.writeable = False  # as engines hand them out
    again = packed.unpack(sent)
    torch.testing.assert_close(again["w"], weights)
    again["w"] += 1.0
    assert weights[0] == 0.0


def make_path() -> Path:
    return Path("b")


def test_packages_are_those_of_classes_and_functions() -> None:
    packed = Packer(lambda *_: None, by_path=True).pack((make_path, Path("a"), torch.nn.Linear))
    assert {make_path.__module__.partition(".")[0], "pathlib", "torch"} <= packed.packages


@given(
    array=arrays(np.int16, array_shapes(max_dims=3, max_side=60)),
    by_path=st.booleans(),
)
def test_every_array_comes_back(array: Array, by_path: bool) -> None:
    sent: dict[str, Array] = {}
    packed = Packer(sent.__setitem__, by_path=by_path).pack(array)
    assert bool(sent) == (array.nbytes >= LARGE)
    np.testing.assert_array_equal(packed.unpack(sent), array)
