from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests_support.speech import Chunks, ChunksParams
from tests_support.tables import noise_table

from serbench.api import TeacherError
from serbench.data.corpus.table import CorpusTable
from serbench.learning import blocks
from serbench.learning.blocks import BLOCK_S, as_blocks, consecutive, kept_for, let_go


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> CorpusTable:
    return noise_table(tmp_path_factory.mktemp("blocks") / "noise", speakers=2, utterances=5)


def test_blocks_keep_the_order_and_stay_small(
    table: CorpusTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = sum(each.duration_s for each in table.utterances)
    assert [len(part) for part in consecutive(table.utterances)] == [20]
    long = [replace(each, duration_s=0.6 * BLOCK_S) for each in table.utterances[:3]]
    assert [len(part) for part in consecutive(long)] == [1, 1, 1]
    monkeypatch.setattr(blocks, "BLOCK_RECORDINGS", 7)
    parts = [*consecutive(table.utterances)]
    assert [len(part) for part in parts] == [7, 7, 6]
    assert [each for part in parts for each in part] == [*table.utterances]
    assert seconds < BLOCK_S


def test_a_process_loads_a_model_once_and_has_one_at_a_time(table: CorpusTable) -> None:
    loaded: list[Chunks] = []

    def load(teacher: Chunks) -> Chunks:
        loaded.append(teacher)
        return teacher

    parts = [table.utterances[:1], table.utterances[1:2]]
    own = Chunks()
    first, second = as_blocks(own, "own", "cpu", parts)
    (other,) = as_blocks(Chunks(ChunksParams(mark=Path("m"))), "other", "cpu", parts[:1])
    assert kept_for(first, load) is kept_for(second, load)
    assert kept_for(first, load) is not own  # which may have its weights in memory
    kept_for(other, load)
    kept_for(first, load)
    let_go()
    kept_for(first, load)
    let_go()
    assert len(loaded) == 4


def test_other_weights_in_another_process_are_an_error(table: CorpusTable) -> None:
    (block,) = as_blocks(Chunks(), "own", "cpu", [table.utterances])
    with pytest.raises(TeacherError, match=r"own has other weights on .*chunks-1 there, older"):
        kept_for(replace(block, model="older"), lambda teacher: teacher)
