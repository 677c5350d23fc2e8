"""What the benchmarks share: a corpus of EmoDB's size and shape whose audio is random numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from serbench.api import Batch, CorpusCard, Loss, LossShape, StudentOutput, TeacherCard
from serbench.data.corpus.table import CorpusTable, Utterance
from serbench.learning.features import Frames
from serbench.learning.teach.embeddings import TeacherEmbeddings
from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry
from serbench.running.registry.lookup import Registry

LABELS = ("anger", "boredom", "disgust", "fear", "happiness", "neutral", "sadness")
SPEAKERS = tuple(f"s{number:02d}" for number in range(1, 11))
UTTERANCES = 535
RATE_HZ = 100.0
WINDOW_FRAMES = 300
BATCH_SIZE = 32
POOLED_DIM = 1024

MakeLoss = Callable[[str, StudentOutput, Batch], nn.Module]


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def registry() -> Registry:
    return load_registry(load_plugins())


@pytest.fixture(scope="session")
def table() -> CorpusTable:
    """535 utterances of 1.5 to 5 s by ten speakers, in seven classes."""
    draw = np.random.default_rng(0)
    card = CorpusCard(
        title="random", language="none", licence="none", home="none", citation="none",
        elicitation="synthetic", labels=LABELS,
        fold_sets={"pairs": tuple(zip(SPEAKERS[::2], SPEAKERS[1::2], strict=True))},
    )  # fmt: skip
    utterances = tuple(
        Utterance(
            id=f"u{number:04d}",
            path=Path(f"u{number:04d}.wav"),
            speaker=SPEAKERS[number % len(SPEAKERS)],
            session=None,
            label=LABELS[number // len(SPEAKERS) % len(LABELS)],
            text=f"t{number % 13}",
            duration_s=float(duration_s),
            sample_rate_hz=16_000,
            channels=1,
            pcm_sha256=f"{number:064x}",
        )
        for number, duration_s in enumerate(draw.uniform(1.5, 5.0, UTTERANCES).round(2))
    )
    return CorpusTable("random", card, Path(), utterances, "random")


@pytest.fixture(scope="session")
def frames(table: CorpusTable) -> Frames:
    """Log-mel frames of the corpus: 40 filters, 100 frames a second."""
    draw = np.random.default_rng(1)
    count = np.array([round(u.duration_s * RATE_HZ) for u in table.utterances], dtype=np.int64)
    values = draw.normal(size=(int(count.sum()), 40)).astype(np.float32)
    return Frames(table.ids, values, np.cumsum(count) - count, count, RATE_HZ, "random")


@pytest.fixture(scope="session")
def embeddings(table: CorpusTable) -> TeacherEmbeddings:
    """A teacher of 1024 pooled dimensions in which classes and speakers show."""
    draw = np.random.default_rng(2)
    classes = draw.normal(size=(len(LABELS), POOLED_DIM))
    voices = dict(zip(SPEAKERS, draw.normal(size=(len(SPEAKERS), POOLED_DIM)), strict=True))
    pooled = 0.3 * classes[table.label_index] + draw.normal(size=(len(table.ids), POOLED_DIM))
    pooled += np.stack([voices[u.speaker] for u in table.utterances])
    return TeacherEmbeddings(
        name="random",
        card=TeacherCard("random", "none", "none", "none"),
        ids=table.ids,
        stored_pooled=pooled[:, None].astype(np.float32),
        frames=np.zeros((len(table.ids), 1, 8), np.float16),
        frame_start=np.arange(len(table.ids)),
        frame_count=np.ones(len(table.ids), np.int64),
        frame_rate_hz=50.0,
        digest="random",
    )


@pytest.fixture(scope="session")
def batch() -> Batch:
    """32 windows of 3 s with one teacher's soft targets and pooled embeddings."""
    generator = torch.Generator().manual_seed(3)
    features = torch.randn(BATCH_SIZE, 3, 40, WINDOW_FRAMES, generator=generator)
    return Batch(
        features=features.contiguous(memory_format=torch.channels_last),
        lengths=torch.linspace(150, WINDOW_FRAMES, BATCH_SIZE).long(),
        labels=torch.arange(BATCH_SIZE) % len(LABELS),
        teacher_logits=torch.randn(1, BATCH_SIZE, len(LABELS), generator=generator),
        teacher_pooled=(torch.randn(BATCH_SIZE, POOLED_DIM, generator=generator),),
    )


@pytest.fixture(scope="session")
def make_loss(registry: Registry) -> MakeLoss:
    """A loss of the registry as a module that fits a student's output."""

    def make(name: str, output: StudentOutput, batch: Batch) -> nn.Module:
        loss: Loss = registry.make("losses", name)  # pyright: ignore[reportAssignmentType]
        return loss.build(
            LossShape(
                num_classes=output.logits.shape[1],
                embedding_dim=output.embedding.shape[1],
                map_dims=tuple((m.shape[1], m.shape[2]) for m in output.maps),
                last_map_dim=output.last_map.shape[1],
                pooled_dims=tuple(pooled.shape[1] for pooled in batch.teacher_pooled),
                num_teachers=len(batch.teacher_logits),
            )
        )

    return make
