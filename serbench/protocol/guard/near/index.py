"""Which recordings share words in the same order: an inverted index, not all pairs.

Every frame votes for the pairs (recording, recording, offset) in which its word occurs, and so does
its word with the least certain bit turned, which finds most of the frames that a codec has changed
in one bit. Pairs with enough votes at one offset are looked at bit by bit.

A word that occurs often would cast a quadratic number of votes, so each occurrence is compared with
``NEIGHBOURS`` others at most, in an order that is shuffled anew for every word: the work grows with
the number of frames, and a recording with hundreds of copies is still linked to them.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from serbench.protocol.guard.near.fingerprints import BITS, NO_WORD, WORD, Words, turned

NEIGHBOURS = 24
"""Occurrences of its word that a frame is compared with."""

ENOUGH_VOTES = 6
"""Votes at one offset, a frame more or less, that make a pair worth a look. A pair of frames may
vote twice: by their words, and by these with one bit turned."""

FEWEST_FRAMES = 20
"""Frames in common, below which a share of wrong bits says nothing."""

MOST_WRONG = 0.36
"""Share of wrong bits over the common frames, from which on two recordings are not compared.

Chance gives 0.5. See docs/near-duplicates.md for what copies have.
"""

BLOCK_FRAMES = 1 << 22
"""Frames of candidates that are looked at together."""

_OFFSET_BITS = 24
_NO_OFFSET = 1 << (_OFFSET_BITS - 1)
"""Votes are one number: the pair above, the offset in frames plus this below (up to 23 hours)."""

_MIX = np.uint64(0x9E3779B97F4A7C15)
"""The golden ratio as a multiplier: spreads consecutive numbers over all 64 bits."""

Integers = NDArray[np.int64]


def candidates(fingerprints: Sequence[Words]) -> Integers:
    """Pairs of recordings that may be copies, for their waveforms to be compared.

    Args:
        fingerprints: of N recordings, as ``fingerprint`` gives them.

    Returns:
        ``(pairs, 2)`` int64, positions in ``fingerprints``, the smaller first, sorted.
    """
    one, other, offset = elected(votes(*occurrences(fingerprints)), len(fingerprints))
    alike = wrong_bits(fingerprints, one, other, offset) <= MOST_WRONG
    pairs = np.stack([one[alike], other[alike]], axis=1)
    return np.unique(pairs, axis=0)


def occurrences(
    fingerprints: Sequence[Words],
) -> tuple[Words, NDArray[np.int32], NDArray[np.int32]]:
    """Every word, and every word with a bit turned, with its recording and frame.

    ``(words,)`` each, equal words side by side. A word that lasts counts once, where it begins:
    repeating it says nothing more about the recording, but in a steady sound it would cast most of
    the votes.
    """
    joined, first = _joined(fingerprints)
    counts = np.diff(first)
    recording = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    frame = (np.arange(len(joined)) - np.repeat(first[:-1], counts)).astype(np.int32)
    bare = np.where(joined == NO_WORD, NO_WORD, joined & WORD)
    words, places = [], []
    for word in (bare, turned(joined)):
        begins = np.ones(len(word), np.bool_)
        begins[1:] = (word[1:] != word[:-1]) | (frame[1:] == 0)
        places.append(np.flatnonzero(begins & (word != NO_WORD)))
        words.append(word[places[-1]])
    word, place = np.concatenate(words), np.concatenate(places)
    order = np.argsort(_shuffled(word))
    return word[order], recording[place[order]], frame[place[order]]


def votes(word: Words, recording: NDArray[np.int32], frame: NDArray[np.int32]) -> Integers:
    """One number for every vote, unsorted, from what ``occurrences`` gives."""
    cast = [np.empty(0, np.int64)]
    recordings = int(recording.max(initial=0)) + 1
    here = np.arange(len(word))
    for step in range(1, NEIGHBOURS + 1):
        here = here[: np.searchsorted(here, len(word) - step)]
        here = here[word[here] == word[here + step]]
        if not len(here):
            break
        left, right = recording[here].astype(np.int64), recording[here + step].astype(np.int64)
        later = (frame[here + step] - frame[here]).astype(np.int64)
        later = np.where(left < right, later, -later) + _NO_OFFSET
        pair = np.minimum(left, right) * recordings + np.maximum(left, right)
        cast.append(((pair << _OFFSET_BITS) | later)[left != right])
    return np.concatenate(cast)


def elected(cast: Integers, recordings: int) -> tuple[Integers, Integers, Integers]:
    """Pairs and offsets with enough votes within three neighbouring offsets.

    Sorted votes of one pair and neighbouring offsets lie together, so there are enough of them
    where the vote ``ENOUGH_VOTES - 1`` places on is at most two offsets further.

    Returns:
        The recordings of each pair, the smaller first, and how many frames later the second is;
        ``(elected,)`` int64 each. A pair may have several offsets.
    """
    ordered = np.sort(cast)
    last = ordered[ENOUGH_VOTES - 1 :]
    enough = np.flatnonzero(last - ordered[: len(last)] <= 2)
    middle = np.unique(ordered[enough + ENOUGH_VOTES // 2])
    pair, offset = middle >> _OFFSET_BITS, (middle & (2 * _NO_OFFSET - 1)) - _NO_OFFSET
    return pair // max(recordings, 1), pair % max(recordings, 1), offset


def wrong_bits(
    fingerprints: Sequence[Words], one: Integers, other: Integers, offset: Integers
) -> NDArray[np.float64]:
    """Share of bits that differ over the frames in common.

    The offset may be off by a frame, so the best of three counts. Silent frames do not.

    Returns:
        ``(candidates,)`` float64; 1 where too few frames are in common.
    """
    word, first = _joined(fingerprints)
    best = np.ones(len(one))
    for near in (-1, 0, 1):
        begin = np.maximum(0, -(offset + near))
        counts = np.diff(first)
        length = np.minimum(counts[one], counts[other] - (offset + near)) - begin
        length = np.maximum(length, 0)
        left, right = first[one] + begin, first[other] + begin + offset + near
        for rows in _blocks(length):
            share = _wrong_share(word, left[rows], right[rows], length[rows])
            best[rows] = np.minimum(best[rows], share)
    return best


def _joined(fingerprints: Sequence[Words]) -> tuple[Words, Integers]:
    """All words end to end, and where each recording's begin, with the end of the last."""
    first = np.zeros(len(fingerprints) + 1, np.int64)
    np.cumsum([len(words) for words in fingerprints], out=first[1:])
    return np.concatenate([np.empty(0, np.uint32), *fingerprints]), first


def _shuffled(word: Words) -> NDArray[np.uint64]:
    """A key that sorts by word, and within a word in an order of that word's own."""
    mixed = ((np.arange(len(word), dtype=np.uint64) << np.uint64(BITS)) ^ word) * _MIX
    mixed = (mixed ^ (mixed >> np.uint64(29))) * _MIX
    return (word.astype(np.uint64) << np.uint64(32)) | (mixed >> np.uint64(32))


def _blocks(length: Integers) -> list[slice]:
    """Consecutive rows with about ``BLOCK_FRAMES`` frames in all."""
    if not len(length):
        return []
    block = np.cumsum(length) // BLOCK_FRAMES
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
