"""The head of the real Whisper-base encoder on the real EmoDB, by the paper's folds."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torch

from serbench.data.corpus.load import load_corpus
from serbench.data.corpus.table import CorpusTable
from serbench.learning.teach.crossfit import cross_fit
from serbench.learning.teach.embed import embed_corpus
from serbench.learning.teach.embeddings import TeacherEmbeddings
from serbench.learning.teach.heads import fit_head
from serbench.protocol.guard.view import PartitionView
from serbench.protocol.splits.outer import outer_splits
from serbench.settings import HeadSettings
from serbench_corpora.emodb import EmoDB
from serbench_teachers.speech_encoder import SpeechEncoder, SpeechEncoderParams

pytestmark = pytest.mark.real


def silent(_done: int, _total: int) -> None: ...


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def table(emodb: Path, cache: Path) -> CorpusTable:
    return load_corpus(EmoDB(EmoDB.Params()), "emodb", emodb, cache, silent)


def embed(folder: Path, table: CorpusTable, cache: Path) -> tuple[TeacherEmbeddings, float]:
    teacher = SpeechEncoder(SpeechEncoderParams(model=str(folder)))
    start_s = time.perf_counter()
    embeddings = embed_corpus(teacher, "whisper", table, cache, torch.device("cpu"), silent)
    return embeddings, time.perf_counter() - start_s


@pytest.fixture(scope="module")
def embedded(whisper_base: Path, table: CorpusTable, cache: Path) -> TeacherEmbeddings:
    embeddings, took_s = embed(whisper_base, table, cache)
    print(f"cold pass: {took_s:.1f} s")
    return embeddings


def test_head_on_unheard_speakers(embedded: TeacherEmbeddings, table: CorpusTable) -> None:
    predicted = np.empty(len(table.ids), np.int64)
    times_s = []
    for split in outer_splits(table, "paper", 5):
        view = PartitionView(split.train, table)
        start_s = time.perf_counter()
        train = embedded.fitting(view, "head")
        soft = cross_fit(train, HeadSettings(), 7)
        times_s.append(time.perf_counter() - start_s)
        head = fit_head(train, 7, soft.strength)
        rows = embedded.rows(split.test.ids)
        predicted[rows] = head.predict(embedded.pooled_of(split.test.ids)).argmax(axis=1)
    labels = table.label_index
    recall = [float((predicted[labels == c] == c).mean()) for c in range(7)]
    ua, wa = 100 * float(np.mean(recall)), 100 * float((predicted == labels).mean())
    print(f"UA {ua:.1f}, WA {wa:.1f}, cross_fit {np.round(times_s, 2)} s")
    assert 90.0 < ua < 94.0


def test_second_run_is_read_from_the_cache(
    embedded: TeacherEmbeddings, whisper_base: Path, table: CorpusTable, cache: Path
) -> None:
    again, took_s = embed(whisper_base, table, cache)
    print(f"warm: {took_s:.2f} s")
    assert again.digest == embedded.digest
    assert took_s < 3.0
