"""Embeddings of tables that are made of whole corpora: those of the wholes, heard once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests_support.tables import LABELS, noise_table

from serbench.data.corpus.derive import join, relabel
from serbench.data.corpus.table import CorpusTable
from serbench.learning.teach.embeddings import TeacherEmbeddings
from serbench.running.harness.embeddings import embed_table
from serbench_teachers.functionals import Functionals, FunctionalsParams


class Counting(Functionals):
    """Remembers how many utterances it heard."""

    heard = 0

    def embed(self, waveforms: list[torch.Tensor]) -> object:  # pyright: ignore[reportIncompatibleMethodOverride]
        type(self).heard += len(waveforms)
        return super().embed(waveforms)


@pytest.fixture
def teacher() -> Counting:
    Counting.heard = 0
    return Counting(FunctionalsParams())


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> tuple[CorpusTable, CorpusTable]:
    root = tmp_path_factory.mktemp("noise")
    one, two = (noise_table(root / name, 2, 2, seed) for seed, name in enumerate(("one", "two")))
    return one, CorpusTable("two", two.card, two.folder, two.utterances, two.digest)


def embed(teacher: Functionals, table: CorpusTable, cache: Path) -> TeacherEmbeddings:
    return embed_table(teacher, "t", table, cache, torch.device("cpu"), lambda *_: None)


def agree(whole: TeacherEmbeddings, own: str, made: TeacherEmbeddings, other: str) -> None:
    np.testing.assert_array_equal(whole.pooled_of([own]), made.pooled_of([other]))
    np.testing.assert_array_equal(whole.frames_of(own), made.frames_of(other))


def test_a_part_of_a_corpus_is_not_heard_again(
    teacher: Counting, tables: tuple[CorpusTable, CorpusTable], tmp_path: Path
) -> None:
    table = tables[0]
    part = relabel(table, "part", "m", {LABELS[0]: "x"})
    made = embed(teacher, part, tmp_path)
    whole = embed(teacher, table, tmp_path)
    assert teacher.heard == len(table.ids)
    assert made.ids == part.ids
    for utterance in part.ids:
        agree(whole, utterance, made, utterance)
    assert made.digest != whole.digest
    assert embed(teacher, part, tmp_path).digest == made.digest


def test_joined_corpora_are_each_heard_once(
    teacher: Counting, tables: tuple[CorpusTable, CorpusTable], tmp_path: Path
) -> None:
    one, two = tables
    wholes = [embed(teacher, each, tmp_path) for each in tables]
    mapped = [relabel(each, each.name, "m", {LABELS[0]: "x", LABELS[1]: "y"}) for each in tables]
    for joined in (join("j", [one], two), join("j", mapped[:1], mapped[1])):
        made = embed(teacher, joined, tmp_path)
        assert made.ids == joined.ids
        for whole, table in zip(wholes, tables, strict=True):
            for utterance in table.ids:
                agree(whole, utterance, made, f"{table.name}/{utterance}")
    assert teacher.heard == len(one.ids) + len(two.ids)


def test_another_order_of_corpora_is_another_pass(
    teacher: Counting, tables: tuple[CorpusTable, CorpusTable], tmp_path: Path
) -> None:
    one, two = tables
    there = embed(teacher, join("j", [one], two), tmp_path)
    back = embed(teacher, join("j", [two], one), tmp_path)
    assert there.digest != back.digest
    agree(there, there.ids[0], back, there.ids[0])
