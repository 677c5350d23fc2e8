from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from serbench.api import TeacherError
from serbench_teachers.functionals import Functionals, FunctionalsParams
from serbench_teachers.plugin import serbench_teachers
from serbench_teachers.statistics import statistics


@pytest.fixture(scope="module")
def functionals() -> Functionals:
    made = Functionals(FunctionalsParams())
    made.load(torch.device("cpu"))
    return made


def test_plugin_gives_both_teachers() -> None:
    assert [teacher.name for teacher in serbench_teachers()] == ["speech-encoder", "functionals"]


def test_shapes_and_rate(functionals: Functionals) -> None:
    features = functionals.embed([torch.randn(16_000), torch.randn(1_600)])
    assert [f.pooled.shape for f in features] == [(1, 287)] * 2
    assert [f.frames.shape for f in features] == [(1, 51, 41), (1, 6, 41)]
    assert functionals.frame_rate_hz == 50.0


@settings(max_examples=20, deadline=None)
@given(frames=st.integers(1, 30), seed=st.integers(0, 99))
def test_statistics_against_numpy(frames: int, seed: int) -> None:
    contours = np.random.default_rng(seed).normal(size=(3, frames))
    steps = np.diff(contours) if frames > 1 else np.zeros((3, 1))
    due = [
        contours.mean(1),
        contours.std(1),
        *np.percentile(contours, [10, 50, 90], axis=1),
        np.abs(steps).mean(1),
        steps.std(1),
    ]
    np.testing.assert_allclose(statistics(torch.from_numpy(contours)), np.stack(due), atol=1e-7)


def test_a_tenth_of_the_amplitude_is_20_db_less(functionals: Functionals) -> None:
    tone = torch.sin(2 * torch.pi * 1000 * torch.arange(16_000) / 16_000)
    loud, soft = (functionals.embed([gain * tone])[0].frames[0, 5:-5, 40] for gain in (1.0, 0.1))
    np.testing.assert_allclose(loud - soft, np.log(100.0), atol=1e-3)


def test_silence_is_finite(functionals: Functionals) -> None:
    features = functionals.embed([torch.zeros(8_000)])[0]
    assert torch.isfinite(features.pooled).all()
    assert features.frames.unique().numel() == 1


def test_same_embedding_alone_and_in_a_batch(functionals: Functionals) -> None:
    waveforms = [torch.randn(9_000), torch.randn(5_000)]
    for together, waveform in zip(functionals.embed(waveforms), waveforms, strict=True):
        assert torch.equal(together.pooled, functionals.embed([waveform])[0].pooled)


def test_trained_on_nothing_and_needs_no_weights() -> None:
    teacher = Functionals(FunctionalsParams())
    assert (teacher.card.pretrained_on, teacher.card.fine_tuned_on) == ((), ())
    assert teacher.model_digest == "functionals:1"


def test_embed_before_load() -> None:
    with pytest.raises(TeacherError, match="not loaded"):
        Functionals(FunctionalsParams()).embed([torch.zeros(8_000)])
