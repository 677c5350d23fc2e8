from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from tests_support.encoders import KINDS, save

from serbench.api import TeacherError, TeacherFeatures
from serbench_teachers.quiet import quiet_transformers
from serbench_teachers.speech_encoder import SpeechEncoder, SpeechEncoderParams

CPU = torch.device("cpu")
Make = Callable[[str], Path]


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Folders with tiny random encoders, made once each; tests must not change them."""
    made: dict[str, Path] = {}

    def make(kind: str) -> Path:
        if kind not in made:
            made[kind] = save(kind, tmp_path_factory.mktemp(kind))
        return made[kind]

    return make


def speech(*durations_s: float) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(int(16_000 * d), generator=generator) * 0.1 for d in durations_s]


def teacher(folder: Path, **params: object) -> SpeechEncoder:
    made = SpeechEncoder(
        SpeechEncoderParams.model_validate({"model": str(folder), "precision": "fp32", **params})
    )
    made.load(CPU)
    return made


def same(one: TeacherFeatures, other: TeacherFeatures) -> None:
    torch.testing.assert_close(one.pooled, other.pooled, atol=1e-4, rtol=0)
    torch.testing.assert_close(one.frames, other.frames, atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_batch_equals_one_by_one(checkpoint: Make, kind: str) -> None:
    encoder = teacher(checkpoint(kind), layer="mix")
    waveforms = speech(0.53, 1.0, 0.53, 0.31)
    for together, waveform in zip(encoder.embed(waveforms), waveforms, strict=True):
        same(together, encoder.embed([waveform])[0])


@pytest.mark.parametrize("kind", [k for k in KINDS if not k.startswith("whisper")])
def test_layers_are_transformers_hidden_states(checkpoint: Make, kind: str) -> None:
    """Also proves that cutting off higher layers changes nothing."""
    folder = checkpoint(kind)
    waveform = speech(0.6)[0]
    with quiet_transformers(), torch.inference_mode():
        model = KINDS[kind][0].from_pretrained(folder).eval()
        normal = (waveform - waveform.mean()) / torch.sqrt(waveform.var(correction=0) + 1e-7)
        output = model(normal[None], output_hidden_states=True)
    due = (*output.hidden_states[:-1], output.last_hidden_state)
    mixed = teacher(folder, layer="mix").embed([waveform])[0]
    assert mixed.frames.shape[0] == len(due) == 5
    torch.testing.assert_close(mixed.frames, torch.cat(due), atol=1e-5, rtol=0)
    for index in (0, 2, 4):
        one = teacher(folder, layer=index).embed([waveform])[0]
        torch.testing.assert_close(one.frames, due[index], atol=1e-5, rtol=0)


def test_whisper_equals_transformers_at_full_length(checkpoint: Make) -> None:
    """At 30 s nothing is cut, so that transformers' own path is the reference."""
    folder = checkpoint("whisper")
    waveform = speech(30.0)[0]
    with quiet_transformers(), torch.inference_mode():
        encoder = transformers.WhisperModel.from_pretrained(folder).eval().get_encoder()
        mel = transformers.WhisperFeatureExtractor()(
            waveform.numpy(), sampling_rate=16_000, return_tensors="pt"
        )["input_features"]
        due = encoder(mel, output_hidden_states=True).hidden_states
    mixed = teacher(folder, layer="mix").embed([waveform])[0]
    torch.testing.assert_close(mixed.frames, torch.cat(due), atol=1e-4, rtol=0)


def test_whisper_has_real_frames_only_and_cuts_long_speech(checkpoint: Make) -> None:
    encoder = teacher(checkpoint("whisper"))
    frames = [f.frames.shape[1] for f in encoder.embed(speech(0.5, 1.23, 30.0, 45.5))]
    assert frames == [25, 61, 1500, 2275]
    long = speech(45.5)[0]
    half = 22 * 16_000 + 12_160  # half of it, in whole frames
    pieces = [encoder.embed([part])[0].frames for part in (long[:half], long[half:])]
    whole = encoder.embed([long])[0].frames
    torch.testing.assert_close(whole, torch.cat(pieces, dim=1), atol=1e-5, rtol=0)


def test_whisper_encoder_alone_and_whole_model_agree(checkpoint: Make, tmp_path: Path) -> None:
    with quiet_transformers():
        whole = transformers.WhisperModel.from_pretrained(checkpoint("whisper"))
        whole.get_encoder().save_pretrained(tmp_path)
        transformers.WhisperFeatureExtractor().save_pretrained(tmp_path)
    waveform = speech(0.7)
    same(teacher(tmp_path).embed(waveform)[0], teacher(checkpoint("whisper")).embed(waveform)[0])


def test_pooled_is_mean_then_deviation(checkpoint: Make) -> None:
    features = teacher(checkpoint("hubert-layer"), layer="mix").embed(speech(0.8))[0]
    frames = features.frames.double().numpy()
    due = np.concatenate([frames.mean(axis=1), frames.std(axis=1)], axis=1)
    assert features.pooled.shape == (5, 32)
    np.testing.assert_allclose(features.pooled, due, atol=1e-5)


def test_middle_is_half_the_depth(checkpoint: Make) -> None:
    folder, waveform = checkpoint("wavlm-layer"), speech(0.5)
    same(teacher(folder).embed(waveform)[0], teacher(folder, layer=2).embed(waveform)[0])


def test_frozen_and_not_trainable(checkpoint: Make) -> None:
    encoder = teacher(checkpoint("wav2vec2-layer"))
    features, again = (encoder.embed(speech(0.5))[0] for _ in range(2))
    same(features, again)  # no dropout
    assert features.pooled.dtype == torch.float32
    assert not features.frames.requires_grad


def test_frame_rate(checkpoint: Make) -> None:
    assert teacher(checkpoint("wav2vec2-layer")).frame_rate_hz == 50.0
    assert teacher(checkpoint("whisper")).frame_rate_hz == 50.0


def test_bf16_is_close_to_fp32(checkpoint: Make) -> None:
    folder, waveform = checkpoint("whisper"), speech(1.0)
    exact = teacher(folder).embed(waveform)[0].pooled
    rough = teacher(folder, precision="bf16").embed(waveform)[0].pooled
    assert rough.dtype == torch.float32
    assert 0 < float((rough - exact).norm() / exact.norm()) < 0.02


def test_loading_says_nothing(checkpoint: Make, capfd: pytest.CaptureFixture[str]) -> None:
    teacher(checkpoint("whisper")).embed(speech(0.5))
    assert capfd.readouterr() == ("", "")


def test_layer_beyond_the_depth(checkpoint: Make) -> None:
    with pytest.raises(TeacherError, match="hidden states 0 to 4, but layer is 9"):
        teacher(checkpoint("whisper"), layer=9)


def test_embed_before_load(checkpoint: Make) -> None:
    encoder = SpeechEncoder(SpeechEncoderParams(model=str(checkpoint("whisper"))))
    with pytest.raises(TeacherError, match="not loaded"):
        encoder.embed(speech(0.5))


def test_weights_that_are_missing_are_never_made_up(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = save("hubert-layer", tmp_path)
    weights = load_file(folder / "model.safetensors")
    del weights["encoder.layers.1.feed_forward.output_dense.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(TeacherError, match="1 weights of the encoder are missing from its files"):
        teacher(folder)


def test_truncated_weights(tmp_path: Path) -> None:
    folder = save("hubert-layer", tmp_path)
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TeacherError, match="cannot be loaded"):
        teacher(folder)


def test_torch_format_is_read_but_runs_no_code(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    folder = save("hubert-layer", tmp_path)
    due = teacher(folder).embed(speech(0.5))[0]
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    same(teacher(folder).embed(speech(0.5))[0], due)
    torch.save({**weights, "masked_spec_embed": Path("touch-me")}, folder / "pytorch_model.bin")
    with pytest.raises(TeacherError, match="cannot be loaded"):
        teacher(folder)


def test_unsupported_type(tmp_path: Path) -> None:
    folder = save("hubert-layer", tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "bert"}))
    with pytest.raises(TeacherError, match="type 'bert'; speech-encoder reads data2vec-audio"):
        teacher(folder)


def test_damaged_config(tmp_path: Path) -> None:
    folder = save("hubert-layer", tmp_path)
    (folder / "config.json").write_text("{")
    with pytest.raises(TeacherError, match=r"config\.json is damaged"):
        teacher(folder)


def test_other_sampling_rate(tmp_path: Path) -> None:
    folder = save("hubert-layer", tmp_path)
    transformers.Wav2Vec2FeatureExtractor(sampling_rate=8_000).save_pretrained(folder)
    with pytest.raises(TeacherError, match="expects speech at 8000 Hz"):
        teacher(folder)


CLASSIFIERS = {
    "wav2vec2-group": transformers.Wav2Vec2ForSequenceClassification,
    "hubert-layer": transformers.HubertForSequenceClassification,
    "wavlm-layer": transformers.WavLMForSequenceClassification,
    "data2vec": transformers.Data2VecAudioForSequenceClassification,
    "whisper": transformers.WhisperForAudioClassification,
}


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_a_fine_tuned_classifier_is_its_encoder(tmp_path: Path, kind: str) -> None:
    """Its weights have a prefix and a head; Whisper's have no decoder."""
    folder = save(kind, tmp_path)
    torch.manual_seed(2)
    with quiet_transformers():
        whole = CLASSIFIERS[kind](KINDS[kind][1])
        whole.save_pretrained(folder)
        encoder = whole.encoder if kind == "whisper" else whole.base_model
        encoder_folder = tmp_path / "encoder"
        encoder.save_pretrained(encoder_folder)
        preprocessor = (folder / "preprocessor_config.json").read_text()
        (encoder_folder / "preprocessor_config.json").write_text(preprocessor)
    waveform = speech(0.6)
    same(
        teacher(folder, layer="mix").embed(waveform)[0],
        teacher(encoder_folder, layer="mix").embed(waveform)[0],
    )


def test_a_classifier_of_a_class_of_its_own_is_its_encoder(tmp_path: Path) -> None:
    """As audEERING's: an architecture that transformers does not know, with another head."""
    folder = save("wav2vec2-layer", tmp_path)
    due = teacher(folder).embed(speech(0.5))[0]
    from safetensors.torch import load_file, save_file

    weights = {f"wav2vec2.{k}": v for k, v in load_file(folder / "model.safetensors").items()}
    head = {
        "classifier.dense.weight": torch.ones(16, 16),
        "classifier.out_proj.bias": torch.ones(3),
    }
    save_file({**weights, **head}, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    config["architectures"] = ["Wav2Vec2ForSpeechClassification"]
    (folder / "config.json").write_text(json.dumps(config))
    same(teacher(folder).embed(speech(0.5))[0], due)
