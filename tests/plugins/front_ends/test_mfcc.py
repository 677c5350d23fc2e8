"""``mfcc`` against its definition in float64: transforms, filters and cosines written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import signal

from serbench_front_ends.mfcc import Mfcc, MfccParams

Array = NDArray[np.float64]

PLAIN = MfccParams(log="ln", n_fft=512, n_mels=40, mel_scale="htk", mel_norm="none")
TIM_NET = MfccParams(rate_hz=22_050, window=2048, hop=512, coefficients=39)


def speechlike(samples: int, seed: int = 0) -> NDArray[np.float32]:
    """A swelling tone with harmonics over faint noise."""
    t = np.arange(samples) / 16_000
    tone = sum(np.sin(2 * np.pi * 180 * n * t) / n for n in range(1, 30))
    noise = np.random.default_rng(seed).normal(0, 0.01, samples)
    return (tone * 0.1 * np.sin(2 * np.pi * 1.3 * t) ** 4 + noise).astype(np.float32)


def slaney_hz(mel: float) -> float:
    return mel * 200 / 3 if mel < 15 else 1000 * 6.4 ** ((mel - 15) / 27)


def slaney_mel(hz: float) -> float:
    return hz * 3 / 200 if hz < 1000 else 15 + 27 * np.log(hz / 1000) / np.log(6.4)


def htk_hz(mel: float) -> float:
    return 700 * (np.exp(mel / 1127.01048) - 1)


def htk_mel(hz: float) -> float:
    return 1127.01048 * np.log(1 + hz / 700)


def filters(p: MfccParams, n_mels: int) -> Array:
    """Triangles by interpolation between three corners, (n_mels, lines)."""
    to_mel, to_hz = (slaney_mel, slaney_hz) if p.mel_scale == "slaney" else (htk_mel, htk_hz)
    low, high = to_mel(p.f_min_hz), to_mel(p.f_max_hz or p.rate_hz / 2)
    corners = [to_hz(low + (high - low) * n / (n_mels + 1)) for n in range(n_mels + 2)]
    lines = np.fft.rfftfreq(p.n_fft, 1 / p.rate_hz)
    rows = []
    for left, centre, right in zip(corners, corners[1:], corners[2:], strict=False):
        row = np.interp(lines, [left, centre, right], [0, 1, 0], left=0, right=0)
        rows.append(row * 2 / (right - left) if p.mel_norm == "slaney" else row)
    return np.array(rows)


def spectra(x: Array, p: MfccParams) -> Array:
    """Power (frames, lines), one frame at a time."""
    half = p.window // 2
    padded = np.pad(x, (half, half + p.window % 2), mode="reflect")
    taps = signal.get_window(p.window_kind, p.window, fftbins=True)
    count = 1 + len(x) // p.hop
    rows = [np.fft.rfft(padded[n * p.hop :][: p.window] * taps, p.n_fft) for n in range(count)]
    return np.abs(np.array(rows)) ** 2


def cosines(values: Array, coefficients: int) -> Array:
    """The orthonormal DCT-II by its sum."""
    n = values.shape[1]
    terms = [
        sum(values[:, m] * np.cos(np.pi * k * (2 * m + 1) / (2 * n)) for m in range(n))
        for k in range(coefficients)
    ]
    weights = [np.sqrt(1 / n)] + [np.sqrt(2 / n)] * (coefficients - 1)
    return np.stack([w * term for w, term in zip(weights, terms, strict=True)], axis=1)


def reference(x: Array, p: MfccParams) -> Array:
    """Of a waveform that is at ``rate_hz`` and of its length."""
    power = spectra(x, p)
    mel = (power if p.power == 2 else np.sqrt(power)) @ filters(p, p.n_mels).T
    if p.log == "ln":
        values = np.log(mel + 1e-6)
    else:
        values = 10 * np.log10(np.maximum(mel, 1e-10))
        if p.top_db is not None:
            values = np.maximum(values, values.max() - p.top_db)
    if p.coefficients:
        values = cosines(values, p.coefficients)
    return values if p.clip is None else np.clip(values, -p.clip, p.clip)


def frames(x: NDArray[np.float32], p: MfccParams) -> Array:
    return Mfcc(p).build()(torch.from_numpy(x)).double().numpy()


@pytest.mark.parametrize(
    "params",
    [
        PLAIN,
        MfccParams(),
        MfccParams(top_db=30.0),
        MfccParams(window=640, n_fft=1024, window_kind="hamming", coefficients=0),
        MfccParams(
            window=1024, hop=256, n_fft=1024, power=1, f_min_hz=80, f_max_hz=7600, log="ln",
            mel_scale="htk", mel_norm="none", coefficients=40, clip=10,
        ),
        MfccParams(window=64, hop=32, n_fft=64, n_mels=26, coefficients=0),
        MfccParams(window=401, hop=100, n_fft=1023, top_db=None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("samples", [1600, 8123])
def test_it_equals_a_float64_reference(params: MfccParams, samples: int) -> None:
    x = speechlike(samples)
    found = frames(x, params)
    assert found.shape == (1 + samples // params.hop, Mfcc(params).width)
    # float32 spectra: a few millionths of the loudest line, seen through a logarithm
    np.testing.assert_allclose(found, reference(x.astype(np.float64), params), atol=5e-3)


@pytest.mark.parametrize("samples", [1600, 16_001, 40_000])
def test_resampled_tones_are_the_tones_of_that_rate(samples: int) -> None:
    """But for the ends of an utterance, where a resampler hears silence."""
    tone = [
        sum(np.sin(2 * np.pi * f * np.arange(count) / rate) for f in (330.0, 1234.5, 5000.0)) * 0.1
        for rate, count in ((16_000, samples), (22_050, -(-samples * 441 // 320)))
    ]
    found = frames(tone[0].astype(np.float32), TIM_NET)
    expected = reference(tone[1], TIM_NET)
    assert found.shape == expected.shape
    inner = slice(2, -2)
    np.testing.assert_allclose(found[inner], expected[inner], atol=0.02)  # of dB


@pytest.mark.parametrize(("length", "count"), [(96_000, 188), (110_000, 215), (310_000, 606)])
def test_every_utterance_is_brought_to_the_published_frames(length: int, count: int) -> None:
    params = TIM_NET.model_copy(update={"length_s": length / 22_050})
    front_end = Mfcc(params)
    for samples in (1600, 69_659, 69_660, 250_000):
        assert len(frames(speechlike(samples), params)) == count
        assert front_end.framing.frames(samples) == count


@pytest.mark.parametrize("rate_hz", [8000, 16_000, 22_050, 44_100, 48_000])
def test_frames_are_counted_exactly_at_every_rate(rate_hz: int) -> None:
    params = MfccParams(rate_hz=rate_hz, hop=1, window=4, n_fft=4, n_mels=1, coefficients=0)
    for samples in (1, 320, 321, 4799, 4801):
        found = len(frames(speechlike(samples), params))
        assert found == Mfcc(params).framing.frames(samples) == 1 + -(-samples * rate_hz // 16_000)


@pytest.mark.parametrize(("samples", "start"), [(20_000, -2000), (12_001, 2000), (16_000, 0)])
def test_a_length_keeps_the_middle_or_adds_zeros_on_both_sides(samples: int, start: int) -> None:
    params = PLAIN.model_copy(update={"length_s": 1.0})
    x = speechlike(samples).astype(np.float64)
    whole = np.zeros(16_000)
    if start < 0:
        whole[:] = x[-start:][:16_000]
    else:
        before = (16_000 - samples) // 2
        whole[before : before + samples] = x
    np.testing.assert_allclose(
        frames(x.astype(np.float32), params), reference(whole, PLAIN), atol=5e-3
    )


def test_a_waveform_is_scaled_by_its_999th_thousandth() -> None:
    x = speechlike(10_001) * 0.01
    ordered = np.sort(np.abs(x.astype(np.float64)))
    level = ordered[9990]  # 0.999 of 10,000 steps
    params = PLAIN.model_copy(update={"scale": "p99.9"})
    expected = reference(np.clip(x / level, -1, 1), PLAIN)
    np.testing.assert_allclose(frames(x, params), expected, atol=5e-3)


def test_a_waveform_is_given_mean_0_and_deviation_1() -> None:
    x = speechlike(8000) * 0.01 + 0.2
    y = x.astype(np.float64)
    params = PLAIN.model_copy(update={"scale": "unit"})
    expected = reference((y - y.mean()) / y.std(), PLAIN)
    np.testing.assert_allclose(frames(x, params), expected, atol=2e-2)


@pytest.mark.parametrize("scale", ["none", "p99.9", "unit"])
def test_silence_is_the_floor(scale: str) -> None:
    params = MfccParams.model_validate({"scale": scale, "coefficients": 0})
    np.testing.assert_allclose(frames(np.zeros(1600, np.float32), params), -100.0, atol=1e-4)


@pytest.mark.parametrize("note", range(12))
def test_a_tones_pitch_class_is_its_loudest(note: int) -> None:
    """C, C sharp, … B of three octaves; 440 Hz is A."""
    params = MfccParams(window=4096, hop=2048, n_fft=4096, chroma=12)
    t = np.arange(16_000) / 16_000
    hz = [440.0 * 2.0 ** ((note - 9) / 12 + octave) for octave in (-1, 0, 1)]
    x = sum(np.sin(2 * np.pi * f * t) for f in hz) * 0.1
    chroma = frames(x.astype(np.float32), params)[:, 20:]
    assert (chroma.argmax(axis=1) == note).all()
    np.testing.assert_allclose(chroma.max(axis=1), 1.0, atol=1e-6)


def test_chroma_equals_a_float64_reference() -> None:
    params = MfccParams(window=1366, hop=683, n_fft=1366, coefficients=34, chroma=12)
    x = speechlike(8000)
    weights = np.zeros((684, 12))
    for line in range(1, 684):
        hz = line * 16_000 / 1366
        following = min(line + 1, 683) * 16_000 / 1366
        wide = max(12 * np.log2(following / hz), 1.0)
        for pitch in range(12):
            steps = 12 * np.log2(hz / 440.0) + 9 - pitch
            steps = min(steps % 12, 12 - steps % 12)
            weights[line, pitch] = np.exp(-2 * (steps / wide) ** 2)
        weights[line] /= np.sqrt((weights[line] ** 2).sum())
        weights[line] *= np.exp(-(np.log2(hz / 880.0) ** 2) / 8)
    expected = spectra(x.astype(np.float64), params) @ weights
    expected /= expected.max(axis=1, keepdims=True)
    found = frames(x, params)
    np.testing.assert_allclose(found[:, 34:], expected, atol=1e-5)
    np.testing.assert_allclose(found[:, :34], reference(x.astype(np.float64), params), atol=5e-3)


def test_several_waveforms_give_what_each_gives() -> None:
    params = MfccParams(scale="p99.9", chroma=12)
    x = np.stack([speechlike(5000), 0.01 * speechlike(5000, seed=1)])
    together = frames(x, params)
    np.testing.assert_allclose(together, np.stack([frames(row, params) for row in x]), atol=1e-3)


@pytest.mark.parametrize(
    "params",
    [
        PLAIN,
        MfccParams(top_db=None, chroma=12),
        MfccParams(window=640, hop=200, n_fft=1024, window_kind="hamming", power=1, log="ln"),
    ],
)
def test_the_exported_one_equals_it_whole_and_cut(params: MfccParams) -> None:
    front_end, x = Mfcc(params), speechlike(8123)
    graph, framing = front_end.exported(), front_end.framing
    expected = frames(x, params)
    found = graph(torch.from_numpy(x)[None])[0].double().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-3)
    padded = np.pad(x, framing.reach, mode="reflect")
    window = padded[3 * framing.hop :][: (10 + framing.blocks - 1) * framing.hop]
    cut = graph.frames(torch.from_numpy(window)[None])[0].double().numpy()
    np.testing.assert_allclose(cut, expected[3:13], atol=1e-3)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"rate_hz": 22_050}, "resamples to 22050 Hz"),
        ({"length_s": 3.0}, "length_s"),
        ({"scale": "unit"}, 'scale = "unit"'),
        ({"log": "db", "top_db": 80.0}, "top_db"),
        ({"window": 401}, "must be even"),
    ],
)
def test_what_cannot_be_exported_says_why(changes: dict[str, object], reason: str) -> None:
    front_end = Mfcc(PLAIN.model_copy(update=changes))
    assert reason in front_end.not_exported
    with pytest.raises(Exception, match="front end mfcc cannot be exported"):
        front_end.exported()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"n_fft": 256}, "at least window, 400"),
        ({"n_mels": 10, "coefficients": 13}, "lower coefficients"),
        ({"f_max_hz": 9000.0}, "between 0 and half of rate_hz, 8000 Hz"),
        ({"power": 1}, "set power = 2"),
    ],
)
def test_impossible_parameters_are_told(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MfccParams.model_validate(given)


@pytest.mark.parametrize("changes", [{}, {"coefficients": 0}, {"log": "db"}, {"scale": "unit"}])
def test_gain_is_what_a_louder_waveform_adds(changes: dict[str, object]) -> None:
    params = PLAIN.model_copy(update=changes)
    # NumPy's numbers would turn what they are added to into double precision.
    assert {type(value) for value in Mfcc(params).gain} == {float}
    x = speechlike(8000)
    louder = frames(x * 10.0 ** (3 / 20), params) - frames(x, params)
    # the floor of ln keeps quiet bands a little
    np.testing.assert_allclose(louder, 3.0 * np.array([Mfcc(params).gain] * 51), atol=2e-2)
