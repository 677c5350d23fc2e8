"""``encoder-frames`` against transformers' own hidden states, of tiny encoders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tests_support.encoders import KINDS, save

from serbench.api import TeacherError
from serbench.testing import check_front_end
from serbench_front_ends.encoder_frames import EncoderFrames, EncoderFramesParams
from serbench_teachers.quiet import quiet_transformers

Make = Callable[[str], Path]
WAVEFORMS = [kind for kind in KINDS if not kind.startswith("whisper")]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Folders with tiny random encoders, made once each."""
    made: dict[str, Path] = {}

    def make(kind: str) -> Path:
        if kind not in made:
            made[kind] = save(kind, tmp_path_factory.mktemp(kind))
        return made[kind]

    return make


def front_end(folder: Path, **params: object) -> EncoderFrames:
    return EncoderFrames(EncoderFramesParams.model_validate({"model": str(folder), **params}))


def speech(samples: int, seed: int = 3) -> torch.Tensor:
    return torch.randn(samples, generator=torch.Generator().manual_seed(seed)) * 0.1


@pytest.mark.parametrize("kind", WAVEFORMS)
def test_a_frame_is_transformers_hidden_states_side_by_side(checkpoint: Make, kind: str) -> None:
    folder, waveform = checkpoint(kind), speech(9600)
    with quiet_transformers(), torch.inference_mode():
        model = KINDS[kind][0].from_pretrained(folder).eval()
        normal = (waveform - waveform.mean()) / torch.sqrt(waveform.var(correction=0) + 1e-7)
        output = model(normal[None], output_hidden_states=True)
    states = (*output.hidden_states[:-1], output.last_hidden_state)  # five of (1, F, D)
    every = front_end(folder)
    assert every.width == 5 * states[0].shape[2]
    torch.testing.assert_close(
        every.build()(waveform), torch.cat(states, dim=2)[0], atol=1e-5, rtol=0
    )
    two = front_end(folder, layers=[1, 4])
    torch.testing.assert_close(
        two.build()(waveform), torch.cat([states[1], states[4]], dim=2)[0], atol=1e-5, rtol=0
    )
    last = front_end(folder, layers="last")
    torch.testing.assert_close(last.build()(waveform), states[4][0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_frames_are_counted_exactly_and_do_not_depend_on_the_batch(
    checkpoint: Make, kind: str
) -> None:
    chosen = front_end(checkpoint(kind))
    module = chosen.build()
    for samples in (1, 399, 400, 719, 720, 8000, 12_345):
        pair = torch.stack([speech(samples), speech(samples, seed=4)])
        together = module(pair)
        assert together.shape == (2, chosen.framing.frames(samples), chosen.width)
        torch.testing.assert_close(together[1], module(pair[1]), atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", ["wav2vec2-layer", "whisper"])
def test_it_keeps_the_contract(checkpoint: Make, kind: str) -> None:
    check_front_end(EncoderFrames, {"model": str(checkpoint(kind)), "trained_on": ["RAVDESS"]})


def test_whispers_frames_are_those_that_end_within_the_utterance(checkpoint: Make) -> None:
    framing = front_end(checkpoint("whisper")).framing
    assert [framing.frames(n) for n in (1, 319, 639, 640, 16_000)] == [1, 1, 1, 2, 50]


def test_the_encoder_is_told_in_card_and_digest(checkpoint: Make) -> None:
    declared = front_end(checkpoint("whisper"), trained_on=["RAVDESS"])
    assert declared.card.pretrained_on == ("RAVDESS",)
    assert declared.model_digest.startswith("files:")
    assert declared.half
    assert EncoderFrames(EncoderFramesParams()).card.pretrained_on == ("LibriSpeech",)


def test_a_layer_that_is_not_there_is_told(checkpoint: Make) -> None:
    with pytest.raises(TeacherError, match=r"has hidden states 0 to 4, but front_end\.layers"):
        _ = front_end(checkpoint("whisper"), layers=[2, 5]).width


@pytest.mark.parametrize("layers", [[2, 1], [1, 1], []])
def test_layers_ascend(layers: list[int]) -> None:
    with pytest.raises(ValueError, match="layers"):
        EncoderFramesParams.model_validate({"layers": layers})
