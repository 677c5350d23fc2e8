"""Frames of a whole corpus by a front end: computed once, and kept in the cache.

Frames do not depend on labels.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from serbench.api import Advance, FrontEnd
from serbench.data.corpus.table import Recording, Speech
from serbench.files.cache_kinds import kind_folder
from serbench.files.digests import name_digest
from serbench.files.kept import making
from serbench.files.threads import in_threads, limited_threads
from serbench.learning.blocks import Block, Spread, as_blocks, consecutive, here, kept_for
from serbench.learning.crops import heard
from serbench.learning.features import Frames
from serbench.learning.frame_files import FrameFiles, FrameWriter
from serbench.learning.front_ends import Extractor, identity_of
from serbench.learning.segments import hears_whole

VERSION = 4
"""Increased whenever the frames that a setting gives change, so that no stale cache is read."""


def speech_frames(
    table: Speech, front_end: FrontEnd, cache: Path, advance: Advance, spread: Spread = here
) -> Frames:
    """Frames of every utterance, from the cache or computed and kept there.

    They are written in blocks as they are computed, and are never in memory as a whole. A
    computation that was stopped for any reason continues after its last block. Processes that need
    the same frames at the same time wait for one of them to compute the frames.

    The frames are ``(total, d)`` float32, or float16 if the front end is ``half``; with
    ``normalise="utterance"`` each utterance's mean of each value is subtracted.

    Args:
        table: the corpus, or unlabelled audio.
        front_end: computes the frames.
        cache: root of the cache.
        advance: called with the progress after every utterance.
        spread: where blocks of speech are computed, if any are left to compute.

    Raises:
        CorpusError: an audio file can no longer be read, or has changed.
        StoreError: the cache cannot be written.
        TeacherError: the weights of a model that the front end runs are not available.
    """
    files = frame_files(table, front_end, cache)
    total = len(table.utterances)
    if (kept := files.read(total)) is None:
        with making(files.path):
            if (kept := files.read(total)) is None:
                _extract(table, front_end, files, advance, spread)
                kept = files.written(total)
    advance(total, total)
    values, count = kept
    ids = tuple(utterance.id for utterance in table.utterances)
    return frames_by(front_end, ids, values, count, files.path.name)


def frame_files(table: Speech, front_end: FrontEnd, cache: Path) -> FrameFiles:
    """The files of the frames in the cache; their names begin with a digest of corpus and front
    end.

    Raises:
        TeacherError: as ``speech_frames``.
    """
    recipe = {"version": VERSION, "corpus": table.digest, **identity_of(front_end)}
    key = name_digest(json.dumps(recipe, sort_keys=True), 24)
    return FrameFiles(kind_folder(cache, "features") / key)


def frames_by(
    front_end: FrontEnd,
    ids: tuple[str, ...],
    values: NDArray[np.floating],
    count: NDArray[np.int64],
    digest: str,
) -> Frames:
    """A front end's output as frames: ``values (total, d)``, ``count (U,)`` of each utterance."""
    framing = front_end.framing
    return Frames(
        ids,
        values,
        np.cumsum(count) - count,
        count,
        rate_hz=0.0 if framing is None else 1.0 / framing.hop_s,
        digest=digest,
        channels=front_end.channels,
        whole=hears_whole(framing),
    )


def extract_block(block: Block[FrontEnd]) -> list[NDArray[np.floating]]:
    """Frames of each recording of a block."""
    extract = kept_for(block, Extractor)
    return [extract(heard(each)) for each in block.recordings]


def _extract(
    table: Speech, front_end: FrontEnd, files: FrameFiles, advance: Advance, spread: Spread
) -> None:
    """Compute the frames that the cache does not have, and add them to those in the cache."""
    total = len(table.utterances)
    with FrameWriter(files) as writer:
        for piece in _pieces(front_end, table.utterances[len(writer.counts) :], spread):
            writer.add(piece)
            advance(len(writer.counts), total)
        writer.finish()


def _pieces(
    front_end: FrontEnd, left: Sequence[Recording], spread: Spread
) -> Iterator[NDArray[np.floating]]:
    """Frames of each recording, in their order."""
    mapper = spread(left[0]) if left else None
    if mapper is not None:
        blocks = as_blocks(front_end, front_end.name, "cpu", consecutive(left))
        yield from chain.from_iterable(mapper(extract_block, blocks))
        return
    extract = Extractor(front_end)
    # The last digits of a transform may depend on how many threads compute it.
    with limited_threads():
        # A model is loaded once, and used by one thread at a time.
        each_of = in_threads if front_end.card is None else map
        yield from each_of(lambda each: extract(heard(each)), left)
