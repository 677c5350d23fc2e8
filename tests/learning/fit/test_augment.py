"""What a gain is on each scale, and what masks hold."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tests_support.front_ends import front_end

from serbench.api import FrontEnd
from serbench.learning.features import Normaliser
from serbench.learning.fit.augment import augmented
from serbench.learning.front_ends import Extractor
from serbench.settings import AugmentSettings

KINDS = ("log-mel", "whisper", "waveform")


def settings_of(**augment: float) -> AugmentSettings:
    quiet = {"time_masks": 0, "mel_masks": 0, "gain_db": 0.0}
    return AugmentSettings.model_validate(quiet | augment)


def draw(
    settings: AugmentSettings, heard: FrontEnd, frames: torch.Tensor, normaliser: Normaliser
) -> torch.Tensor:
    lengths = torch.full((len(frames),), frames.shape[1])
    generator = torch.Generator().manual_seed(5)
    return augmented(frames, lengths, settings, heard, normaliser, 100.0, generator)


def audio() -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("normalise", ["partition", "none"])
def test_a_gain_is_that_of_louder_audio(kind: str, normalise: str) -> None:
    if (kind, normalise) == ("waveform", "partition"):
        pytest.skip("a waveform is never normalised")
    heard = front_end(kind, normalise=normalise)
    extract = Extractor(heard)
    frames = torch.from_numpy(extract(audio()))
    normaliser = Normaliser.none(heard.width)
    if normalise == "partition":
        normaliser = Normaliser(frames.mean(dim=0), frames.std(dim=0))
    drawn = torch.rand(1, 1, 1, generator=torch.Generator().manual_seed(5)).item()
    gain_db = 6.0 * (2.0 * drawn - 1.0)
    louder = torch.from_numpy(extract(audio() * np.float32(10.0 ** (gain_db / 20.0))))
    found = draw(settings_of(gain_db=6.0), heard, normaliser(frames)[None], normaliser)[0]
    torch.testing.assert_close(found, normaliser(louder), atol=2e-3, rtol=1e-3)
    assert not torch.allclose(found, normaliser(frames), atol=1e-2)


def test_masks_of_raw_frames_hold_the_windows_own_means() -> None:
    settings = settings_of(time_masks=1, time_mask_s=0.4, mel_masks=1, mel_mask_bins=20)
    frames = torch.randn(6, 100, 80) + torch.arange(80.0)
    frames[0, 60:] = 99.0  # padding, which is no part of the mean
    lengths = torch.tensor([60, 100, 100, 100, 100, 100])
    generator = torch.Generator().manual_seed(0)
    found = augmented(
        frames, lengths, settings, front_end("whisper"), Normaliser.none(80), 100.0, generator
    )
    for window, plain, length in zip(found, frames, lengths, strict=True):
        means = plain[:length].double().mean(dim=0).float()
        masked = window != plain
        assert masked[:length].any()
        expected = means.expand_as(plain)[masked]
        torch.testing.assert_close(window[masked], expected, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize(("kind", "normalise"), [("waveform", "none"), ("whisper", "partition")])
def test_other_masks_hold_0(kind: str, normalise: str) -> None:
    settings, heard = (
        settings_of(time_masks=1, time_mask_s=0.4),
        front_end(kind, normalise=normalise),
    )
    frames = torch.randn(6, 100, heard.width) + 3.0
    found = draw(settings, heard, frames, Normaliser.none(heard.width))
    masked = found != frames
    assert masked.any()
    assert not found[masked].any()


def test_a_gain_is_off_with_an_utterances_mean() -> None:
    heard, frames = front_end("log-mel", normalise="utterance"), torch.randn(1, 50, 40)
    normaliser = Normaliser(torch.zeros(40), torch.ones(40))
    assert torch.equal(draw(settings_of(gain_db=6.0), heard, frames, normaliser), frames)


def test_masks_of_ranges_hold_the_windows_own_means() -> None:
    settings = settings_of(time_masks=1, time_mask_s=0.4)
    frames = torch.rand(4, 100, 40)
    found = augmented(
        frames, torch.full((4,), 100), settings, front_end("log-mel", normalise="range"),
        Normaliser.none(40), 100.0, torch.Generator().manual_seed(0),
    )  # fmt: skip
    masked = found != frames
    assert masked.any()
    torch.testing.assert_close(found[masked], frames.mean(1, True).expand_as(frames)[masked])
