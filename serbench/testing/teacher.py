"""The contract of teachers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial

import torch
from torch import Tensor

from serbench.api import SAMPLE_RATE_HZ, Teacher, TeacherCard, TeacherFeatures
from serbench.testing.checks import Check, together
from serbench.testing.common import make, require, require_finite, require_names

__tracebackhide__ = True

DURATIONS_S = (0.6, 1.0, 2.2)
TOLERANCE = 0.02
"""Largest relative difference between a batch and single waveforms: bf16 has three digits."""


def teacher_checks(cls: type, params: Mapping[str, object] | None = None) -> Iterator[Check]:
    """Checks of the contract of teachers.

    Card and digest must be available before any weights are loaded. Embeddings must be in the order
    of the waveforms, finite, of one width, with as many frames as the frame rate requires. They
    must be the same for an utterance in a batch as alone (to 2 %), identical each time, and without
    gradients.

    Args:
        cls: the plugin class.
        params: if its ``Params`` have no defaults, or to name available weights.
    """
    teacher = cache(partial(make, cls, params))
    loaded = cache(partial(_loaded, teacher))
    yield Check("class and parameters", teacher)
    yield Check("card", lambda: _check_card(teacher().card))
    yield Check("digest", lambda: _check_digest(teacher(), make(cls, params)))
    yield Check("embeddings", lambda: _check_embeddings(*loaded()))
    yield Check("embedding twice", lambda: _check_twice(*loaded()))
    yield Check("embedding alone", lambda: _check_alone(*loaded()))


check_teacher = together(teacher_checks)
"""Run all ``teacher_checks`` and report every failure together in one ``AssertionError``."""


def _check_digest(teacher: Teacher, another: Teacher) -> None:
    digest = teacher.model_digest
    require(isinstance(digest, str) and digest, f"model_digest must be text, not {digest!r}")
    require(another.model_digest == digest, "model_digest differs between two instances")


def _loaded(make_teacher: Callable[[], Teacher]) -> tuple[Teacher, Sequence[TeacherFeatures]]:
    """A teacher with its weights, and its embeddings of all waveforms in one batch."""
    teacher = make_teacher()
    teacher.load(torch.device("cpu"))
    rate = teacher.frame_rate_hz
    require(rate > 0, f"frame_rate_hz must be positive, not {rate!r}")
    waveforms = _waveforms()
    together = list(teacher.embed(waveforms))
    require(
        all(torch.equal(a, b) for a, b in zip(waveforms, _waveforms(), strict=True)),
        "embed must not change its input",
    )
    return teacher, together


def _check_twice(teacher: Teacher, together: Sequence[TeacherFeatures]) -> None:
    _check_same(together, teacher.embed(_waveforms()), 0.0, "embedding twice")


def _check_alone(teacher: Teacher, together: Sequence[TeacherFeatures]) -> None:
    alone = [teacher.embed([waveform])[0] for waveform in _waveforms()]
    _check_same(together, alone, TOLERANCE, "embedding alone instead of in a batch")


def _check_card(card: TeacherCard) -> None:
    require(isinstance(card, TeacherCard), f"card must be a TeacherCard, not {card!r}")
    for key in ("title", "licence", "home", "citation"):
        require(getattr(card, key), f"the card's {key} is empty")
    if card.pretrained_on is not None:
        require_names(card.pretrained_on, "pretrained_on")
    require_names(card.fine_tuned_on, "fine_tuned_on")
    require(
        isinstance(card.undisclosed, bool),
        f"the card's undisclosed must be True or False, not {card.undisclosed!r}",
    )


def _waveforms() -> list[Tensor]:
    """Gliding harmonics in noise, about as loud as speech."""
    generator = torch.Generator().manual_seed(0)
    waveforms: list[Tensor] = []
    for duration_s in DURATIONS_S:
        time_s = torch.arange(int(duration_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
        phase = 2 * torch.pi * (120 * time_s + 30 * time_s**2)
        voice = sum((torch.sin(k * phase) / k for k in range(1, 6)), torch.zeros_like(phase))
        noise = torch.randn(time_s.shape, generator=generator)
        waveforms.append((0.1 * voice + 0.01 * noise).float())
    return waveforms


def _check_embeddings(teacher: Teacher, features: Sequence[TeacherFeatures]) -> None:
    rate = teacher.frame_rate_hz
    require(
        len(features) == len(DURATIONS_S),
        f"embed must return one result per waveform, not {len(features)} for {len(DURATIONS_S)}",
    )
    first = features[0]
    for duration_s, feature in zip(DURATIONS_S, features, strict=True):
        pooled, frames = feature.pooled, feature.frames
        require(
            pooled.ndim == 2 and pooled.dtype == torch.float32,
            f"pooled must be (L, P) float32, not {tuple(pooled.shape)} {pooled.dtype}",
        )
        require(
            frames.ndim == 3 and frames.dtype in {torch.float16, torch.float32},
            "frames must be (L, F, D) float16 or float32, "
            f"not {tuple(frames.shape)} {frames.dtype}",
        )
        require(
            pooled.shape == first.pooled.shape and frames.shape[2] == first.frames.shape[2],
            "pooled and frames must have the same width for every waveform",
        )
        require(frames.shape[0] == pooled.shape[0], "pooled and frames must have the same layers")
        require(
            abs(frames.shape[1] - rate * duration_s) <= max(2.0, 0.05 * rate * duration_s),
            f"{duration_s} s at {rate:g} frames a second must give about {rate * duration_s:.0f} "
            f"real frames, not {frames.shape[1]}",
        )
        require_finite(pooled, "pooled")
        require_finite(frames, "frames")
        require(
            not (pooled.requires_grad or frames.requires_grad),
            "embeddings must not track gradients",
        )


def _check_same(
    before: Sequence[TeacherFeatures], after: Sequence[TeacherFeatures], tolerance: float, what: str
) -> None:
    for duration_s, a, b in zip(DURATIONS_S, before, after, strict=True):
        for key in ("pooled", "frames"):
            x, y = getattr(a, key).double(), getattr(b, key).double()
            require(x.shape == y.shape, f"{what} changes the shape of {key} ({duration_s} s)")
            change = float((x - y).norm() / x.norm().clamp_min(1e-12))
            require(
                change <= tolerance,
                f"{what} changes {key} by {100 * change:.2g} % ({duration_s} s): real frames only",
            )
