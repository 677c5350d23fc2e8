"""Copies of a recording as they turn up in corpora: louder, re-encoded, resampled, cut, padded.

And a voice to copy, where there is no real one.

Every transform takes and gives a 16 kHz waveform ``(samples,)`` float32; what a real file would go
through (16-bit samples, an mp3 or ogg encoder and decoder, a resampler) is really done.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

Waveform = NDArray[np.float32]
Transform = Callable[[Waveform, np.random.Generator], Waveform]

RATE_HZ = 16_000
PADDING_NOISE = 10 ** (-60 / 20)
"""Deviation of the noise that stands for a quiet room: -60 dB of full scale."""

MP3 = ("MP3", "MPEG_LAYER_III", (160 - 64) / (160 - 8))
"""64 kbit/s: at 16 kHz the encoder's constant rates go from 160 down to 8 over 0 … 1."""

OGG = ("OGG", "VORBIS", 0.44)
"""Vorbis is steered by quality; on EmoDB this one comes out at 64 kbit/s."""


def speech_like(draw: np.random.Generator, duration_s: float) -> Waveform:
    """A voice that says nothing: harmonics of a gliding pitch, gliding formants, pauses."""
    size = round(duration_s * RATE_HZ)
    sounds = max(3, round(duration_s / 0.12))

    def glide(low: float, high: float) -> NDArray[np.float64]:
        return np.interp(
            np.linspace(0, sounds - 1, size), np.arange(sounds), draw.uniform(low, high, sounds)
        )

    pitch_hz = glide(0.8, 1.25) * draw.uniform(90, 250)
    phase = np.cumsum(pitch_hz) * (2 * np.pi / RATE_HZ)
    formants_hz = [glide(250, 850), glide(900, 2200), glide(2300, 3300)]
    x = draw.normal(0, 0.002, size)
    for harmonic in range(1, 16):
        level = 0.02 + sum(
            weight / (1 + ((harmonic * pitch_hz - formant) / 90) ** 2)
            for weight, formant in zip((1.0, 0.5, 0.25), formants_hz, strict=True)
        )
        x += level * np.sin(harmonic * phase)
    x *= np.clip(glide(-0.3, 1.0), 0.0, None)
    return pcm((0.7 * x / max(np.abs(x).max(), 1e-9)).astype(np.float32))


def pcm(x: Waveform) -> Waveform:
    """Clip and round to 16 bits, as a wav file does."""
    return (np.rint(np.clip(x, -1, 32767 / 32768) * 32768) / 32768).astype(np.float32)


def gain(x: Waveform, _: np.random.Generator, level_db: float) -> Waveform:
    return pcm(x * 10 ** (level_db / 20))


def clip(x: Waveform, _: np.random.Generator) -> Waveform:
    """12 dB over a peak at full scale."""
    return pcm(x / max(float(np.abs(x).max()), 1e-6) * 10 ** (12 / 20))


def resample(x: Waveform, _: np.random.Generator) -> Waveform:
    """48, 16, 8, 16 kHz, each step stored with 16 bits."""
    x = pcm(soxr.resample(x, RATE_HZ, 48_000))
    x = pcm(soxr.resample(x, 48_000, RATE_HZ))
    x = pcm(soxr.resample(x, RATE_HZ, 8_000))
    return pcm(soxr.resample(x, 8_000, RATE_HZ))


def encoded(x: Waveform, codec: tuple[str, str, float]) -> tuple[bytes, Waveform]:
    """``x`` as the bytes of a file and as what its decoder gives."""
    container, subtype, level = codec
    buffer = io.BytesIO()
    # Without a bitrate mode, libsndfile would take the level for a variable-rate quality.
    mode = "CONSTANT" if container == "MP3" else None
    soundfile.write(
        buffer, x, RATE_HZ, format=container, subtype=subtype, compression_level=level,
        bitrate_mode=mode,
    )  # fmt: skip
    buffer.seek(0)
    return buffer.getvalue(), np.asarray(soundfile.read(buffer)[0], np.float32)


def encode(x: Waveform, _: np.random.Generator, codec: tuple[str, str, float]) -> Waveform:
    return encoded(x, codec)[1]


def mp3_at(rate_kbit_s: float) -> Transform:
    """A constant rate from 8 to 160 kbit/s."""
    return partial(encode, codec=("MP3", "MPEG_LAYER_III", (160 - rate_kbit_s) / (160 - 8)))


def noisy(below_db: float) -> Transform:
    """White noise ``below_db`` under the recording's own level."""

    def transform(x: Waveform, draw: np.random.Generator) -> Waveform:
        level = float(np.sqrt(np.mean(np.square(x)))) * 10 ** (-below_db / 20)
        return pcm((x + draw.normal(0, level, len(x))).astype(np.float32))

    return transform


def hum(samples: int, first: int = 0) -> NDArray[np.float64]:
    """``(samples,)`` of 50 Hz and harmonics up to 1 kHz, from sample ``first`` on; RMS about 1."""
    time_s = (first + np.arange(samples)) / RATE_HZ
    # Third to twentieth: what lies below is outside of the fingerprint's bands.
    tones = [np.sin(2 * np.pi * 50 * k * time_s + k * k) / k for k in range(3, 21)]
    return np.sum(tones, axis=0) / np.sqrt(sum(0.5 / k**2 for k in range(3, 21)))


def humming(below_db: float) -> Transform:
    """0.8 s before and after, and hum ``below_db`` under the recording's own level throughout."""

    def transform(x: Waveform, draw: np.random.Generator) -> Waveform:
        level = float(np.sqrt(np.mean(np.square(x)))) * 10 ** (-below_db / 20)
        room = np.pad(x.astype(np.float64), round(0.8 * RATE_HZ))
        room += level * hum(len(room), int(draw.integers(0, RATE_HZ)))
        return pcm((room + draw.normal(0, 0.05 * level, len(room))).astype(np.float32))

    return transform


def trim(x: Waveform, _: np.random.Generator, start_s: float, end_s: float) -> Waveform:
    return x[round(start_s * RATE_HZ) : len(x) - round(end_s * RATE_HZ)].copy()


def pad(
    x: Waveform, draw: np.random.Generator, start_s: float, end_s: float, noise: float
) -> Waveform:
    """Silence (``noise`` 0) or noise of a deviation, around the recording."""
    before, after = (
        draw.normal(0, noise, round(s * RATE_HZ)) if noise else np.zeros(round(s * RATE_HZ))
        for s in (start_s, end_s)
    )
    return pcm(np.concatenate([before, x, after]).astype(np.float32))


def shift(x: Waveform, draw: np.random.Generator) -> Waveform:
    """Up to 50 ms of the start lost, and a fraction of a sample besides."""
    whole = x[int(draw.integers(1, 800)) :]
    # A delay by a phase ramp moves the end around to the start, where there is hardly a sound.
    spectrum = np.fft.rfft(whole)
    ramp = np.exp(-2j * np.pi * np.arange(len(spectrum)) * draw.uniform(0, 1) / len(whole))
    return pcm(np.fft.irfft(spectrum * ramp, len(whole)).astype(np.float32))


def part(x: Waveform, draw: np.random.Generator, length_s: float) -> Waveform:
    """The loudest of four random stretches: a clip of speech, not of a pause."""
    size = min(round(length_s * RATE_HZ), len(x))
    starts = draw.integers(0, len(x) - size + 1, 4)
    return max((x[s : s + size] for s in starts), key=lambda y: float(np.square(y).sum())).copy()


def chain(x: Waveform, draw: np.random.Generator, steps: tuple[Transform, ...]) -> Waveform:
    for step in steps:
        x = step(x, draw)
    return x


def _cut_both(x: Waveform, draw: np.random.Generator) -> Waveform:
    return trim(x, draw, *draw.uniform(0, 0.25, 2))


def _chain(*steps: Transform) -> Transform:
    return partial(chain, steps=steps)


TRANSFORMS: dict[str, Transform] = {
    "exact copy": lambda x, _: x.copy(),
    "gain -12 dB": partial(gain, level_db=-12.0),
    "gain +12 dB, clipped": clip,
    "polarity turned": lambda x, _: -x,
    "resampled 48-16-8-16 kHz": resample,
    "mp3, 64 kbit/s": partial(encode, codec=MP3),
    "ogg, 64 kbit/s": partial(encode, codec=OGG),
    "start cut by 0.5 s": partial(trim, start_s=0.5, end_s=0.0),
    "end cut by 0.5 s": partial(trim, start_s=0.0, end_s=0.5),
    "both ends cut, 0.5 s in all": _cut_both,
    "0.5 s of silence before": partial(pad, start_s=0.5, end_s=0.0, noise=0.0),
    "0.5 s of noise before and after": partial(pad, start_s=0.5, end_s=0.5, noise=PADDING_NOISE),
    "shifted by less than a frame": shift,
    "cut, -12 dB, mp3": _chain(
        _cut_both, partial(gain, level_db=-12.0), partial(encode, codec=MP3)
    ),
    "padded, resampled, ogg": _chain(
        partial(pad, start_s=0.31, end_s=0.5, noise=PADDING_NOISE),
        resample,
        partial(encode, codec=OGG),
    ),
    "clipped, resampled, mp3": _chain(clip, resample, partial(encode, codec=MP3)),
    "clipped, 0.5 s cut, ogg, mp3": _chain(
        clip,
        partial(trim, start_s=0.5, end_s=0.0),
        partial(encode, codec=OGG),
        shift,
        partial(encode, codec=MP3),
    ),
}
"""What the guard promises to find."""

PARTS: dict[str, Transform] = {
    f"a part of {length_s} s": partial(part, length_s=length_s) for length_s in (1.0, 0.7, 0.5)
}
"""Files that are a part of another."""
