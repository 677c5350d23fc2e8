"""Teachers' embeddings of a table. A table made of whole corpora uses the embeddings
of each corpus.

A teacher therefore embeds each corpus once, whichever classes and other corpora a run uses.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from serbench.api import Advance, Teacher
from serbench.data.corpus.derive import joined_id
from serbench.data.corpus.table import CorpusTable, Speech
from serbench.files.cache_kinds import kind_folder
from serbench.files.kept import check_kept, making, read_kept, write_kept
from serbench.learning.blocks import Spread, here
from serbench.learning.teach.embed import embed_corpus, embedding_key
from serbench.learning.teach.embeddings import TeacherEmbeddings

FRAMES = "frames.f16"
"""Name of the file of joined frames. In a teacher's own folder, the file of frames has
the same name.
"""

COMPLETE = "complete.json"
"""Name of the file that is written last in a teacher's pass."""

VERSION = 2
"""Increase this number if joined frames are stored in another way."""


def embed_table(
    teacher: Teacher,
    name: str,
    speech: Speech,
    cache: Path,
    device: torch.device,
    advance: Advance,
    spread: Spread = here,
) -> TeacherEmbeddings:
    """Embed tables of all kinds; see ``embed_corpus``.

    Raises:
        TeacherError, PluginError, StoreError: as ``embed_corpus``.
    """
    whole = speech.whole if isinstance(speech, CorpusTable) else ()
    if not whole:
        return embed_corpus(teacher, name, speech, cache, device, advance, spread)
    parts = [embed_corpus(teacher, name, each, cache, device, advance, spread) for each in whole]
    frames = parts[0].frames if len(parts) == 1 else _joined_frames(parts, cache)
    offsets = [0, *accumulate(len(part.frames) for part in parts)]
    place = {
        joined_id(table.name, i) if len(whole) > 1 else i: (number, row)
        for number, (table, part) in enumerate(zip(whole, parts, strict=True))
        for row, i in enumerate(part.ids)
    }
    ids = tuple(recording.id for recording in speech.utterances)
    rows = [place[i] for i in ids]
    if len(parts) == 1:
        pooled, pooled_row = parts[0].stored_pooled, _column([row for _, row in rows])
        if (stored_row := parts[0].pooled_row) is not None:
            pooled_row = stored_row[pooled_row]
    else:
        pooled = np.concatenate([part.pooled_of(part.ids) for part in parts])
        begins = [0, *accumulate(len(part.ids) for part in parts)]
        pooled_row = _column([begins[n] + row for n, row in rows])
    identity = [[part.digest for part in parts], ids]
    return TeacherEmbeddings(
        name=name,
        card=teacher.card,
        ids=ids,
        stored_pooled=pooled,
        frames=frames,
        frame_start=_column([offsets[n] + int(parts[n].frame_start[row]) for n, row in rows]),
        frame_count=_column([int(parts[n].frame_count[row]) for n, row in rows]),
        frame_rate_hz=parts[0].frame_rate_hz,
        digest=hashlib.sha256(json.dumps(identity).encode()).hexdigest(),
        pooled_row=pooled_row,
    )


def is_embedded(teacher: Teacher, speech: Speech, cache: Path) -> bool:
    """Whether ``embed_table`` finds everything in the cache.

    Raises:
        TeacherError: the teacher's weights are not available.
    """
    whole = speech.whole if isinstance(speech, CorpusTable) else ()
    keys = [embedding_key(teacher, each) for each in whole or (speech,)]
    folder = kind_folder(cache, "embeddings")
    return all((folder / f"{teacher.name}-{key[:32]}" / COMPLETE).is_file() for key in keys)


def _column(values: Sequence[int]) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


def _joined_frames(parts: Sequence[TeacherEmbeddings], cache: Path) -> NDArray[np.float16]:
    """The frames of all parts, one part after the other, in one file.

    Raises:
        StoreError: the cache cannot be written.
    """
    identity = [VERSION, *(part.digest for part in parts)]
    key = hashlib.sha256(json.dumps(identity).encode()).hexdigest()
    folder = kind_folder(cache, "embeddings") / f"joined-{key[:32]}"
    shape = (sum(len(part.frames) for part in parts), *parts[0].frames.shape[1:])
    with making(folder):
        if read_kept(folder / FRAMES, check_kept, "joined embeddings") is None:
            write_kept(folder / FRAMES, *(np.ascontiguousarray(part.frames).data for part in parts))
    return np.memmap(folder / FRAMES, np.float16, "r", shape=shape)
