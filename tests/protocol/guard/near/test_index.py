from __future__ import annotations

import io
import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serbench.protocol.guard.near import index
from serbench.protocol.guard.near.fingerprints import BITS, NO_WORD, WORD, Words, turned
from serbench.protocol.guard.near.index import (
    ENOUGH_VOTES,
    NEIGHBOURS,
    Occurrences,
    candidates,
    elected,
    wrong_bits,
)

NO_OFFSET = 1 << 23


def random_words(draw: np.random.Generator, frames: int) -> Words:
    least_certain = draw.integers(0, BITS, frames, dtype=np.uint32) << np.uint32(BITS)
    return draw.integers(0, 2**BITS, frames, dtype=np.uint32) | least_certain


def flipped(words: Words, share: float, draw: np.random.Generator) -> Words:
    """With a share of all bits turned."""
    wrong = draw.random((len(words), BITS)) < share
    return words ^ (wrong @ (1 << np.arange(BITS))).astype(np.uint32)


def brute_force_votes(fingerprints: list[Words]) -> Counter[tuple[int, int, int]]:
    """(one, other, offset) of every pair of equal words, bits turned or not, that begin there."""
    begun = [
        [
            (n, int(w))
            for kind in (np.where(words == NO_WORD, NO_WORD, words & WORD), turned(words))
            for n, w in enumerate(kind)
            if w != NO_WORD and (n == 0 or kind[n - 1] != w)
        ]
        for words in fingerprints
    ]
    return Counter(
        (one, other, m - n)
        for one, other in itertools.combinations(range(len(fingerprints)), 2)
        for n, w in begun[one]
        for m, v in begun[other]
        if w == v
    )


CONTENT = [1, 2, 3, 1 | (1 << BITS), 3 | (1 << BITS), 70_000, int(NO_WORD)]


def occurrences(fingerprints: list[Words]) -> Occurrences:
    return Occurrences(io.BytesIO(), fingerprints)


def all_votes(fingerprints: list[Words]) -> list[int]:
    found = occurrences(fingerprints)
    return [
        vote + (part.start * len(fingerprints) << 24)
        for part in found.ranges()
        for vote in found.votes(part).tolist()
    ]


def in_small_parts(patch: pytest.MonkeyPatch) -> None:
    """So that a few words are many pieces and ranges."""
    for name in ("OCCURRENCES_AT_ONCE", "VOTES_AT_ONCE", "BLOCK_FRAMES", "PAIRS_AT_ONCE"):
        patch.setattr(index, name, 7)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.sampled_from(CONTENT), max_size=9), max_size=5))
def test_votes_are_those_of_all_pairs(content: list[list[int]]) -> None:
    fingerprints = [np.array(words, np.uint32) for words in content]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "NEIGHBOURS", 1_000)
        in_small_parts(patch)
        cast = all_votes(fingerprints)
    got = Counter(
        (*divmod(vote >> 24, len(content)), (vote & (2 * NO_OFFSET - 1)) - NO_OFFSET)
        for vote in cast
    )
    assert got == brute_force_votes(fingerprints)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(CONTENT), max_size=40), max_size=8),
    st.integers(1, 4),
)
def test_parts_elect_what_one_sort_of_all_votes_elects(
    content: list[list[int]], neighbours: int
) -> None:
    """Also where a word is so frequent that each occurrence meets only some of the others."""
    fingerprints = [np.array(words, np.uint32) for words in content]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "NEIGHBOURS", neighbours)
        patch.setattr(index, "FEWEST_FRAMES", 3)
        expected = votes_of_one_sort(fingerprints)
        pairs = candidates(fingerprints)
        in_small_parts(patch)
        assert sorted(all_votes(fingerprints)) == expected
        assert candidates(fingerprints).tolist() == pairs.tolist()


def votes_of_one_sort(fingerprints: list[Words]) -> list[int]:
    """Votes by the definition: all occurrences sorted by their keys, each with those behind it."""
    kinds = [
        [np.where(words == NO_WORD, NO_WORD, words & WORD) for words in fingerprints],
        [turned(words) for words in fingerprints],
    ]
    found = [
        (int(word), recording, frame)
        for kind in kinds
        for recording, words in enumerate(kind)
        for frame, word in enumerate(words)
        if word != NO_WORD and (frame == 0 or words[frame - 1] != word)
    ]
    keys = index._shuffled(np.array([word for word, _, _ in found], np.uint32), 0)
    ordered = [found[place] for place in np.argsort(keys)]
    cast = []
    for place, here in enumerate(ordered):
        for there in ordered[place + 1 : place + 1 + index.NEIGHBOURS]:
            left, right = sorted([here[1:], there[1:]])
            if here[0] == there[0] and left[0] != right[0]:
                pair = left[0] * len(fingerprints) + right[0]
                cast.append((pair << 24) + right[1] - left[1] + NO_OFFSET)
    return sorted(cast)


def test_a_word_that_lasts_counts_once() -> None:
    third = np.uint32(
        2 << BITS
    )  # the third bit is the least certain: 9 turns into 13, and 1 into 5
    rows = occurrences(
        [np.array([9, 9, 9, 1, 9], np.uint32) + third, np.array([9, 9], np.uint32) + third]
    ).read(slice(0, 8))
    places = [divmod(place, 1 << 24) for place in rows["place"].tolist()]
    assert [sorted(places[a:b]) for a, b in ((0, 1), (1, 2), (2, 5), (5, 8))] == [
        [(0, 3)],  # 1
        [(0, 3)],  # 5
        [(0, 0), (0, 4), (1, 0)],  # 9
        [(0, 0), (0, 4), (1, 0)],  # 13
    ]
    assert rows["before"].tolist() == [0, 0, 0, 1, 2, 0, 1, 2]
    assert rows["behind"].tolist() == [0, 0, 2, 1, 0, 2, 1, 0]


def test_a_word_that_all_have_casts_a_bounded_number_of_votes() -> None:
    fingerprints = [np.array([7, n % 5], np.uint32) for n in range(3_000)]
    cast = all_votes(fingerprints)
    assert 0 < len(cast) <= 2 * 6_000 * NEIGHBOURS


def test_enough_votes_within_a_frame_of_each_other_elect_a_pair() -> None:
    def cast(one: int, other: int, *offsets: int) -> list[int]:
        return [((one * 10 + other) << 24) | (offset + NO_OFFSET) for offset in offsets]

    enough = (-5, -5, -4, -4, -3, -3)
    assert len(enough) == ENOUGH_VOTES
    ballot = [
        *cast(0, 1, *enough),
        *cast(0, 2, *enough[1:]),  # one too few
        *cast(1, 2, -2, -1, 0, 1, 2, 3),  # too far apart
        *cast(3, 9, 1, 1, 1, 1, 1, 1, 90, 90, 90),
    ]
    shuffled = np.random.default_rng(0).permutation(np.array(ballot))
    one, other, offset = elected(shuffled, 10)
    assert list(zip(one.tolist(), other.tolist(), offset.tolist(), strict=True)) == [
        (0, 1, -4), (3, 9, 1),
    ]  # fmt: skip


def test_wrong_bits_are_those_of_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "BLOCK_FRAMES", 50)
    draw = np.random.default_rng(0)
    fingerprints = [random_words(draw, n) for n in (60, 45, 200, 10)]
    fingerprints[2][20:30] = NO_WORD
    rows = [(0, 1, 4), (0, 2, -30), (1, 2, 100), (0, 3, 0), (2, 0, 5), (1, 2, 400)]
    one, other, offset = (np.array(column) for column in zip(*rows, strict=True))
    expected = []
    for a, b, later in rows:
        shares = [1.0]
        for shift in (later - 1, later, later + 1):
            both = [
                (int(x), int(fingerprints[b][n + shift]))
                for n, x in enumerate(fingerprints[a])
                if 0 <= n + shift < len(fingerprints[b])
            ]
            both = [(x, y) for x, y in both if NO_WORD not in (x, y)]
            if len(both) >= index.FEWEST_FRAMES:
                shares.append(
                    sum(((x ^ y) & int(WORD)).bit_count() for x, y in both) / (len(both) * BITS)
                )
        expected.append(min(shares))
    np.testing.assert_allclose(wrong_bits(fingerprints, one, other, offset), expected)


def test_copies_with_wrong_bits_are_candidates_and_others_are_not() -> None:
    draw = np.random.default_rng(1)
    originals = [random_words(draw, 200) for _ in range(200)]
    copies = [flipped(words[draw.integers(0, 60) :], 0.06, draw) for words in originals]
    found = candidates([*originals, *copies])
    assert found.tolist() == [[n, n + 200] for n in range(200)]


def test_a_recording_without_words_at_the_end_changes_nothing() -> None:
    words = random_words(np.random.default_rng(4), 200)
    found = candidates([words, words, words[:0], np.full(50, NO_WORD)])
    assert found.tolist() == [[0, 1]]


def test_more_recordings_than_votes_have_numbers_for_are_searched_in_parts() -> None:
    words = random_words(np.random.default_rng(5), 200)
    count = 800_000
    assert count**2 > index.PAIRS_AT_ONCE
    found = candidates([words[:0]] * (count - 2) + [words, words])
    assert found.tolist() == [[count - 2, count - 1]]


def test_a_recording_with_a_hundred_copies_is_linked_to_all_of_them() -> None:
    draw = np.random.default_rng(2)
    words = random_words(draw, 200)
    found = candidates([flipped(words, 0.02, draw) for _ in range(100)])
    assert len(found) == 100 * 99 // 2


def test_a_shared_stretch_among_much_else_is_no_candidate() -> None:
    """Six frames in common of 200: the share of wrong bits over the whole stays at chance."""
    draw = np.random.default_rng(3)
    one, other = random_words(draw, 200), random_words(draw, 200)
    other[50:56] = one[40:46]
    assert len(elected(np.array(all_votes([one, other])), 2)[0]) == 1
    assert len(candidates([one, other])) == 0


@pytest.mark.parametrize("count", [0, 1, 3])
def test_nothing_gives_nothing(count: int) -> None:
    assert candidates([np.empty(0, np.uint32)] * count).shape == (0, 2)


def test_every_word_silent_gives_nothing() -> None:
    assert len(candidates([np.full(50, NO_WORD), np.full(50, NO_WORD)])) == 0
