from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from serbench.checks.survey.alike import (
    Integers,
    Voices,
    area,
    make_voices,
    numbers,
    same_recording_area,
    same_voice_area,
    split_widths,
    told_apart,
)

SPEAKERS, EMOTIONS, SENTENCES, TAKES = 6, 3, 4, 3


def spoken(voice: float) -> tuple[NDArray[np.float32], list[tuple[int, int, int]]]:
    """Halves ``(U, 2, 8)`` of every speaker, emotion and sentence, and which they are."""
    draw = np.random.default_rng(0)
    who, how, what = (draw.normal(size=(n, 8)) for n in (SPEAKERS, EMOTIONS, SENTENCES))
    every = [
        (s, e, t)
        for s in range(SPEAKERS)
        for e in range(EMOTIONS)
        for t in range(SENTENCES)
        for _ in range(TAKES)
    ]
    centre = np.stack([voice * who[s] + 2 * how[e] + 0.3 * what[t] for s, e, t in every])
    own = centre + draw.normal(0, 0.3, centre.shape)
    return (own[:, None] + draw.normal(0, 0.5, (len(every), 2, 8))).astype(np.float32), every


def parts(voice: float = 1.5) -> tuple[Voices, Integers]:
    halves, every = spoken(voice)
    emotions = [f"e{e}" for _, e, _ in every]
    voices = make_voices(halves, emotions, emotions, [f"t{t}" for _, _, t in every])
    return voices, np.array([s for s, _, _ in every])


@pytest.mark.parametrize(("same", "other", "expected"), [
    ([2.0, 3.0], [0.0, 1.0], 1.0),
    ([0.0, 1.0], [2.0, 3.0], 0.0),
    ([1.0, 1.0], [1.0], 0.5),
])  # fmt: skip
def test_the_area_counts_pairs_and_halves_ties(
    same: list[float], other: list[float], expected: float
) -> None:
    assert area(np.array(same), np.array(other)) == expected


def test_voices_are_heard_where_there_are_voices_and_not_else() -> None:
    voices, ids = parts()
    heard = same_voice_area(voices, ids)
    assert heard is not None
    assert heard > 0.9
    assert same_recording_area(voices) > 0.9
    silent, ids = parts(voice=0.0)
    nothing = same_voice_area(silent, ids)
    assert nothing == pytest.approx(0.5, abs=0.03)


def test_only_other_emotions_and_sentences_are_compared() -> None:
    voices, _ = parts()
    assert same_voice_area(voices, voices.emotions) is None
    assert same_voice_area(voices, voices.sentences) is None


def test_two_ids_are_told_apart_by_what_other_emotions_and_sentences_say() -> None:
    voices, ids = parts()
    split = np.where((ids == 0) & (np.arange(len(ids)) % 2 == 0), SPEAKERS, ids)
    apart = told_apart(voices, split)
    np.testing.assert_array_equal(apart, apart.T)
    assert np.isnan(np.diag(apart)).all()
    assert apart[0, SPEAKERS] == pytest.approx(0.5, abs=0.2)
    others = [apart[a, b] for a in range(SPEAKERS) for b in range(a)]
    assert min(others) > 0.85


def test_told_apart_is_what_a_plain_loop_says() -> None:
    voices, ids = parts()
    some = np.flatnonzero(ids < 3)
    right: dict[tuple[int, int], list[bool]] = {}
    for n in some.tolist():
        distances = {}
        for k in range(3):
            gallery = [
                m for m in some.tolist()
                if ids[m] == k and voices.emotions[m] != voices.emotions[n]
                and voices.sentences[m] != voices.sentences[n]
            ]  # fmt: skip
            values = voices.values[gallery]
            error = values.var(axis=0).sum() / (len(gallery) - 1)
            distances[k] = np.square(voices.values[n] - values.mean(axis=0)).sum() - error
        for k in range(3):
            if k != ids[n]:
                right.setdefault((int(ids[n]), k), []).append(distances[ids[n]] < distances[k])
    few = Voices(
        voices.values[some], voices.halves[some], voices.emotions[some], voices.sentences[some]
    )
    apart = told_apart(few, ids[some])
    for a, b in ((0, 1), (0, 2), (1, 2)):
        expected = (np.mean(right[a, b]) + np.mean(right[b, a])) / 2
        assert apart[a, b] == pytest.approx(expected)


def test_two_voices_under_one_id_lie_further_apart_than_one() -> None:
    voices, ids = parts()
    merged = np.where(ids == 5, 4, ids)
    single = split_widths(voices, ids, np.arange(SPEAKERS))
    width, place = split_widths(voices, merged, np.array([4]))[4]
    assert width > max(each[0] for each in single.values())
    whose, second = ids[merged == 4], place > 0
    assert len(set(whose[second].tolist())) == len(set(whose[~second].tolist())) == 1


def test_too_few_other_ids_give_no_width() -> None:
    voices, ids = parts()
    assert split_widths(voices, np.minimum(ids, 2), np.arange(3)) == {}


def test_equal_names_have_equal_numbers() -> None:
    assert numbers(["b", "a", "b"]).tolist() == [1, 0, 1]
