"""The contract of front ends."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial

import torch
from torch import Tensor, nn

from serbench.api import SAMPLE_RATE_HZ, Framing, FrontEnd, FrontEndParams
from serbench.testing.checks import Check, together
from serbench.testing.common import instance_of, make, require, require_finite

__tracebackhide__ = True

SAMPLES = (1, 159, 1600, 1601, 16000, 20777)
"""Lengths of utterances: one sample, less than a frame, the shortest allowed, and longer ones."""

TOLERANCE = 1e-4
EXPORT_TOLERANCE = 1e-3
"""Largest differences, relative to the largest value if that is above 1."""


def front_end_checks(cls: type, params: Mapping[str, object] | None = None) -> Iterator[Check]:
    """Checks of the contract of front ends.

    Parameters must be ``FrontEndParams``. Two front ends with the same parameters must be equal and
    can be pickled. The number and width of frames must be as declared; frames must be finite for
    speech-like sound, for silence and for a single sample. They must be identical each time, in a
    batch as alone, and in an exported graph if it can be exported.

    Examples:
        >>> from serbench_front_ends.waveform import Waveform
        >>> [str(check) for check in front_end_checks(Waveform)][-3:]
        ['batch', 'frames twice', 'exported']

    Args:
        cls: the plugin class.
        params: if its ``Params`` have no defaults, or to check other values.
    """
    front_end = cache(partial(make, cls, params))
    built = cache(lambda: _built(front_end()))
    yield Check("class and parameters", partial(_check_class, cls, front_end))
    yield Check("equality", lambda: _check_equality(front_end(), make(cls, params)))
    yield Check("augmentation", lambda: _check_augmentation(front_end()))
    yield Check("model", lambda: _check_model(front_end()))
    for samples in SAMPLES:
        name = f"frames of {samples} samples"
        yield Check(name, partial(_check_frames, front_end, built, samples))
    yield Check("batch", lambda: _check_batch(built()))
    yield Check("frames twice", lambda: _check_twice(built(), _built(make(cls, params))))
    yield Check("exported", lambda: _check_exported(front_end(), built()))


check_front_end = together(front_end_checks)
"""Run all ``front_end_checks`` and report every failure together in one ``AssertionError``."""


def _check_class(cls: type, front_end: Callable[[], FrontEnd]) -> None:
    front_end()
    model = getattr(cls, "Params", None)
    require(
        isinstance(model, type) and issubclass(model, FrontEndParams),
        f"{cls.__name__}.Params must be a subclass of serbench.api.FrontEndParams",
    )


def _check_equality(front_end: FrontEnd, another: FrontEnd) -> None:
    require(
        front_end == another and hash(front_end) == hash(another),
        "two instances with the same parameters must be equal and have the same hash",
    )
    try:
        again = pickle.loads(pickle.dumps(front_end))  # noqa: S301 - made here
    except Exception as error:
        raise AssertionError(f"it cannot be pickled: {type(error).__name__}: {error}") from error
    require(again == front_end, "a pickled copy must equal its original")


def _check_augmentation(front_end: FrontEnd) -> None:
    width = front_end.width
    require(isinstance(width, int) and width > 0, f"width must be at least 1, not {width!r}")
    framing = front_end.framing
    if framing is not None:
        instance_of(framing, Framing, "framing")
        sizes = (framing.window, framing.hop)
        require(min(sizes) > 0, f"framing must have a window and a hop above 0, not {sizes}")
        require(
            (framing.length is None) == (front_end.length_s is None),
            "framing.length must be set if and only if length_s is set",
        )
    gain = front_end.gain
    if gain is not None and gain != "scale":
        require(
            not isinstance(gain, str) and len(gain) == width,
            f"gain must be None, 'scale' or {width} numbers, not {gain!r:.100}",
        )


def _check_model(front_end: FrontEnd) -> None:
    digest = front_end.model_digest
    require(
        isinstance(digest, str) and bool(digest) == (front_end.card is not None),
        "model_digest must be empty if and only if card is None",
    )


def _built(front_end: FrontEnd) -> nn.Module:
    return instance_of(front_end.build(), nn.Module, "what build returns").eval()


@torch.inference_mode()
def _frames(module: nn.Module, waveforms: Tensor) -> Tensor:
    before = waveforms.clone()
    frames = instance_of(module(waveforms), Tensor, "what the module returns")
    require(torch.equal(before, waveforms), "the module must not change its input")
    require(frames.dtype == torch.float32, f"frames must be float32, not {frames.dtype}")
    return frames


def _check_frames(
    front_end: Callable[[], FrontEnd], built: Callable[[], nn.Module], samples: int
) -> None:
    own, module = front_end(), built()
    for what, waveform in (("sound", sound(1, samples)[0]), ("silence", torch.zeros(samples))):
        frames = _frames(module, waveform)
        expected = _count(own, samples)
        require(
            frames.shape == (expected, own.width),
            f"{samples} samples of {what} must give ({expected}, {own.width}), "
            f"not {tuple(frames.shape)}",
        )
        require_finite(frames, f"frames of {samples} samples of {what}")


def _count(front_end: FrontEnd, samples: int) -> int:
    """Expected number of frames."""
    if front_end.framing is None:
        return 1
    if front_end.length_s is not None:
        samples = round(front_end.length_s * SAMPLE_RATE_HZ)
    return front_end.framing.frames(samples)


def _check_batch(module: nn.Module) -> None:
    waveforms = sound(3, 16000)
    alone = torch.stack([_frames(module, each) for each in waveforms])
    _check_same(
        _frames(module, waveforms),
        alone,
        TOLERANCE,
        "a batch must give the same frames as each waveform alone",
    )
    nested = _frames(module, waveforms[None])[0]
    _check_same(
        nested, alone, TOLERANCE, "(1, 3, samples) must give the same frames as (3, samples)"
    )


def _check_twice(module: nn.Module, another: nn.Module) -> None:
    waveform = sound(1, 20777)[0]
    first = _frames(module, waveform)
    same = [torch.equal(first, _frames(each, waveform)) for each in (module, another)]
    require(all(same), "the same waveform must give the same frames each time")


def _check_exported(front_end: FrontEnd, module: nn.Module) -> None:
    if reason := front_end.not_exported:
        require("\n" not in reason, f"not_exported must be one line, not {reason!r}")
        return
    exported = instance_of(front_end.exported(), nn.Module, "what exported returns").eval()
    for samples in (1600, 1759, 20777):
        waveforms = sound(2, samples)
        expected, found = _frames(module, waveforms), _frames(exported, waveforms)
        _check_same(
            found, expected, EXPORT_TOLERANCE, f"exported, {samples} samples give other frames"
        )
    framing = front_end.framing
    if framing is None or front_end.length_s is not None:
        return
    size, first = 50, 20 + framing.blocks
    long = sound(2, (size + first + 2 * framing.blocks) * framing.hop)
    start = first * framing.hop - framing.reach
    cut = long[:, start:][:, : (size + framing.blocks - 1) * framing.hop]
    frames = exported.frames(cut)  # pyright: ignore[reportCallIssue]
    expected = _frames(module, long)[:, first : first + size]
    _check_same(
        frames, expected, EXPORT_TOLERANCE, "frames(windows) must give the same frames as build"
    )


def _check_same(found: Tensor, expected: Tensor, tolerance: float, what: str) -> None:
    require(
        found.shape == expected.shape,
        f"{what}: {tuple(found.shape)} instead of {tuple(expected.shape)}",
    )
    worst = float((found - expected).abs().max())
    limit = tolerance * max(1.0, float(expected.abs().max()))
    require(worst <= limit, f"{what}: they differ by {worst:.1e}")


def sound(count: int, samples: int) -> Tensor:
    """``(count, samples)``: swelling harmonics in noise; each utterance differs."""
    generator = torch.Generator().manual_seed(0)
    at_s = torch.arange(samples) / SAMPLE_RATE_HZ
    rows: list[Tensor] = []
    for row in range(count):
        phase = 2 * torch.pi * (110 + 40 * row) * at_s
        voice = sum((torch.sin(k * phase) / k for k in range(1, 8)), torch.zeros(samples))
        level = 0.05 + 0.05 * torch.sin(2 * torch.pi * 2 * at_s)
        rows.append(level * voice + 0.005 * torch.randn(samples, generator=generator))
    return torch.stack(rows).float()
