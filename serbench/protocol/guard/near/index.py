"""Finds recordings that share words in the same order, by an inverted index instead of all pairs.

Every frame votes for the pairs (recording, recording, offset) in which its word occurs. It votes
again with the least certain bit of the word flipped, which finds most of the frames that a codec
has changed in one bit. Pairs with enough votes at one offset are compared bit by bit.

A word that occurs often would cast a quadratic number of votes. So each occurrence is compared with
at most ``NEIGHBOURS`` others before and after it, in an order that is shuffled differently for
every word: the work grows with the number of frames, and a recording with hundreds of copies is
still linked to them.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from serbench.protocol.guard.near.fingerprints import BITS, NO_WORD, WORD, Words, turned

NEIGHBOURS = 24
"""Greatest number of other occurrences of its word that a frame is compared with, on each side."""

ENOUGH_VOTES = 6
"""Fewest votes at one offset, to within one frame, for which a pair is compared. A pair of frames
may vote twice: by their words, and by these with one bit flipped."""

FEWEST_FRAMES = 20
"""Fewest frames in common for which the share of wrong bits is meaningful."""

MOST_WRONG = 0.36
"""Two recordings with a greater share of wrong bits over the common frames are not compared.

Chance gives 0.5. docs/near-duplicates.md gives the shares of real copies.
"""

BLOCK_FRAMES = 1 << 20
"""Number of frames that are processed together."""

_FRAME_BITS = 24
"""Number of bits for frames in a place, and in a vote."""

MOST_FRAMES = 1 << (_FRAME_BITS - 1)
"""Most frames of a recording: 23 hours. A vote is one number: the pair in its upper bits, the
offset in frames plus this number in its lower bits."""

_MIX = np.uint64(0x9E3779B97F4A7C15)
"""The golden ratio as a multiplier: spreads consecutive numbers over all 64 bits."""

Integers = NDArray[np.int64]

_IN_BUCKET = np.dtype([("key", "<u8"), ("place", "<i8")])
"""A word that is not sorted yet. The upper bits of the key are the word, its lower bits the word's
place among equal ones. ``place`` is the place in the corpus: the recording in its upper bits, the
frame in its lower bits."""

OCCURRENCE = np.dtype([("place", "<i8"), ("before", "<i4"), ("behind", "<i4")])
"""A sorted word: its place in the corpus, and the number of equal words on each side of it."""

_WORD_AT = np.uint64(40)
"""First bit of the word in a key."""

_BUCKETS = 256
_BUCKET_AT = np.uint32(BITS - 8)
"""Bit from which on a word is the number of its bucket; words are sorted bucket by bucket."""

OCCURRENCES_AT_ONCE = 1 << 21
"""Number of occurrences in memory at a time. All occurrences are in a temporary file."""

VOTES_AT_ONCE = 1 << 24
"""Number of votes that are counted together, for a range of recordings."""

PAIRS_AT_ONCE = 1 << (63 - _FRAME_BITS)
"""Number of pairs that votes can distinguish: a range of recordings with all recordings."""

_CELL_BITS = 22
"""Number of bits that pairs are hashed to, so that most pairs without enough votes are dropped
before sorting.
"""


def candidates(fingerprints: Sequence[Words], folder: Path | None = None) -> Integers:
    """Pairs of recordings that may be copies, so that their waveforms must be compared.

    Args:
        fingerprints: results of ``fingerprint`` for N recordings, each of at most ``MOST_FRAMES``.
        folder: folder of a temporary file, of up to 32 bytes a frame; None: the system's own.

    Returns:
        ``(pairs, 2)`` int64, positions in ``fingerprints``, the smaller first, sorted.

    Raises:
        OSError: the temporary file cannot be written.
    """
    if not fingerprints:
        return np.empty((0, 2), np.int64)
    with tempfile.TemporaryFile(dir=folder) as file:
        found = Occurrences(file, fingerprints)
        ranges = [
            elected(found.votes(part), len(fingerprints), part.start) for part in found.ranges()
        ]
    one, other, offset = (np.concatenate(column) for column in zip(*ranges, strict=True))
    alike = wrong_bits(fingerprints, one, other, offset) <= MOST_WRONG
    pairs = np.stack([one[alike], other[alike]], axis=1)
    return np.unique(pairs, axis=0)


class Occurrences:
    """Every word, and every word with a bit flipped, with its recording and frame; in a file.

    A word that lasts over several frames counts only in the first. Its repetitions say nothing more
    about the recording, but in a steady sound they would cast most of the votes.

    Args:
        file: an empty file to write to.
        fingerprints: fingerprints of N recordings.

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(self, file: BinaryIO, fingerprints: Sequence[Words]) -> None:
        self._file = file
        self._most_votes = np.zeros(len(fingerprints), np.int64)
        in_bucket = np.zeros(_BUCKETS, np.int64)
        for word, _, _ in _begun(fingerprints):
            in_bucket += np.bincount(word >> _BUCKET_AT, minlength=_BUCKETS)
        end = np.cumsum(in_bucket)
        self._write(fingerprints, end - in_bucket)
        self._pieces = [
            slice(int(end[part][0] - in_bucket[part][0]), int(end[part][-1]))
            for part in _blocks(in_bucket, OCCURRENCES_AT_ONCE)
        ]
        for piece in self._pieces:
            self._sort(piece)

    def read(self, piece: slice, kind: np.dtype[np.void] = OCCURRENCE) -> NDArray[np.void]:
        """Rows ``(occurrences,)`` of dtype ``kind``."""
        self._file.seek(piece.start * kind.itemsize)
        return np.frombuffer(self._file.read((piece.stop - piece.start) * kind.itemsize), kind)

    def ranges(self) -> list[slice]:
        """Ranges of consecutive recordings with about ``VOTES_AT_ONCE`` votes or fewer each."""
        most = max(1, PAIRS_AT_ONCE // max(len(self._most_votes), 1) - 1)
        return [
            slice(first, min(first + most, part.stop))
            for part in _blocks(self._most_votes, VOTES_AT_ONCE)
            for first in range(part.start, part.stop, most)
        ]

    def votes(self, recordings: slice) -> Integers:
        """One number for every vote for a pair, unsorted.

        Args:
            recordings: range with the smaller recording of each pair; votes count it from the
                range's start.
        """
        cast = np.empty(self._most_votes[recordings].sum(), np.int64)
        count = 0
        for piece in self._pieces:
            for votes in _cast(self.read(piece), recordings, len(self._most_votes)):
                cast[count : count + len(votes)] = votes
                count += len(votes)
        return cast[:count]

    def _write(self, fingerprints: Sequence[Words], place: Integers) -> None:
        """Write each occurrence into its bucket; ``place`` has the beginnings of the buckets."""
        count = 0
        for word, recording, frame in _begun(fingerprints):
            rows = np.empty(len(word), _IN_BUCKET)
            rows["key"], rows["place"] = _shuffled(word, count), (recording << _FRAME_BITS) | frame
            count += len(rows)
            bucket = (word >> _BUCKET_AT).astype(np.uint8)
            rows = rows[np.argsort(bucket, kind="stable")]
            ends = np.cumsum(np.bincount(bucket, minlength=_BUCKETS))
            for number, piece in enumerate(np.split(rows, ends[:-1])):
                self._put(int(place[number]), piece)
                place[number] += len(piece)

    def _put(self, place: int, rows: NDArray[np.void]) -> None:
        self._file.seek(place * rows.itemsize)
        self._file.write(rows.view(np.uint8).data)

    def _sort(self, piece: slice) -> None:
        """Sort whole buckets, and count how many votes each recording may cast in them."""
        found = self.read(piece, _IN_BUCKET)
        order = np.argsort(found["key"])
        word = found["key"][order] >> _WORD_AT
        first = np.flatnonzero(np.diff(word, prepend=~word[:1]))
        equal = np.diff(first, append=len(word))
        before = np.arange(len(word)) - np.repeat(first, equal)
        rows = np.empty(len(found), OCCURRENCE)
        rows["place"] = found["place"][order]
        rows["before"] = np.minimum(before, NEIGHBOURS)
        rows["behind"] = np.minimum(np.repeat(equal, equal) - 1 - before, NEIGHBOURS)
        self._put(piece.start, rows)
        votes, count = rows["before"] + rows["behind"], len(self._most_votes)
        self._most_votes += np.bincount(rows["place"] >> _FRAME_BITS, votes, count).astype(np.int64)


def _begun(fingerprints: Sequence[Words]) -> Iterator[tuple[Words, Integers, Integers]]:
    """Words in their first frames, their recordings and these frames, in pieces of ``(words,)``.

    First come all words as they are, then all words with a bit flipped.
    """
    length = np.array([len(words) for words in fingerprints], np.int64)
    for turn in (False, True):
        for part in _blocks(length, BLOCK_FRAMES):
            joined, first = _joined(fingerprints[part])
            counts = np.diff(first)
            recording = np.repeat(np.arange(part.start, part.stop), counts)
            frame = np.arange(len(joined)) - np.repeat(first[:-1], counts)
            word = np.where(joined == NO_WORD, NO_WORD, joined & WORD)
            if turn:
                word = turned(joined)
            begins = word != NO_WORD
            begins[1:] &= (word[1:] != word[:-1]) | (frame[1:] == 0)
            yield word[begins], recording[begins], frame[begins]


def _cast(rows: NDArray[np.void], recordings: slice, count: int) -> Iterator[Integers]:
    """Votes of sorted occurrences, in pieces; ``count`` is the number of all recordings."""
    place = rows["place"].copy()
    first, end = recordings.start << _FRAME_BITS, recordings.stop << _FRAME_BITS
    own = np.flatnonzero((place >= first) & (place < end))
    left = place[own] >> _FRAME_BITS
    # A vote is this plus the place of the right one. Its upper and lower bits are pair and offset,
    # as those of a place are recording and frame.
    row = left - recordings.start
    vote = (row * count << _FRAME_BITS) + MOST_FRAMES - (place[own] - (left << _FRAME_BITS))
    for direction, side in ((1, "behind"), (-1, "before")):
        here, begun, next_, equal = own, vote, (left + 1) << _FRAME_BITS, rows[side][own]
        for step in range(1, NEIGHBOURS + 1):
            more = equal >= step
            here, begun, next_, equal = here[more], begun[more], next_[more], equal[more]
            right = place[here + direction * step]
            yield (begun + right)[right >= next_]


def elected(cast: Integers, recordings: int, first: int = 0) -> tuple[Integers, Integers, Integers]:
    """Pairs and offsets with enough votes within three neighbouring offsets.

    Sorted votes of one pair and neighbouring offsets are next to each other. So there are enough of
    them if the vote ``ENOUGH_VOTES - 1`` places later is at most two offsets greater.

    Args:
        cast: votes ``(votes,)``; changed in place.
        recordings: number of all recordings.
        first: first recording of the range that cast the votes.

    Returns:
        The recordings of each pair, the smaller first, and how many frames later the second is;
        ``(elected,)`` int64 each. A pair may have several offsets.
    """
    hashed = (cast >> _FRAME_BITS).view(np.uint64)
    hashed *= _MIX
    hashed >>= np.uint64(64 - _CELL_BITS)
    cell = hashed.view(np.int64)
    cast = cast[(np.bincount(cell, minlength=1 << _CELL_BITS) >= ENOUGH_VOTES)[cell]]
    cast.sort()
    last = cast[ENOUGH_VOTES - 1 :]
    enough = np.flatnonzero(last - cast[: len(last)] <= 2)
    middle = np.unique(cast[enough + ENOUGH_VOTES // 2])
    pair, offset = middle >> _FRAME_BITS, (middle & (2 * MOST_FRAMES - 1)) - MOST_FRAMES
    return first + pair // max(recordings, 1), pair % max(recordings, 1), offset


def wrong_bits(
    fingerprints: Sequence[Words], one: Integers, other: Integers, offset: Integers
) -> NDArray[np.float64]:
    """Share of bits that differ over the frames in common.

    The offset may be wrong by one frame, so the best of three offsets is used. Silent frames are
    ignored.

    Returns:
        ``(candidates,)`` float64; 1 if too few frames are in common.
    """
    word, first = _joined(fingerprints)
    best = np.ones(len(one))
    for near in (-1, 0, 1):
        begin = np.maximum(0, -(offset + near))
        counts = np.diff(first)
        length = np.minimum(counts[one], counts[other] - (offset + near)) - begin
        length = np.maximum(length, 0)
        left, right = first[one] + begin, first[other] + begin + offset + near
        for rows in _blocks(length, BLOCK_FRAMES):
            share = _wrong_share(word, left[rows], right[rows], length[rows])
            best[rows] = np.minimum(best[rows], share)
    return best


def _joined(fingerprints: Sequence[Words]) -> tuple[Words, Integers]:
    """All words end to end, and where those of each recording begin; the end of the last, too."""
    first = np.zeros(len(fingerprints) + 1, np.int64)
    np.cumsum([len(words) for words in fingerprints], out=first[1:])
    return np.concatenate([np.empty(0, np.uint32), *fingerprints]), first


def _shuffled(word: Words, first: int) -> NDArray[np.uint64]:
    """Keys that sort by word, and equal words in an order that is different for every word.

    Args:
        word: occurrences of words.
        first: number of the first of them; the others have the following numbers.
    """
    number = np.arange(first, first + len(word), dtype=np.uint64)
    mixed = ((number << np.uint64(BITS)) ^ word) * _MIX
    mixed = (mixed ^ (mixed >> np.uint64(29))) * _MIX
    return (word.astype(np.uint64) << _WORD_AT) | (mixed >> np.uint64(64 - _WORD_AT))


def _blocks(length: Integers, at_once: int) -> list[slice]:
    """Slices of consecutive rows whose lengths add up to about ``at_once``."""
    if not len(length):
        return []
    block = np.cumsum(length) // at_once
    cuts = [0, *(np.flatnonzero(np.diff(block)) + 1).tolist(), len(length)]
    return [slice(a, b) for a, b in itertools.pairwise(cuts)]


def _wrong_share(
    word: Words, left: Integers, right: Integers, length: Integers
) -> NDArray[np.float64]:
    row = np.repeat(np.arange(len(length)), length)
    step = np.arange(len(row)) - np.repeat(np.cumsum(length) - length, length)
    a, b = word[left[row] + step], word[right[row] + step]
    sounds = (a != NO_WORD) & (b != NO_WORD)
    wrong = np.bincount(row, np.bitwise_count((a ^ b) & WORD) * sounds, len(length))
    frames = np.bincount(row, sounds, len(length))
    return np.where(frames < FEWEST_FRAMES, 1.0, wrong / np.maximum(frames * BITS, 1))
