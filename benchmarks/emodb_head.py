"""What the measurements of a teacher's head on EmoDB share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import torch

from serbench.data.corpus.load import load_corpus
from serbench.data.corpus.table import CorpusTable
from serbench.files.paths import cache_folder
from serbench.learning.teach.crossfit import cross_fit
from serbench.learning.teach.embed import embed_corpus
from serbench.learning.teach.embeddings import TeacherEmbeddings
from serbench.learning.teach.heads import fit_head
from serbench.protocol.guard.view import PartitionView
from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry
from serbench.settings import HeadSettings


def load(parser: argparse.ArgumentParser) -> tuple[CorpusTable, TeacherEmbeddings]:
    """EmoDB and a teacher's embeddings of it, from the folders on the command line."""
    given = parser.parse_args()
    registry, cache = load_registry(load_plugins()), cache_folder()
    corpus = registry.make("corpora", "emodb")
    table = load_corpus(corpus, "emodb", given.corpus, cache, silent)  # pyright: ignore[reportArgumentType]
    teacher = registry.make("teachers", "speech-encoder", {"model": str(given.teacher)})
    embeddings = embed_corpus(
        teacher, given.teacher.name, table, cache, torch.device("cpu"), silent  # pyright: ignore[reportArgumentType]
    )  # fmt: skip
    return table, embeddings


def head(
    embeddings: TeacherEmbeddings, view: PartitionView, table: CorpusTable, ids: Sequence[str]
) -> list[int]:
    """Classes that a head of ``view`` predicts for ``ids``; its strength is chosen inside."""
    classes = len(table.labels)
    train = embeddings.fitting(view, "head")
    made = fit_head(train, classes, cross_fit(train, HeadSettings(), classes).strength)
    return made.predict(embeddings.pooled_of(ids)).argmax(axis=1).tolist()


def silent(done: int, total: int) -> None:
    """Nothing here takes long."""
