from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
import transformers
from torch import Tensor, nn

from serbench.api import Hears, PluginError, StudentShape, TeacherError
from serbench.testing import check_student
from serbench_inherited.checkpoint import sizes_of
from serbench_inherited.inherited import Inherited, InheritedParams
from serbench_inherited.network import InheritedNetwork
from serbench_inherited.whisper import sinusoids
from serbench_teachers.loading import load_model
from serbench_teachers.weights import find_checkpoint

Make = Callable[[str], Path]
RANKS = {"channels": 8, "query": 4, "value": (4, 6), "units": (16, 12)}


def student(folder: Path, **params: object) -> Inherited:
    return Inherited(InheritedParams.model_validate({"model": str(folder), **params}))


def inherited(made: Inherited, speech: list[tuple[Tensor, Tensor]]) -> InheritedNetwork:
    network = made.build(StudentShape(3, channels=1, n_mels=80)).eval()
    made.inherit(network, speech)
    return cast("InheritedNetwork", network)


def frames(count: int, size: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Log-mel windows ``(count, 1, 80, size)`` as a cache holds them, without Whisper's clamp."""
    generator = torch.Generator().manual_seed(seed)
    features = 0.7 * torch.randn(count, 1, 80, size, generator=generator)
    return features, torch.full((count,), size)


def heard(count: int = 24, seed: int = 0) -> list[tuple[Tensor, Tensor]]:
    return [frames(count // 4, 80, seed=4 * seed + n) for n in range(4)]


def due(folder: Path, features: Tensor, layers: int) -> list[Tensor]:
    """Each layer's output by transformers, with Whisper's own clamp of the whole window."""
    encoder = cast("Any", load_model(find_checkpoint(str(folder)))[0].eval())
    kept: list[Tensor] = []
    for layer in encoder.layers[:layers]:
        layer.register_forward_hook(
            lambda _m, _i, out: kept.append(out[0] if isinstance(out, tuple) else out)
        )
    tokens = features.shape[3] // 2
    encoder.config.max_source_positions = tokens
    encoder.embed_positions = nn.Embedding.from_pretrained(encoder.embed_positions.weight[:tokens])
    x = features[:, 0]
    with torch.no_grad():
        encoder(torch.maximum(x, x.amax(dim=(1, 2), keepdim=True) - 2.0))
    return kept


def same_frames(network: InheritedNetwork, folder: Path, features: Tensor, lengths: Tensor) -> None:
    with torch.no_grad():
        output = network(features, lengths)
    wanted = due(folder, features, len(output.maps))
    for found, frames_of in zip(output.maps, wanted, strict=True):
        torch.testing.assert_close(found[:, :, 0].transpose(1, 2), frames_of, atol=1e-4, rtol=0)
    assert output.last_map is output.maps[-1]


@pytest.mark.parametrize("kind", ["whisper", "whisper-encoder"])
def test_full_ranks_give_the_encoders_frames(checkpoint: Make, kind: str) -> None:
    folder = checkpoint(kind)
    network = inherited(student(folder, layers=3), [])  # no speech is read
    same_frames(network, folder, *frames(2, 60))


def test_full_ranks_hold_with_norms_and_biases_of_every_kind(
    checkpoint: Make, tmp_path: Path
) -> None:
    """A fresh Whisper has gains of 1 and biases of 0, which prove nothing of the folding."""
    model = transformers.WhisperModel.from_pretrained(checkpoint("whisper"))
    torch.manual_seed(4)
    for name, weight in model.get_encoder().named_parameters():
        if name.endswith("bias") or "layer_norm" in name:
            nn.init.normal_(weight, mean=1.0, std=0.5)
    model.save_pretrained(tmp_path)
    transformers.WhisperFeatureExtractor().save_pretrained(tmp_path)
    network = inherited(student(tmp_path, layers=2), [])
    same_frames(network, tmp_path, *frames(2, 60))


@pytest.mark.real
def test_full_ranks_give_the_real_encoders_frames(shared: Path) -> None:
    folder = shared / "weights" / "whisper-tiny.en-encoder"
    network = inherited(student(folder), [])
    same_frames(network, folder, *frames(1, 300))
    made = student(folder, budget=1.5e6)
    parameters = made.build(StudentShape(8, channels=1, n_mels=80)).parameters()
    assert 1.45e6 < sum(weight.numel() for weight in parameters) <= 1.5e6


def test_each_part_is_better_with_more_rank(checkpoint: Make) -> None:
    """And all parts are near nothing lost where little is left out."""
    folder, (features, lengths) = checkpoint("whisper"), frames(8, 80, seed=99)
    wanted = due(folder, features, 2)[-1]
    spread = (wanted - wanted.mean(dim=(0, 1))).square().mean()

    def error(**ranks: object) -> float:
        network = inherited(student(folder, **ranks), heard(240))
        with torch.no_grad():
            found = network(features, lengths).last_map[:, :, 0].transpose(1, 2)
        return float((found - wanted).square().mean() / spread)

    for part, sizes in {
        "channels": (2, 8),
        "query": (1, 4),
        "value": (1, 4),
        "units": (2, 16),
    }.items():
        few, many = (error(**{part: size}) for size in sizes)
        assert many < few < 0.5, part
    assert error(channels=15, query=7, value=7, units=23) < 0.01


def test_pruning_looks_at_real_frames_alone(checkpoint: Make) -> None:
    made = student(checkpoint("whisper"), **RANKS)
    short = [(features[..., :48], torch.full_like(lengths, 48)) for features, lengths in heard()]
    padded = [(nn.functional.pad(features, (0, 30), value=9.0), n) for features, n in short]
    for one, other in zip(
        inherited(made, short).encoder.parameters(),
        inherited(made, padded).encoder.parameters(),
        strict=True,
    ):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3)


def test_pruning_is_deterministic_and_reads_no_more_than_it_is_told(checkpoint: Make) -> None:
    made = student(checkpoint("whisper"), **RANKS, calibration=20)
    torch.manual_seed(0)
    one = inherited(made, heard())
    torch.manual_seed(1)
    other = inherited(made, [*heard()[:3], (heard()[3][0][:2], heard()[3][1][:2])])
    for name, weight in one.encoder.state_dict().items():
        assert torch.equal(weight, other.encoder.state_dict()[name]), name
    assert not torch.equal(one.classify.weight, other.classify.weight)


def test_weights_are_changed_in_place_whatever_their_precision(checkpoint: Make) -> None:
    made = student(checkpoint("whisper"), **RANKS)
    network = made.build(StudentShape(3, channels=1, n_mels=80)).double().train()
    before = [id(weight) for weight in network.parameters()]
    made.inherit(network, [(features.double(), lengths) for features, lengths in heard()])
    assert [id(weight) for weight in network.parameters()] == before
    assert network.training
    due = inherited(made, heard()).encoder.state_dict()
    for name, weight in cast("InheritedNetwork", network).encoder.state_dict().items():
        torch.testing.assert_close(weight.float(), due[name].float(), atol=0, rtol=0)
        assert weight.dtype in (torch.float64, torch.int64)


def test_a_padded_window_is_the_window_alone(checkpoint: Make) -> None:
    network = inherited(student(checkpoint("whisper"), **RANKS), heard())
    network.embed.running_var.fill_(0.05)
    features, _ = frames(4, 120)
    lengths = torch.tensor([1, 37, 80, 120])
    features[0, ..., 1:] = 1e4  # whatever the padding holds
    features[1, ..., 37:] = math.nan
    with torch.no_grad():
        together = network(features, lengths)
        for n, length in enumerate(lengths.tolist()):
            alone = network(features[n : n + 1, ..., :length], lengths[n : n + 1])
            torch.testing.assert_close(together.logits[n], alone.logits[0], atol=1e-5, rtol=1e-5)
            tokens = (length + 1) // 2
            assert together.last_mask[n].sum() == alone.last_mask.sum() == tokens
    assert torch.isfinite(together.logits).all()


def test_a_window_without_real_frames_gives_no_nan(checkpoint: Make) -> None:
    network = inherited(student(checkpoint("whisper")), [])
    output = network(frames(2, 40)[0], torch.tensor([0, 40]))
    output.logits.sum().backward()
    assert torch.isfinite(output.logits).all()
    assert all(torch.isfinite(w.grad).all() for w in network.parameters() if w.grad is not None)


def test_bf16_is_close_to_fp32(checkpoint: Make) -> None:
    network = inherited(student(checkpoint("whisper"), **RANKS), heard())
    features, lengths = frames(3, 90)
    with torch.no_grad():
        exact = network(features, lengths).embedding
        with torch.autocast("cpu", torch.bfloat16):
            output = network(features, lengths)
    assert output.embedding.dtype == output.last_map.dtype == torch.float32
    assert 0 < float((output.embedding - exact).norm() / exact.norm()) < 0.02


def test_the_embedding_is_mean_and_deviation_of_the_last_frames(checkpoint: Make) -> None:
    network = inherited(student(checkpoint("whisper")), [])
    features, _ = frames(2, 60)
    with torch.no_grad():
        output = network(features, torch.tensor([60, 31]))
    last = output.last_map[1, :, 0, :16].double().numpy()
    expected = np.concatenate([last.mean(axis=1), np.sqrt(last.var(axis=1) + 1e-6)])
    scale = np.sqrt(1 + network.embed.eps)
    np.testing.assert_allclose(output.embedding[1] * scale, expected, atol=1e-4)


def test_positions_are_whispers(checkpoint: Make) -> None:
    model = transformers.WhisperModel.from_pretrained(checkpoint("whisper"))
    table = model.get_encoder().embed_positions.weight.detach()[:500]
    torch.testing.assert_close(sinusoids(500, 16), table, atol=1e-4, rtol=0)


def test_what_it_hears_and_whose_weights_it_has(checkpoint: Make) -> None:
    folder = checkpoint("whisper")
    made = student(folder, trained_on=("LibriSpeech",))
    assert made.hears == Hears("whisper", {"n_mels": 80, "normalise": "none", "deltas": False})
    assert made.card.pretrained_on == ("LibriSpeech",)
    assert made.model_digest == find_checkpoint(str(folder)).digest


def test_published_whispers_need_no_files_to_be_built(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(_model: str) -> Path:
        raise AssertionError("the hub was asked")

    monkeypatch.setattr("serbench_inherited.checkpoint.find_config", asked)
    made = Inherited(InheritedParams(model="openai/whisper-base", budget=4e6))
    network = made.build(StudentShape(8, channels=1, n_mels=80))
    assert 3.9e6 < sum(weight.numel() for weight in network.parameters()) <= 4e6


@pytest.mark.real
@pytest.mark.parametrize("name", ["whisper-tiny.en", "whisper-base"])
def test_published_sizes_are_those_of_the_files(shared: Path, name: str) -> None:
    folder = shared / "weights" / f"{name}-encoder"
    assert sizes_of(str(folder)) == sizes_of(f"openai/{name}")


def test_few_windows_are_told(checkpoint: Make, caplog: pytest.LogCaptureFixture) -> None:
    made = student(checkpoint("whisper"), **RANKS)
    inherited(made, heard())
    assert "pruned on 24 windows only" in caplog.text
    with pytest.raises(TeacherError, match="needs speech to calibrate on"):
        inherited(made, [])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"layers": 5}, "has 4 blocks, but student.layers is 5"),
        ({"channels": 17}, "student.channels is 17, but .* has 16"),
        ({"units": 25}, "student.units is 25, but .* has 24"),
        ({"value": (4, 4, 4)}, "student.value has 3 numbers for 2 blocks"),
    ],
)
def test_what_the_encoder_does_not_have(
    checkpoint: Make, params: dict[str, object], message: str
) -> None:
    with pytest.raises((PluginError, TeacherError), match=message):
        student(checkpoint("whisper"), **params).build(StudentShape(3, 1, 80))


def test_budget_and_ranks_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="give either budget, or channels"):
        InheritedParams(budget=1.5e6, units=8)


def test_other_features_are_refused(checkpoint: Make) -> None:
    with pytest.raises(PluginError, match="channel of 80 bins, but the front end gives 3 of 40"):
        student(checkpoint("whisper")).build(StudentShape(3))


def test_windows_beyond_the_position_table_are_refused(checkpoint: Make) -> None:
    network = inherited(student(checkpoint("whisper")), [])
    with pytest.raises(PluginError, match="windows of at most 10 s"):
        network(*frames(1, 1002))


def test_the_contract(checkpoint: Make) -> None:
    check_student(Inherited, {"model": str(checkpoint("whisper")), **RANKS})
