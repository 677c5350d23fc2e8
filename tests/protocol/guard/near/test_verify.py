from __future__ import annotations

import numpy as np
import pytest
from tests_support.copies import Waveform, hum, pcm, speech_like

from serbench.protocol.guard.near import verify
from serbench.protocol.guard.near.search import THRESHOLD
from serbench.protocol.guard.near.verify import (
    BLOCK,
    RATE_HZ,
    SHORTEST_ACTIVE_S,
    SHORTEST_S,
    SHORTEST_SHARE,
    Likeness,
    Prepared,
    compare,
    prepare,
)


def reference(one: Prepared, other: Prepared) -> tuple[float, int]:
    """Lag by lag, in float64: the greatest normalised correlation at whole lags, and its lag."""
    x, y = one.samples.astype(np.float64), other.samples.astype(np.float64)
    share = SHORTEST_SHARE * min(one.active.sum(), other.active.sum())
    active_s = max(SHORTEST_ACTIVE_S, share / 100)
    u, v = (np.repeat(p.active, BLOCK)[: len(p.samples)] for p in (one, other))
    best = (0.0, 0)
    for lag in range(1 - len(x), len(y)):
        a, b = x[max(0, -lag) : len(y) - lag], y[max(0, lag) : len(x) + lag]
        together = u[max(0, -lag) : len(y) - lag] & v[max(0, lag) : len(x) + lag]
        if len(a) >= SHORTEST_S * RATE_HZ and together.sum() >= active_s * RATE_HZ:
            best = max(best, (float(abs(a @ b) / np.sqrt((a @ a) * (b @ b))), lag))
    return best


@pytest.fixture(scope="module")
def voices() -> list[Waveform]:
    draw = np.random.default_rng(0)
    return [speech_like(draw, 1.0) for _ in range(4)]


def test_different_recordings_compare_as_lag_by_lag(voices: list[Waveform]) -> None:
    for a, b in ((0, 1), (2, 3)):
        one, other = prepare(voices[a]), prepare(voices[b][: 12_000 + a])
        got = compare(one, other)
        similarity, _ = reference(one, other)
        # Between the samples it may be a little higher, never lower.
        assert similarity - 1e-9 <= got.similarity < similarity + 0.1
        assert got.similarity < 0.6


def test_a_shifted_louder_turned_copy_is_found_where_it_lies(voices: list[Waveform]) -> None:
    x = voices[0][1_600:]
    x = x[np.flatnonzero(np.abs(x) > 0.01)[0] :]
    copy = np.concatenate([np.full(1, 0.001), np.zeros(3_999), -0.5 * x[800:]]).astype(np.float32)
    one, other = prepare(x), prepare(copy)
    similarity, lag = reference(one, other)
    got = compare(one, other)
    # The copy has silence where its missing start would be, so it is not all alike.
    assert got.similarity == pytest.approx(similarity, abs=0.01)
    assert got.similarity > 0.9
    assert got.offset_s == pytest.approx(lag / RATE_HZ, abs=1 / RATE_HZ)
    assert got.offset_s == pytest.approx(0.2, abs=2e-3)


@pytest.mark.parametrize("samples", [1, 2, 3, 5, 801])
def test_copies_apart_by_part_of_a_sample_are_as_alike(
    voices: list[Waveform], samples: int
) -> None:
    """Four samples at 16 kHz are one at 4 kHz."""
    x = np.concatenate([voices[1], voices[2]])
    x = x[np.flatnonzero(np.abs(x) > 0.01)[0] :]
    assert abs(x[samples]) > 0.5 / 32_768  # nothing more is cut off at its start
    got = compare(prepare(x), prepare(x[samples:]))
    assert got.similarity > 0.98
    assert got.offset_s == pytest.approx(-samples / 16_000, abs=1.5 / 16_000)


def test_the_other_way_round_is_the_same(voices: list[Waveform]) -> None:
    one, other = prepare(voices[2]), prepare(voices[2][3_000:])
    there, back = compare(one, other), compare(other, one)
    assert there.similarity == pytest.approx(back.similarity, abs=1e-6)
    assert there.offset_s == pytest.approx(-back.offset_s, abs=1e-9)


def test_clipping_keeps_a_copy_alike(voices: list[Waveform]) -> None:
    loud = pcm(voices[0] / np.abs(voices[0]).max() * 4)
    assert compare(prepare(voices[0]), prepare(loud)).similarity > 0.8


def test_a_common_part_that_is_too_short_does_not_count(voices: list[Waveform]) -> None:
    x = voices[0]
    enough = round((SHORTEST_S + 0.05) * 16_000)
    assert compare(prepare(x), prepare(x[:enough])).similarity > 0.95
    assert compare(prepare(x), prepare(x[: enough - 1_600])) == Likeness(0.0, 0.0)


def test_a_common_beginning_of_long_recordings_is_no_copy() -> None:
    draw = np.random.default_rng(4)
    jingle = speech_like(draw, 0.8)
    one, other = (prepare(np.concatenate([jingle, speech_like(draw, 2.0)])) for _ in range(2))
    assert compare(one, other).similarity < 0.6


@pytest.mark.parametrize("level", [1e-4, 1e-3, 1e-2])
def test_hum_that_two_takes_share_is_no_copy(
    voices: list[Waveform], level: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is spoken at another end of a room that hums; what overlaps elsewhere is the hum."""
    room = (level * hum(2 * 16_000)).astype(np.float32)
    early, late = room.copy(), room.copy()
    early[: len(voices[0])] += voices[0]
    late[-len(voices[1]) :] += voices[1]
    one, other = prepare(early), prepare(late)
    assert compare(one, other).similarity < 0.6
    monkeypatch.setattr(verify, "SHORTEST_ACTIVE_S", 0.0)
    monkeypatch.setattr(verify, "SHORTEST_SHARE", 0.0)
    assert compare(one, other).similarity > THRESHOLD  # 0.75 s of hum would do


def test_a_copy_in_a_room_that_hums_is_a_copy(voices: list[Waveform]) -> None:
    room = (1e-2 * hum(2 * 16_000)).astype(np.float32)
    early, late = room.copy(), room[::-1].copy()
    early[: len(voices[0])] += voices[0]
    late[-len(voices[0]) :] += voices[0]
    assert compare(prepare(early), prepare(late)).similarity > 0.9


def test_a_click_does_not_hide_what_is_spoken(voices: list[Waveform]) -> None:
    """A few samples at full scale are no measure of how loud a recording is."""
    soft = (0.01 * voices[2]).astype(np.float32)
    clicked = np.concatenate([np.zeros(8_000, np.float32), soft])
    clicked[100:140] = 0.9
    active = prepare(clicked).active
    assert active.sum() > 0.8 * prepare(soft).active.sum()


def test_padding_does_not_make_the_shorter_recording_longer(voices: list[Waveform]) -> None:
    """Each padded by 2 s at another end, with noise: the second in common is all that sounds."""
    draw = np.random.default_rng(5)
    noise = draw.normal(0, 1e-4, (2, 32_000)).astype(np.float32)
    before = pcm(np.concatenate([noise[0], voices[3]]))
    after = pcm(np.concatenate([voices[3], noise[1]]))
    got = compare(prepare(before), prepare(after))
    assert got.similarity > 0.99
    assert got.offset_s == pytest.approx(-2.0, abs=2e-3)


@pytest.mark.parametrize("samples", [0, 1, 1_600])
def test_silence_is_like_nothing(voices: list[Waveform], samples: int) -> None:
    silent = prepare(np.zeros(samples, np.float32))
    assert compare(silent, prepare(voices[0])).similarity == 0
    assert compare(silent, silent).similarity == 0


def test_what_lies_outside_the_bands_plays_no_part(voices: list[Waveform]) -> None:
    time_s = np.arange(len(voices[0])) / 16_000
    mains = 0.5 * np.sin(2 * np.pi * 50 * time_s)
    whine = 0.5 * np.sin(2 * np.pi * 5_000 * time_s)
    dirty = (voices[0] + mains + whine).astype(np.float32)
    assert compare(prepare(voices[0]), prepare(dirty)).similarity > 0.95
