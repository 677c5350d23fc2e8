"""A frozen teacher's single pass over a corpus, and its cache. No label is read here."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch

from serbench.api import Advance, PluginError, Teacher, TeacherError
from serbench.data.corpus.table import Recording, Speech
from serbench.files.cache_kinds import kind_folder
from serbench.files.kept import making
from serbench.files.threads import limited_threads
from serbench.learning.blocks import (
    BLOCK_RECORDINGS,
    BLOCK_S,
    Block,
    Spread,
    as_blocks,
    here,
    kept_for,
)
from serbench.learning.crops import heard
from serbench.learning.teach.cache import (
    Embedded,
    EmbeddingWriter,
    StoredEmbeddings,
    load_complete,
)
from serbench.learning.teach.embeddings import TeacherEmbeddings

_LOG = logging.getLogger(__name__)

VERSION = 3
"""Increased whenever a teacher's embeddings change, so that no stale cache is read."""


def embed_corpus(
    teacher: Teacher,
    name: str,
    table: Speech,
    cache: Path,
    device: torch.device,
    advance: Advance,
    spread: Spread = here,
) -> TeacherEmbeddings:
    """Embed every utterance of ``table``, or read the embeddings of an earlier run.

    The cache's key covers ids, PCM digests, the teacher's class, parameters and weights. A second
    run neither loads the model nor reads audio; an interrupted one continues after its last batch.
    Processes that need the same embeddings at the same time wait for one of them to compute them.

    Args:
        teacher: the plugin; loaded only if something is left to embed.
        name: the teacher's name in the registry.
        table: the corpus, or unlabelled audio.
        cache: root of the cache.
        device: where the teacher runs.
        advance: called with seconds of speech in whole numbers: done and total.
        spread: where batches are computed, if any are left to compute.

    Raises:
        TeacherError: the weights are not available, the cache cannot be written, disk or memory
            is full, or embeddings are not finite.
        StoreError: no cache can be written there.
        PluginError: the teacher's output does not have the contract's shapes.
    """
    key = embedding_key(teacher, table)
    folder = kind_folder(cache, "embeddings") / f"{teacher.name}-{key[:32]}"
    total_s = round(sum(u.duration_s for u in table.utterances))
    with making(folder):
        stored = load_complete(folder)
        if stored is None:
            _run_teacher(teacher, name, table, folder, device, advance, spread)
            stored = load_complete(folder)
    if stored is None:
        raise TeacherError(f"the embeddings just written to {folder} cannot be read back")
    advance(total_s, total_s)
    return _in_table_order(stored, teacher, name, table)


def embedding_key(teacher: Teacher, table: Speech) -> str:
    """sha256 (hex) of everything that the embeddings depend on.

    Raises:
        TeacherError: the teacher's weights are not available.
    """
    identity = {
        "version": VERSION,
        "teacher": teacher.name,
        "params": teacher.params.model_dump(mode="json"),
        "model": teacher.model_digest,
        "audio": [[u.id, u.pcm_sha256, u.duration_s] for u in table.utterances],
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def batches(utterances: Sequence[Recording]) -> Iterator[list[Recording]]:
    """Batches of utterances of similar length, the longest first: lack of memory shows at once."""
    batch: list[Recording] = []
    for utterance in sorted(utterances, key=lambda u: (-u.duration_s, u.id)):
        longest_s = batch[0].duration_s if batch else utterance.duration_s
        if batch and (longest_s * (len(batch) + 1) > BLOCK_S or len(batch) == BLOCK_RECORDINGS):
            yield batch
            batch = []
        batch.append(utterance)
    if batch:
        yield batch


def embed_block(block: Block[Teacher]) -> Embedded:
    """Embeddings of a block, computed as one batch."""

    def load(teacher: Teacher) -> Teacher:
        teacher.load(torch.device(block.device))
        return teacher

    return _embed_batch(kept_for(block, load), block.name, block.recordings)


def _run_teacher(
    teacher: Teacher,
    name: str,
    table: Speech,
    folder: Path,
    device: torch.device,
    advance: Advance,
    spread: Spread,
) -> None:
    """Embed the utterances that are not in ``folder`` yet, batch by batch."""
    total_s = sum(u.duration_s for u in table.utterances)
    with EmbeddingWriter(folder) as writer:
        done = set(writer.layout.ids)
        left = [u for u in table.utterances if u.id not in done]
        left_s = sum(u.duration_s for u in left)
        if done:
            _LOG.info(
                "%s: continuing after %d of %d utterances", name, len(done), len(table.utterances)
            )
        advance(round(total_s - left_s), round(total_s))
        rate_hz = 0.0
        for batch, made in zip(
            batches(left), _embedded(teacher, name, left, device, spread), strict=True
        ):
            batch_s = sum(u.duration_s for u in batch)
            _check_room(folder, made, left_s / batch_s)
            writer.append([u.id for u in batch], made)
            left_s -= batch_s
            rate_hz = made.frame_rate_hz
            advance(round(total_s - left_s), round(total_s))
        if not rate_hz:  # an earlier pass has computed all batches
            teacher.load(device)
            rate_hz = teacher.frame_rate_hz
        writer.finish(rate_hz)


def _embedded(
    teacher: Teacher, name: str, left: Sequence[Recording], device: torch.device, spread: Spread
) -> Iterator[Embedded]:
    """Embeddings of each batch of ``left``."""
    mapper = spread(left[0]) if left else None
    if mapper is not None:
        yield from mapper(embed_block, as_blocks(teacher, name, str(device), batches(left)))
    elif left:
        teacher.load(device)
        # The last digits of some encoders depend on the number of threads.
        with limited_threads() if device.type == "cpu" else nullcontext():
            for batch in batches(left):
                yield _embed_batch(teacher, name, batch)


def _embed_batch(teacher: Teacher, name: str, batch: Sequence[Recording]) -> Embedded:
    """Run the teacher on one batch and check its output by the contract."""
    waveforms = [torch.from_numpy(heard(u)) for u in batch]
    try:
        features = teacher.embed(waveforms)
    except torch.OutOfMemoryError as error:
        raise TeacherError(
            f"{name} runs out of memory on {len(batch)} utterances of up to "
            f"{batch[0].duration_s:.1f} s; use --device cpu, or a smaller teacher"
        ) from error
    if len(features) != len(batch):
        raise PluginError(f"{name} gave {len(features)} embeddings for {len(batch)} utterances")
    layers, pooled_dim = features[0].pooled.shape
    frame_dim = features[0].frames.shape[-1]
    for utterance, feature in zip(batch, features, strict=True):
        frames = feature.frames
        if (
            feature.pooled.shape != (layers, pooled_dim)
            or frames.ndim != 3
            or (frames.shape[0], frames.shape[2]) != (layers, frame_dim)
            or not frames.shape[1]
        ):
            raise PluginError(
                f"{name} on {utterance.id}: pooled {tuple(feature.pooled.shape)} and frames "
                f"{tuple(frames.shape)}, but (L, P) and (L, F, D) are expected with L = {layers}, "
                f"P = {pooled_dim}, D = {frame_dim} and F > 0"
            )
        if not (torch.isfinite(feature.pooled).all() and torch.isfinite(frames).all()):
            raise TeacherError(
                f"{name} on {utterance.id} ({utterance.path}): the embedding is not finite; "
                "listen to the file, or set the teacher's precision to fp32"
            )
    return Embedded.of(features, teacher.frame_rate_hz)


def _check_room(folder: Path, made: Embedded, batches_left: float) -> None:
    """Raise TeacherError if the rest of the pass will not fit on the disk."""
    batch_bytes = made.frames.nbytes + made.pooled.nbytes
    needed, free = int(batch_bytes * batches_left), shutil.disk_usage(folder).free
    if needed > free:
        raise TeacherError(
            f"not enough disk space for the embeddings: {needed / 1e6:.0f} MB needed, "
            f"{free / 1e6:.0f} MB free in {folder.parent}; free space there, choose another cache "
            "folder, or use one layer instead of a mix"
        )


def _in_table_order(
    stored: StoredEmbeddings, teacher: Teacher, name: str, table: Speech
) -> TeacherEmbeddings:
    position = {id_: row for row, id_ in enumerate(stored.layout.ids)}
    ids = tuple(recording.id for recording in table.utterances)
    order = np.array([position[id_] for id_ in ids], dtype=np.int64)
    counts = np.array(stored.layout.counts, dtype=np.int64)
    starts = np.array([0, *accumulate(stored.layout.counts)], dtype=np.int64)[:-1]
    return TeacherEmbeddings(
        name=name,
        card=teacher.card,
        ids=ids,
        stored_pooled=stored.pooled,
        frames=stored.frames,
        frame_start=starts[order],
        frame_count=counts[order],
        frame_rate_hz=stored.frame_rate_hz,
        digest=stored.digest,
        pooled_row=order,
    )
