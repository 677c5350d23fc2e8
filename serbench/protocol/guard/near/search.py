"""All near-duplicates of a corpus: fingerprints, candidates, comparison."""

from __future__ import annotations

import hashlib
import itertools
import json
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import soxr

from serbench.api import Advance, CorpusError, StoreError
from serbench.data.corpus.table import HeardFile
from serbench.files.cache_kinds import kind_folder
from serbench.files.digests import name_digest
from serbench.files.source import core_digest
from serbench.files.threads import in_threads
from serbench.protocol.guard.near.cache import (
    Row,
    load_fingerprints,
    load_pairs,
    store_fingerprints,
    store_pairs,
)
from serbench.protocol.guard.near.fingerprints import Waveform, Words, fingerprint
from serbench.protocol.guard.near.index import MOST_FRAMES, candidates
from serbench.protocol.guard.near.verify import Prepared, compare, prepare
from serbench_runtime.audio.read import read_known

CODE = ("protocol/guard/near",)
"""Fingerprints and pairs of another version of this code are not read."""

THRESHOLD = 0.7
"""Two recordings with at least this similarity count as one. docs/near-duplicates.md says why."""

SILENT = hashlib.sha256(b"").hexdigest()
"""PCM digest of a recording without sound; the exact comparison reports these recordings."""

BLOCK = 1_000
"""Number of recordings whose fingerprints are stored together, and lost if the run is killed."""

KEPT = 512
"""Number of prepared waveforms in memory; each needs about 50 kB per second of speech."""


@dataclass(frozen=True, slots=True)
class NearPair:
    """Two recordings of a corpus that are copies of one another.

    Attributes:
        one: id of one recording, the smaller of the two ids.
        other: id of the other.
        similarity: absolute normalised cross-correlation over the common part, 0 … 1, to four
            digits.
        offset_s: how much later the common part begins in ``other`` than in ``one``, without
            digital silence at their starts.
    """

    one: str
    other: str
    similarity: float
    offset_s: float


def near_duplicates(
    recordings: Sequence[HeardFile], cache: Path, advance: Advance
) -> tuple[NearPair, ...]:
    """All pairs of ``recordings`` that are copies of one another, exact ones too.

    Silent recordings are in no pair. Results are cached below ``cache`` by ids and PCM digests,
    fingerprints by PCM digests alone.

    Args:
        recordings: recordings of a corpus; ids are unique.
        cache: root of the cache.
        advance: counts recordings while fingerprints are computed.

    Returns:
        Pairs with a similarity of ``THRESHOLD`` or more, sorted by ids.

    Raises:
        CorpusError: a file cannot be read, its audio does not have the stated digest, or it is
            longer than ``MOST_FRAMES``.
        StoreError: the cache cannot be written.
    """
    version = f"{core_digest(CODE)}, soxr {soxr.__version__}"
    folder = kind_folder(cache, "near") / name_digest(version, 16)
    stored = folder / "pairs" / f"{_corpus_key(recordings)}.json"
    rows = load_pairs(stored)
    if rows is None:
        rows = _find(recordings, folder, advance)
        store_pairs(stored, rows)
    return tuple(NearPair(*row) for row in rows)


def similar(
    fingerprints: Sequence[Words],
    waveform_of: Callable[[int], Waveform],
    folder: Path | None = None,
) -> list[tuple[int, int, float, float]]:
    """Pairs among N recordings with a similarity of ``THRESHOLD`` or more.

    Args:
        fingerprints: fingerprints of N recordings.
        waveform_of: gives ``(samples,)`` float32 at 16 kHz by position; called from threads.
        folder: folder of a temporary file; None: the system's folder for temporary files.

    Returns:
        (position, greater position, similarity, offset in seconds), sorted.

    Raises:
        StoreError: the temporary file cannot be written.
    """

    @lru_cache(maxsize=KEPT)
    def prepared(position: int) -> Prepared:
        return prepare(waveform_of(position))

    def compared(pair: tuple[int, int]) -> tuple[int, int, float, float]:
        likeness = compare(prepared(pair[0]), prepared(pair[1]))
        return (*pair, round(likeness.similarity, 4), round(likeness.offset_s, 4))

    folder = folder or Path(tempfile.gettempdir())
    try:
        pairs = [(int(one), int(other)) for one, other in candidates(fingerprints, folder)]
    except OSError as error:
        raise StoreError(
            f"cannot write a temporary file to {folder}: {error.strerror or error}; free space "
            "there, and run the same command again"
        ) from error
    return [row for row in in_threads(compared, pairs) if row[2] >= THRESHOLD]


def _find(recordings: Sequence[HeardFile], folder: Path, advance: Advance) -> list[Row]:
    by_digest: defaultdict[str, list[HeardFile]] = defaultdict(list)
    # Sorted by id, so that the order of ``recordings`` makes no difference.
    for recording in sorted(recordings, key=lambda r: r.id):
        by_digest[recording.pcm_sha256].append(recording)
    by_digest.pop(SILENT, None)
    groups = list(by_digest.values())
    fingerprints = _fingerprints(groups, folder / "fingerprints", advance)
    rows = list(itertools.chain.from_iterable(map(_exact, groups)))
    for one, other, similarity, offset_s in similar(
        fingerprints, lambda position: _read(groups[position][0]), folder
    ):
        rows.extend(_crossed(groups[one], groups[other], similarity, offset_s))
    return sorted(rows)


def _fingerprints(
    groups: Sequence[Sequence[HeardFile]], folder: Path, advance: Advance
) -> list[Words]:
    """Fingerprints of one recording of each group, from the cache if it has them."""
    first = {group[0].pcm_sha256: group[0] for group in groups}
    known = load_fingerprints(folder, set(first))
    missing = [recording for digest, recording in first.items() if digest not in known]
    for start in range(0, len(missing), BLOCK):
        block = missing[start : start + BLOCK]
        taken: dict[str, Words] = {}
        try:
            for recording, words in zip(block, in_threads(_taken, block), strict=True):
                taken[recording.pcm_sha256] = words
                advance(len(known) + len(taken), len(first))
        finally:  # also if stopped: fingerprints so far are stored
            store_fingerprints(folder, taken)
        known.update(taken)
    return [known[digest] for digest in first]


def _taken(recording: HeardFile) -> Words:
    words = fingerprint(_read(recording))
    if len(words) > MOST_FRAMES:
        raise CorpusError(
            f"{recording.path} is longer than {MOST_FRAMES // 360_000} hours, too long for the "
            "search for near-duplicates: cut it into utterances"
        )
    return words


def _read(recording: HeardFile) -> Waveform:
    """The recording's audio, which must have its digest, because results are cached by it."""
    return read_known(recording.path, recording.pcm_sha256)


def _exact(group: Sequence[HeardFile]) -> Iterator[Row]:
    for one, other in itertools.combinations(group, 2):
        yield one.id, other.id, 1.0, 0.0


def _crossed(
    left: Sequence[HeardFile], right: Sequence[HeardFile], similarity: float, offset_s: float
) -> Iterator[Row]:
    """Turn a pair of digests into pairs of ids."""
    for a, b in itertools.product(left, right):
        if a.id < b.id:
            yield a.id, b.id, similarity, offset_s
        else:
            yield b.id, a.id, similarity, -offset_s


def _corpus_key(recordings: Sequence[HeardFile]) -> str:
    rows = sorted((recording.id, recording.pcm_sha256) for recording in recordings)
    return hashlib.sha256(json.dumps([THRESHOLD, rows]).encode()).hexdigest()
